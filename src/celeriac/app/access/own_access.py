"""The access of whoever asks, as pages and API show and change it: who they are, why, their sessions and tokens."""

from collections.abc import Callable, Sequence

from celeriac.access_ports import ApiToken, RoleTable, Session
from celeriac.app.access.acting import Acting
from celeriac.app.access.door import Brought
from celeriac.app.access.roles import Roles
from celeriac.app.access.signing_on import SigningOn
from celeriac.app.access_views import (
    ApiTokenView,
    MadeApiTokenView,
    RoleTableView,
    SessionView,
    WhoView,
    WhyView,
    granted_beside,
    session_view,
    table_view,
    token_view,
    who,
    why,
)
from celeriac.core.access import Grant, Identity, Means, Right, Rule
from celeriac.core.errors import ConflictError, MissingError, SignOnError

NONE_HERE = "There is no sign-on here: everybody who reaches this address may do everything."


class OwnAccess:
    """Made for one request: `acting` is who asks, `brought` what the request came with."""

    def __init__(self, ways: SigningOn, acting: Acting, brought: Brought, clock: Callable[[], float]) -> None:
        self._ways, self._acting, self._brought, self._clock = ways, acting, brought, clock

    def who(self) -> WhoView:
        """Return who asks."""
        return who(self._acting.actor, self._session(), self._token())

    def why(self) -> WhyView:
        """Return why the actor has the role that they have."""
        actor, session = self._acting.actor, self._session()
        if actor.means is Means.NONE:
            return granted_beside("There is no sign-on here, so everybody has", actor.grants)
        if actor.means is Means.API_TOKEN:
            return granted_beside("An API token has what its maker gave it", actor.grants)
        if actor.means is Means.MACHINE and self._ways.machines:
            identity = self._ways.machines.identity(self._secret, actor.address)
            return self._by_table(identity, "the token's own claims")
        if actor.means is Means.PROVIDER and session:
            return self._by_table(session.identity, session.groups_from or None)
        return granted_beside(f"Whoever signs on by {actor.means} has what is set up for them", actor.grants)

    def _by_table(self, identity: Identity, groups_from: str | None) -> WhyView:
        return why(self._roles.fits(identity), identity, groups_from)

    def sessions(self) -> list[SessionView]:
        """Return the actor's own sessions, of an administrator all."""
        standing = self._ways.standing
        found = standing.listed(self._acting) if standing else []
        return [session_view(one, self._acting.actor) for one in found]

    def end_session(self, id: str) -> None:
        """End one of them."""
        if self._ways.standing is None:
            raise MissingError(NONE_HERE)
        self._ways.standing.end(self._acting, id)

    def leave(self) -> None:
        """End the session that the request came by; raises ConflictError for what holds none."""
        if self._ways.desk is None:
            raise MissingError(NONE_HERE)
        if self._session() is None:
            raise ConflictError("Only a session ends so: an API token is revoked, and the provider's tokens end there.")
        self._ways.desk.end(self._secret, self._acting.actor.address)

    def tokens(self) -> list[ApiTokenView]:
        """Return the API tokens that the actor has made, of an administrator all."""
        found = self._ways.tokens.listed(self._acting) if self._ways.tokens else []
        return [token_view(one, self._clock()) for one in found]

    def make_token(self, name: str, grant: Grant, days: int) -> MadeApiTokenView:
        """Make an API token."""
        if self._ways.tokens is None:
            raise MissingError(NONE_HERE)
        made = self._ways.tokens.make(self._acting, name, grant, days)
        return MadeApiTokenView(made.secret, token_view(made.token, self._clock()))

    def revoke_token(self, id: str) -> ApiTokenView:
        """Revoke an API token."""
        if self._ways.tokens is None:
            raise MissingError(NONE_HERE)
        return token_view(self._ways.tokens.revoke(self._acting, id), self._clock())

    @property
    def has_table(self) -> bool:
        """Tell whether a table of roles says who may what: it is for people and programs of a provider."""
        return self._ways.roles is not None

    def table(self) -> RoleTableView:
        """Return the table of roles."""
        self._acting.need(Right.ADMINISTER, "see the table of roles")
        return table_view(self._roles.rules(), self._roles.changed())

    def change_table(self, rules: Sequence[Rule], reason: str) -> RoleTableView:
        """Let another table hold; none gives it back to the settings."""
        session = self._session()
        by_table = session is not None and session.means is Means.PROVIDER
        self._roles.change(rules, self._acting, reason, session.identity if session and by_table else None)
        return self.table()

    def history(self) -> list[RoleTable]:
        """Return earlier tables, the newest first."""
        return self._roles.history(self._acting)

    @property
    def _roles(self) -> Roles:
        if self._ways.roles is None:
            raise MissingError("There is no table of roles here: it is for people and programs of an OpenID provider.")
        return self._ways.roles

    @property
    def _secret(self) -> str:
        return self._brought.bearer or self._brought.cookie or ""

    def _session(self) -> Session | None:
        if self._ways.desk is None or not self._acting.actor.token.startswith("session "):
            return None
        try:
            return self._ways.desk.session(self._secret, self._acting.actor.address)
        except SignOnError:
            return None

    def _token(self) -> ApiToken | None:
        if self._ways.tokens is None or self._acting.actor.means is not Means.API_TOKEN:
            return None
        return self._ways.tokens.found(self._secret)
