"""The page on which a person lets a command line act as them; see `app.access.command_line`."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import Field

from celeriac.app.access.command_line import Asked, CommandLineSignOn
from celeriac.app.access.own_access import NONE_HERE
from celeriac.core.errors import MissingError
from celeriac.web.api.handling import Body
from celeriac.web.browser_safety import CONTENT_POLICY
from celeriac.web.deps import Asking, service, signing_on
from celeriac.web.pages.templating import render
from celeriac.web.sign_on import Cookies

RANDOM = r"^[A-Za-z0-9_-]{43}$"
"""32 random bytes, or a SHA-256, in base64url."""

router = APIRouter(include_in_schema=False)


class AskedQuery(Body):
    """What the command put into the address; `host` is shown, and believed by nobody."""

    port: int = Field(ge=1024, le=65535)
    challenge: str = Field(pattern=RANDOM)
    state: str = Field(pattern=RANDOM)
    host: str = Field(default="", max_length=100)

    def asked(self) -> Asked:
        """Return it for the app."""
        return Asked(self.port, self.challenge, self.state, "".join(one for one in self.host if one.isprintable()))


class Decision(AskedQuery):
    """What the person decided."""

    allow: Literal["yes", "no"]


@router.get("/login/command-line")
def ask(request: Request, asking: Asking, query: Annotated[AskedQuery, Query()]) -> Response:
    """Ask the person whether a command may act as them."""
    asked = query.asked()
    _ways(request).person(asking, _secret(request))
    answer = render(request, "command_line.html", {"asked": asked})
    # Chromium holds `form-action` against where a form's answer redirects to as well.
    back = CONTENT_POLICY.replace("form-action 'self'", f"form-action 'self' http://127.0.0.1:{asked.port}")
    answer.headers["Content-Security-Policy"] = back
    return answer


@router.post("/login/command-line")
def decided(request: Request, asking: Asking, form: Annotated[Decision, Form()]) -> Response:
    """Send the browser back to the command, with a code or a no; the address is made of a port number alone."""
    asked, ways = form.asked(), _ways(request)
    if form.allow == "no":
        ways.person(asking, _secret(request))
        return RedirectResponse(asked.back(error="access_denied"), HTTPStatus.SEE_OTHER)
    onward = ways.allow(service(request).register.acting(asking), _secret(request), asked)
    return RedirectResponse(onward, HTTPStatus.SEE_OTHER)


def _ways(request: Request) -> CommandLineSignOn:
    ways = signing_on(request).command_line
    if ways is None:
        raise MissingError(NONE_HERE)
    return ways


def _secret(request: Request) -> str | None:
    return request.cookies.get(Cookies.of(request.scope).session)
