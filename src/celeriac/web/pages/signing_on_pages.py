"""The pages of signing on and off; the sign-on itself is in `app.access`."""

from http import HTTPStatus
from typing import Annotated, cast

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from celeriac.app.access.password_sign_on import WRONG
from celeriac.app.access.provider_sign_on import PATIENCE_S, ProviderSignOn, new_browser
from celeriac.app.access.sessions import Opened, SessionDesk
from celeriac.core.errors import MissingError, NotTakenError
from celeriac.core.signon import own_path
from celeriac.web.deps import signing_on, visitor
from celeriac.web.pages.templating import render
from celeriac.web.sign_on import Cookies

LONGEST_PASSWORD = 1024
Name = Annotated[str, Form(min_length=1, max_length=200)]
Password = Annotated[str, Form(min_length=1, max_length=LONGEST_PASSWORD)]
Onward = Annotated[str, Form(max_length=2000)]

router = APIRouter(include_in_schema=False)


@router.get("/login")
def login(request: Request, next: str = "/") -> Response:  # noqa: A002 (the name that browsers show)
    """Show how to sign on here."""
    ways = signing_on(request)
    if ways.desk is None:
        return _onward(request, own_path(next))
    return render(request, "login.html", {"ways": ways, "onward": own_path(next), "wrong": None, "break_glass": False})


@router.get("/login/break-glass")
def break_glass(request: Request) -> Response:
    """Show the way in beside the usual one."""
    ways = signing_on(request)
    if not ways.break_glass:
        raise MissingError("There is no break-glass account here.")
    return render(request, "login.html", {"ways": ways, "onward": "/", "wrong": None, "break_glass": True})


@router.post("/login")
def sign_on(request: Request, name: Name, password: Password, onward: Onward = "/") -> Response:
    """Sign on with a name and a password."""
    ways = signing_on(request)
    if ways.passwords is None:
        raise MissingError("Nobody signs on with a password here.")
    try:
        opened = ways.passwords.sign_on(name, password, visitor(request))
    except NotTakenError:
        context = {"ways": ways, "onward": own_path(onward), "wrong": WRONG, "break_glass": not ways.users}
        return render(request, "login.html", context, status=HTTPStatus.UNAUTHORIZED)
    return _entered(request, opened, own_path(onward))


@router.get("/auth/begin")
def begin(request: Request, next: str = "/") -> Response:  # noqa: A002 (the name that browsers show)
    """Send a browser to the provider."""
    cookies = Cookies.of(request.scope)
    browser = request.cookies.get(cookies.browser) or new_browser()
    address = _provider(request).begin(browser, _back_to(request), next, visitor(request))
    response = RedirectResponse(address, HTTPStatus.SEE_OTHER)
    cookies.set(response, cookies.browser, browser, PATIENCE_S)
    return response


@router.get("/auth/callback")
def callback(request: Request) -> Response:
    """Take a browser back from the provider."""
    browser = request.cookies.get(Cookies.of(request.scope).browser, "")
    answer = dict(request.query_params)
    back = _provider(request).finish(browser, _back_to(request), answer, visitor(request))
    return _entered(request, back.opened, back.onward)


@router.post("/auth/backchannel-logout")
def logged_out(request: Request, logout_token: Annotated[str, Form(max_length=16_384)]) -> Response:
    """End the sessions that the provider has ended (OpenID Connect Back-Channel Logout 1.0)."""
    _provider(request).logged_out(logout_token, visitor(request).address)
    return Response(status_code=HTTPStatus.OK, headers={"Cache-Control": "no-store"})


@router.post("/logout")
def logout(request: Request) -> Response:
    """End the session here, and at the provider: by a page that leads there, as browsers let no form be led elsewhere."""
    ways, cookies = signing_on(request), Cookies.of(request.scope)
    secret = request.cookies.get(cookies.session)
    ended = ways.desk.end(secret, visitor(request).address) if ways.desk and secret else None
    onward = None
    if ended and ended.id_token and ways.provider:
        onward = ways.provider.leave(ended.id_token, f"{ways.public_url}/signed-off")
    if onward:
        response: Response = render(request, "signed_off.html", {"onward": onward})
    else:
        response = RedirectResponse(f"{root(request)}/signed-off", HTTPStatus.SEE_OTHER)
    cookies.drop(response, cookies.session)
    return response


@router.get("/signed-off")
def signed_off(request: Request) -> Response:
    """Say that a person has signed off."""
    return render(request, "signed_off.html", {"onward": None})


def root(request: Request) -> str:
    """Return the path that this app is mounted at."""
    return str(request.scope.get("root_path", ""))


def _provider(request: Request) -> ProviderSignOn:
    provider = signing_on(request).provider
    if provider is None:
        raise MissingError("Nobody signs on at a provider here.")
    return provider


def _back_to(request: Request) -> str:
    return f"{signing_on(request).public_url}/auth/callback"


def _entered(request: Request, opened: Opened, onward: str) -> Response:
    """Give the browser its new session; the one it had, whoever gave it that, ends."""
    cookies = Cookies.of(request.scope)
    desk = cast("SessionDesk", signing_on(request).desk)
    if before := request.cookies.get(cookies.session):
        desk.end(before, visitor(request).address)
    response = _onward(request, onward)
    cookies.set(response, cookies.session, opened.secret)
    return response


def _onward(request: Request, onward: str) -> Response:
    return RedirectResponse(f"{root(request)}{onward}", HTTPStatus.SEE_OTHER)
