"""A console with a door over a store in memory: sessions, tokens and tables are kept in real SQLite."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import FastAPI
from fastapi.testclient import TestClient

from celeriac.access_ports import PasswordUser, Provider
from celeriac.adapters.passwords import Argon2Passwords
from celeriac.adapters.sql import SqlStore
from celeriac.app.access.api_tokens import ApiTokenDesk
from celeriac.app.access.command_line import CommandLineSignOn
from celeriac.app.access.door import Door
from celeriac.app.access.footing import Footing
from celeriac.app.access.password_sign_on import Account, Guarded, PasswordSignOn
from celeriac.app.access.provider_sign_on import ProviderSignOn
from celeriac.app.access.roles import Roles
from celeriac.app.access.sessions import Lasting, SessionDesk, Visitor, by_password
from celeriac.app.access.signing_on import SigningOn
from celeriac.app.access.standing_sessions import StandingSessions
from celeriac.core.access import Grant, Means, Role, Rule
from celeriac.settings import ConsoleSettings
from celeriac.web.app import create_app
from web.samples import World

PASSWORD = "correct horse battery"
HASHED = Argon2Passwords().hash(PASSWORD)
HERE = "http://127.0.0.1:5555"
ISSUER = "https://id.example"
LASTING = Lasting(idle_s=4 * 3600, longest_s=12 * 3600, refresh_s=600, reauthorise_s=8 * 3600)

PEOPLE = {
    "ada": Grant(Role.ADMIN, payloads=True),
    "rob": Grant(Role.RESPONDER),
    "olga": Grant(Role.OPERATOR),
    "vera": Grant(Role.VIEWER),
    "bill": Grant(Role.RESPONDER, ("billing",)),
    "apollo": Grant(Role.RESPONDER, ("orders",), ("another-app",)),
}
TABLE = tuple(Rule(Grant(role, payloads=role is Role.ADMIN), group=f"celeriac-{role}s") for role in (*reversed(Role),))


@dataclass
class People:
    """`Users` in memory."""

    grants: dict[str, Grant] = field(default_factory=lambda: dict(PEOPLE))
    hashed: str = HASHED

    def find(self, name: str) -> PasswordUser | None:
        return PasswordUser(name, self.hashed, self.grants[name]) if name in self.grants else None


class Entrance:
    """Ways into a world's console; `make` gives clients that are strangers to each other."""

    def __init__(
        self,
        world: World,
        directory: Path,
        provider: Provider | None = None,
        glass: Account | None = None,
        url: str = HERE,
        users: bool | None = None,
    ) -> None:
        users = provider is None if users is None else users
        self.world, self.people, self.table = world, People(), TABLE
        self.apps: dict[str, FastAPI] = {}
        self.store = SqlStore(directory, ())
        self.store.migrate()
        register, clock = world.service.register, self.clock
        self.roles = Roles(self.table, self.store.role_tables(), clock)
        sessions = self.store.sessions()
        footing = Footing(self.roles, ISSUER, self.people, glass)
        self.desk = SessionDesk((sessions, sessions), footing, LASTING, register, clock, provider)
        self.tokens = ApiTokenDesk(self.store.api_tokens(), register, clock)
        passwords = PasswordSignOn(
            Guarded(Argon2Passwords(), self.store.attempts(), 5),
            self.desk,
            register,
            clock,
            users=self.people if users else None,
            break_glass=(glass, self.store.break_glass()) if glass else None,
        )
        self.signing_on = SigningOn(
            Door(self.desk, self.tokens),
            self.desk,
            ProviderSignOn(provider, self.store.once(), self.desk, register, clock) if provider else None,
            passwords if glass or users else None,
            users=users,
            public_url=url,
            command_line=CommandLineSignOn((self.store.once(), self.store.attempts()), self.desk, register, clock),
            tokens=self.tokens,
            standing=StandingSessions(self.store.sessions(), clock),
            roles=self.roles,
        )

    def clock(self) -> float:
        return self.world.time

    def make(self, url: str = HERE, client: tuple[str, int] = ("127.0.0.1", 4711), **settings: object) -> TestClient:
        key = repr(sorted(settings.items()))
        if key not in self.apps:
            self.apps[key] = create_app(self.world.service, self.signing_on, ConsoleSettings(**settings))
        return TestClient(self.apps[key], base_url=url, follow_redirects=False, client=client)

    def enter(self, name: str) -> TestClient:
        """Return a client that holds a session of somebody, without the time that a password takes."""
        asked = self.make()
        opened = self.desk.open(by_password(name), Means.PASSWORD, Visitor("127.0.0.1"))
        asked.cookies.set("celeriac", opened.secret)
        return asked

    def signed_on(self, name: str, url: str = HERE, **settings: object) -> TestClient:
        """Return a client that has signed on with its password."""
        asked = self.make(url, **settings)
        answer = asked.post("/login", data={"name": name, "password": PASSWORD}, headers=OWN)
        assert answer.status_code == 303, answer.text
        return asked


OWN = {"sec-fetch-site": "same-origin"}
Making = Callable[..., Entrance]
