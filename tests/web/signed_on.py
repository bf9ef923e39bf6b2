"""A console with sign-on: the ports of access in memory, and the people, programs and rows of a small team."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field

from msgspec.structs import replace

from celeriac.access_ports import ApiToken, Bearer, Kept, PasswordUser, RoleTable, Session, SignedOn
from celeriac.app.access.api_tokens import ApiTokenDesk
from celeriac.app.access.command_line import CommandLineSignOn
from celeriac.app.access.door import Door
from celeriac.app.access.footing import Footing
from celeriac.app.access.machines import Machines
from celeriac.app.access.password_sign_on import Account, Guarded, PasswordSignOn
from celeriac.app.access.roles import Roles
from celeriac.app.access.sessions import Lasting, Opened, SessionDesk, Visitor
from celeriac.app.access.signing_on import SigningOn
from celeriac.app.access.standing_sessions import StandingSessions
from celeriac.core.access import Grant, Identity, Means, Role, Rule
from celeriac.core.errors import NotTakenError, UnreachableError
from web.samples import World

ADMINS, VIEWERS = "CN=celery-admins,OU=Groups,DC=example", "celery-viewers"
TABLE = (
    Rule(Grant(Role.ADMIN, payloads=True), group="celery-admins"),
    Rule(Grant(Role.RESPONDER, clusters=("orders",)), group="on-call"),
    Rule(Grant(Role.VIEWER), group=VIEWERS),
    Rule(Grant(Role.OPERATOR), client="batch"),
)
PASSWORD = "correct horse battery"
HERE = Visitor("127.0.0.1", "a test")
GLASS = Account("root", PASSWORD, ("127.0.0.0/8",))


@dataclass
class MemorySessions:
    """Sessions by their secrets."""

    kept: dict[str, Session] = field(default_factory=dict)

    def open(self, secret: str, session: Session) -> None:
        self.kept[secret] = session

    def find(self, secret: str) -> Session | None:
        return self.kept.get(secret)

    def asked(self, id: str, now: float) -> None:
        self.kept = {key: replace(one, asked_at=now) if one.id == id else one for key, one in self.kept.items()}

    def standing(self, now: float, subject: str | None = None) -> list[Session]:
        found = [one for one in self.kept.values() if subject in {None, one.identity.subject}]
        return sorted(found, key=lambda one: -one.opened_at)

    def end(
        self,
        now: float,
        *,
        id: str | None = None,
        subject: str | None = None,
        provider_session: str | None = None,
        parent: str | None = None,
    ) -> int:
        wanted = {"id": id, "provider_session": provider_session, "parent": parent}
        over = [
            key
            for key, one in self.kept.items()
            if all(value in {None, getattr(one, name)} for name, value in wanted.items())
            and subject in {None, one.identity.subject}
        ]
        for key in over:
            del self.kept[key]
        return len(over)

    def claim(self, id: str, now: float, for_s: float) -> bool:
        return True

    def change(self, secret: str, session: Session) -> None:
        self.kept[secret] = session


@dataclass
class MemoryTokens:
    """API tokens by the hashes of their secrets."""

    kept: dict[str, ApiToken] = field(default_factory=dict)

    def keep(self, secret: str, token: ApiToken) -> None:
        self.kept[_hash(secret)] = token

    def find(self, secret: str) -> ApiToken | None:
        return self.kept.get(_hash(secret))

    def all(self) -> list[ApiToken]:
        return sorted(self.kept.values(), key=lambda one: -one.made_at)

    def used(self, id: str, now: float, address: str) -> None:
        self._change(id, used_at=now, used_from=address)

    def revoke(self, id: str, now: float, by: str) -> bool:
        return self._change(id, revoked_at=now, revoked_by=by)

    def _change(self, id: str, **change: object) -> bool:
        for key, one in self.kept.items():
            if one.id == id:
                self.kept[key] = replace(one, **change)
                return True
        return False


@dataclass
class MemoryOnce:
    """What is to be taken once."""

    kept: dict[str, Kept] = field(default_factory=dict)

    def put(self, key: str, kept: Kept, now: float) -> None:
        self.kept[key] = kept

    def take(self, key: str, now: float) -> str | None:
        found = self.kept.pop(key, None)
        return found.text if found and found.until > now else None

    def first(self, key: str, now: float, until: float) -> bool:
        return self.kept.setdefault(key, Kept("", until)).until == until


@dataclass
class MemoryAttempts:
    """Tries."""

    failures: Counter[str] = field(default_factory=Counter)

    def tried(self, key: str, now: float, most: int) -> int | None:
        if self.failures[key] >= most:
            return None
        self.failures[key] += 1
        return self.failures[key]

    def take_back(self, key: str) -> None:
        self.failures[key] -= 1

    def count(self, key: str, now: float) -> int:
        return self.failures[key]

    def forget(self, key: str) -> None:
        del self.failures[key]


@dataclass
class MemoryRoleTables:
    """The tables that were put in the place of the settings'."""

    kept: list[RoleTable] = field(default_factory=list)

    def newest(self) -> RoleTable | None:
        return self.kept[-1] if self.kept and self.kept[-1].rules else None

    def change(self, table: RoleTable) -> None:
        self.kept.append(table)

    def history(self, limit: int) -> list[RoleTable]:
        return self.kept[::-1][:limit]


