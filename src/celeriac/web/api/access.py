"""The API of access: who asks and why they may, sessions, API tokens, and the table of roles."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import Field, StringConstraints, model_validator

from celeriac.app.access.api_tokens import LONGEST_DAYS, USUAL_DAYS
from celeriac.app.access_views import (
    ApiTokenView,
    MadeApiTokenView,
    OpenedView,
    RoleTableView,
    SessionView,
    WhoView,
    WhyView,
    when,
)
from celeriac.core.access import Grant, Role, Rule
from celeriac.core.errors import MissingError
from celeriac.web.api.answers import UNSTORED, Items
from celeriac.web.api.handling import Body, Why
from celeriac.web.deps import Own, signing_on, visitor
from celeriac.web.errors import responses

ONE_LINE = r"^[^\x00-\x1f\x7f]*$"
MOST_ROWS = 200
MOST_PLACES = 50

Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=ONE_LINE)]
Named = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=ONE_LINE)]
Places = Annotated[tuple[Named, ...], Field(max_length=MOST_PLACES)]
Id = Annotated[str, Path(max_length=64)]

ASKED = responses(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, UNSTORED)
CHANGED = responses(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, UNSTORED)
TRADED = responses(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS, UNSTORED)

router = APIRouter(prefix="/api/v1", tags=["access"])


class Code(Body):
    """A code that the browser brought back, and the verifier that only the command has (RFC 7636)."""

    code: str = Field(min_length=1, max_length=128)
    verifier: str = Field(min_length=1, max_length=128)


class GrantBody(Body):
    """A role in some clusters and apps, in all where none is named."""

    role: Role
    clusters: Places = ()
    apps: Places = ()
    payloads: bool = Field(default=False, description="whether arguments and results of tasks are shown")

    def grant(self) -> Grant:
        """Return it for the core."""
        return Grant(self.role, self.clusters, self.apps, self.payloads)


class NewToken(GrantBody):
    """What the token is called, what it may do, and for how long."""

    name: Named
    days: int = Field(default=USUAL_DAYS, ge=1, le=LONGEST_DAYS)


class RuleBody(GrantBody):
    """One row of the table of roles: whoever fits all that it names has the grant."""

    group: Said | None = None
    client: Said | None = None
    scope: Said | None = None

    @model_validator(mode="after")
    def _for_somebody(self) -> "RuleBody":
        if self.group is None and self.client is None and self.scope is None:
            msg = "names nobody; give a group, a client or a scope"
            raise ValueError(msg)
        return self

    def rule(self) -> Rule:
        """Return it for the core."""
        return Rule(self.grant(), self.group, self.client, self.scope)


class NewRoles(Body):
    """The rows that are to hold, in their order, and why; no rows give the table back to the settings."""

    rules: list[RuleBody] = Field(max_length=MOST_ROWS)
    why: Why


@router.get("/whoami", summary="Tell who asks", responses=ASKED)
def whoami(own: Own) -> WhoView:
    """Return who asks, what they may do in words, and until when."""
    return own.who()


@router.post(
    "/sessions", summary="Trade a code for a command line's token", status_code=HTTPStatus.CREATED, responses=TRADED
)
def open_session(request: Request, body: Code) -> OpenedView:
    """Open a session for a command line, as RFC 8252 has it; a code is good once, for a minute, with its verifier."""
    ways = signing_on(request)
    if ways.command_line is None:
        raise MissingError("There is no sign-on here, and commands need no token.")
    opened = ways.command_line.trade(body.code, body.verifier, visitor(request))
    one = opened.session
    return OpenedView(opened.secret, one.identity.subject, one.name or one.identity.subject, when(one.until))


@router.get("/sessions", summary="List sessions", responses=ASKED)
def sessions(own: Own) -> Items[SessionView]:
    """Return your own sessions, of an administrator all, the newest first."""
    return Items(items=own.sessions())


@router.delete("/session", summary="Sign off", status_code=HTTPStatus.NO_CONTENT, responses=CHANGED)
def end_session(own: Own) -> Response:
    """End the session that this request comes by."""
    own.leave()
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.delete("/sessions/{id}", summary="End a session", status_code=HTTPStatus.NO_CONTENT, responses=CHANGED)
def end_one(id: Id, own: Own) -> Response:
    """End a session of your own; an administrator ends any."""
    own.end_session(id)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.get("/tokens", summary="List API tokens", responses=ASKED)
def tokens(own: Own) -> Items[ApiTokenView]:
    """Return the API tokens that you have made, of an administrator all, the newest first."""
    return Items(items=own.tokens())


@router.post("/tokens", summary="Make an API token", status_code=HTTPStatus.CREATED, responses=CHANGED)
def make_token(body: NewToken, own: Own) -> MadeApiTokenView:
    """Make a token that carries at most what you have yourself; its secret is told this one time."""
    return own.make_token(body.name, body.grant(), body.days)


@router.delete("/tokens/{id}", summary="Revoke an API token", responses=CHANGED)
def revoke_token(id: Id, own: Own) -> ApiTokenView:
    """Revoke a token of your own; an administrator revokes any."""
    return own.revoke_token(id)


@router.get("/roles", summary="Show the table of roles", responses=CHANGED)
def roles(own: Own) -> RoleTableView:
    """Return the rows that hold, in their order, and whether the settings or somebody here gave them."""
    return own.table()


@router.put("/roles", summary="Change the table of roles", responses=CHANGED)
def change_roles(body: NewRoles, own: Own) -> RoleTableView:
    """Let other rows hold from now on; refused where nobody would be an administrator, or you would be none any more."""
    return own.change_table([one.rule() for one in body.rules], body.why)


@router.get("/roles/mine", summary="Tell why you have your role", responses=CHANGED)
def why(own: Own) -> WhyView:
    """Return each row with whether it fits you, where your groups were read, and those that a row is for."""
    return own.why()
