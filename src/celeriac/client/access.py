"""What can be asked and ordered of access through the client."""

from collections.abc import Sequence
from urllib.parse import quote

from celeriac.client.access_answers import ApiToken, MadeApiToken, Opened, RoleTable, Rule, Session, Who, Why
from celeriac.client.connection import Connection, Items


class Access(Connection):
    """Who asks, sessions, API tokens and roles."""

    def whoami(self) -> Who:
        """Return who asks, and what they may do."""
        return self._get("/whoami", Who)

    def why(self) -> Why:
        """Return why whoever asks has their role."""
        return self._get("/roles/mine", Why)

    def open_session(self, code: str, verifier: str) -> Opened:
        """Trade the code that a browser brought back for a token, with the verifier of the challenge that it was asked for."""
        return self._post("/sessions", Opened, code=code, verifier=verifier)

    def sign_off(self) -> None:
        """End the session that this connection's token is of."""
        self._delete("/session")

    def sessions(self) -> list[Session]:
        """Return one's own sessions, an administrator's call all."""
        return self._get("/sessions", Items[Session]).items

    def end_session(self, id: str) -> None:
        """End one of them."""
        self._delete(f"/sessions/{quote(id, safe='')}")

    def tokens(self) -> list[ApiToken]:
        """Return the API tokens that one has made, an administrator's call all."""
        return self._get("/tokens", Items[ApiToken]).items

    def make_token(
        self,
        name: str,
        role: str,
        *,
        clusters: Sequence[str] = (),
        apps: Sequence[str] = (),
        payloads: bool = False,
        days: int = 90,
    ) -> MadeApiToken:
        """Make an API token that carries at most what one has oneself."""
        given = {"clusters": list(clusters), "apps": list(apps), "payloads": payloads, "days": days}
        return self._post("/tokens", MadeApiToken, name=name, role=role, **given)

    def revoke_token(self, id: str) -> ApiToken:
        """Revoke an API token."""
        return self._ask("DELETE", f"/tokens/{quote(id, safe='')}", ApiToken, {})

    def roles(self) -> RoleTable:
        """Return the table of roles that holds."""
        return self._get("/roles", RoleTable)

    def change_roles(self, rules: Sequence[Rule], why: str) -> RoleTable:
        """Let other rows hold; none give the table back to the settings."""
        names = ("group", "client", "scope", "role", "clusters", "apps", "payloads")
        rows = [{name: getattr(one, name) for name in names} for one in rules]
        return self._put("/roles", RoleTable, rules=rows, why=why)