class PlainPasswords:
    """Takes the one password."""

    def fits(self, password: str, hashed: str | None) -> bool:
        return hashed == password


class OneUser:
    """A users file with one person in it."""

    def find(self, name: str) -> PasswordUser | None:
        return PasswordUser(name, PASSWORD, Grant(Role.RESPONDER)) if name == "ursula" else None


@dataclass
class MemoryBearers:
    """The provider's tokens."""

    kept: dict[str, Identity] = field(default_factory=lambda: {"eyJ.batch": Identity("batch", client="batch")})
    gone: bool = False

    def bearer(self, token: str) -> Bearer:
        if self.gone:
            raise UnreachableError("no answer within 5 s")
        if token not in self.kept:
            raise NotTakenError("The token's signature does not fit.")
        return Bearer(self.kept[token], 2e9)


class Team:
    """The sign-on of a console over a world; all that is kept stands open to the tests."""

    def __init__(self, world: World, table: tuple[Rule, ...] = TABLE) -> None:
        self.world = world
        clock, register = lambda: world.time, world.service.register
        self.sessions, self.kept_tokens, self.once = MemorySessions(), MemoryTokens(), MemoryOnce()
        self.attempts, self.tables, self.bearers = MemoryAttempts(), MemoryRoleTables(), MemoryBearers()
        self.roles = Roles(table, self.tables, clock, ("orders", "billing", "mail"))
        footing = Footing(self.roles, "https://id.example", OneUser(), GLASS)
        self.desk = SessionDesk((self.sessions, self.sessions), footing, Lasting(3600, 36_000), register, clock)
        self.command_line = CommandLineSignOn((self.once, self.attempts), self.desk, register, clock)
        self.tokens = ApiTokenDesk(self.kept_tokens, register, clock)
        self.machines = Machines(self.bearers, self.roles.grants, register)
        self.signing_on = SigningOn(
            Door(self.desk, self.tokens, self.machines),
            self.desk,
            passwords=PasswordSignOn(
                Guarded(PlainPasswords(), self.attempts, 5), self.desk, register, clock, users=OneUser()
            ),
            users=True,
            public_url="http://127.0.0.1:5555",
            command_line=self.command_line,
            tokens=self.tokens,
            machines=self.machines,
            standing=StandingSessions(self.sessions, clock),
            roles=self.roles,
        )

    def arrive(self, name: str, *groups: str, means: Means = Means.PROVIDER) -> Opened:
        """Let somebody sign on in a browser."""
        told = SignedOn(Identity(name, groups), name.capitalize(), f"the ID token's claim groups ({len(groups)})")
        return self.desk.open(told, means, HERE)

    def denials(self) -> list[str]:
        return [f"{one.actor}: {one.action}: {one.detail}" for one in self.world.audit.trail if one.outcome == "denied"]


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
