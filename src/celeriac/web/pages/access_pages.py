"""The page of access: who you are and why you have your role, your sessions and your API tokens."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import Field, StringConstraints

from celeriac.app.access.api_tokens import LONGEST_DAYS, USUAL_DAYS, is_person
from celeriac.app.access.own_access import OwnAccess
from celeriac.core.access import Grant, Right, Role
from celeriac.core.errors import ConflictError, DeniedError
from celeriac.web.api.access import ONE_LINE, Id, Named
from celeriac.web.api.handling import Body
from celeriac.web.deps import Asking, Own
from celeriac.web.pages.templating import render

MOST_TEXT = 5_000

Listed = Annotated[str, StringConstraints(strip_whitespace=True, max_length=MOST_TEXT, pattern=ONE_LINE)]

router = APIRouter(include_in_schema=False)


class TokenForm(Body):
    """A new token, from the page: clusters and apps stand one behind another, with commas between."""

    name: Named
    role: Role
    clusters: Listed = ""
    apps: Listed = ""
    payloads: bool = False
    days: int = Field(default=USUAL_DAYS, ge=1, le=LONGEST_DAYS)

    def grant(self) -> Grant:
        """Return it for the core."""
        return Grant(self.role, several(self.clusters), several(self.apps), self.payloads)


def several(text: str) -> tuple[str, ...]:
    """Return what stands between commas."""
    return tuple(one.strip() for one in text.split(",") if one.strip())


@router.get("/access")
def access(request: Request, asking: Asking, own: Own) -> Response:
    """Show who asks, why they may, their sessions and their tokens."""
    return _page(request, asking, own)


@router.post("/access/tokens")
def make_token(request: Request, asking: Asking, own: Own, form: Annotated[TokenForm, Form()]) -> Response:
    """Make a token and show its secret this one time: it stands in no address, and nothing keeps the answer."""
    try:
        made = own.make_token(form.name, form.grant(), form.days)
    except (DeniedError, ConflictError) as error:
        status = HTTPStatus.FORBIDDEN if isinstance(error, DeniedError) else HTTPStatus.CONFLICT
        return _page(request, asking, own, status, wrong=str(error), form=form)
    return _page(request, asking, own, HTTPStatus.CREATED, made=made)


@router.post("/access/tokens/{id}/revoke")
def revoke_token(request: Request, id: Id, own: Own) -> Response:
    """Revoke a token."""
    own.revoke_token(id)
    return _back(request)


@router.post("/access/sessions/{id}/end")
def end_session(request: Request, id: Id, own: Own) -> Response:
    """End a session."""
    own.end_session(id)
    return _back(request)


def _page(
    request: Request, asking: Asking, own: OwnAccess, status: HTTPStatus = HTTPStatus.OK, **shown: Any
) -> Response:
    strongest = list(Role).index(asking.role) + 1 if asking.role else 0
    context = {
        "who": own.who(),
        "why": own.why(),
        "sessions": own.sessions(),
        "tokens": own.tokens(),
        "may_make": is_person(asking),
        "admin": asking.may(Right.ADMINISTER),
        "table": own.has_table and asking.may(Right.ADMINISTER),
        "roles": [one for one in list(Role)[:strongest] if one is not Role.ADMIN],  # which no token carries
        "longest": LONGEST_DAYS,
        "made": None,
        "wrong": None,
        "form": TokenForm.model_construct(name="", role=Role.VIEWER),
        **shown,
    }
    return render(request, "access.html", context, status=status)


def _back(request: Request) -> Response:
    return RedirectResponse(f"{request.scope.get('root_path', '')}/access", HTTPStatus.SEE_OTHER)
