"""The ports of sign-on, of the same kind as `celeriac.ports`: who people are, what they hold, and what is kept of it.

Every method may raise a `PortError` (`core.errors`) and nothing else, and returns within its adapter's own time limit.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from celeriac.core.access import Grant, Identity, Means, Rule
from celeriac.core.signon import Bearer, Begun, LoggedOut, SignedOn


class Provider(Protocol):
    """An OpenID provider and its people. What it does not stand for raises `NotTakenError`; no answer, UnreachableError."""

    def begin(self, redirect_uri: str) -> Begun:
        """Return where to send a browser that is to sign on."""

    def finish(self, begun: Begun, redirect_uri: str, answer: Mapping[str, str]) -> SignedOn:
        """Return who has signed on, from what the browser brought back."""

    def refresh(self, refresh_token: str, subject: str) -> SignedOn:
        """Return the same person as they are now, with the new refresh token also where their groups cannot be read."""

    def leave(self, id_token: str | None, back_to: str) -> str | None:
        """Return where to send a browser that signs off, None where the provider has no such place, or none is known."""

    def logged_out(self, logout_token: str) -> LoggedOut:
        """Return whose sessions the provider ends (OpenID Connect Back-Channel Logout 1.0)."""

    def available(self) -> bool:
        """Tell whether it answers; it is not asked more often than every some seconds."""


class Bearers(Protocol):
    """What an OpenID provider says of programs' tokens; raises as `Provider` does."""

    def bearer(self, token: str) -> Bearer:
        """Return whose access token this is."""


class PasswordUser(Struct, frozen=True):
    """Somebody who signs on with a password that is checked here; the hash is argon2's, with its parameters in it."""

    name: str
    hash: str
    grant: Grant


class Users(Protocol):
    """The people of a users file."""

    def find(self, name: str) -> PasswordUser | None:
        """Return one of them."""


class Passwords(Protocol):
    """Checks passwords, slowly on purpose."""

    def fits(self, password: str, hashed: str | None) -> bool:
        """Tell whether a password is the one; with no hash it takes as long and says no.

        Raises ThrottledError while too many are being checked.
        """


class SessionKind(StrEnum):
    """What holds a session."""

    BROWSER = "browser"
    COMMAND_LINE = "command line"


class Session(Struct, frozen=True):
    """A person who has signed on. Times are seconds since the epoch.

    `id` names it and is no secret. `asked_at` is when its person last did something, `until` its hard end, `authorised_at`
    when the provider last saw the person, `refresh_at` when groups are to be read again, None for never. `parent` is the id
    of the browser's session that let a command line sign on. `stands_on` is what must still be so for it to hold: the
    issuer, or a digest of the password's hash.
    """

    id: str
    kind: SessionKind
    means: Means
    identity: Identity
    opened_at: float
    asked_at: float
    until: float
    authorised_at: float
    name: str = ""
    groups_from: str = ""
    refresh_at: float | None = None
    provider_session: str | None = None
    id_token: str | None = None
    refresh_token: str | None = None
    address: str = ""
    agent: str = ""
    parent: str | None = None
    stands_on: str = ""


class Sessions(Protocol):
    """The sessions of all consoles; each is found by a secret that is stored nowhere, and its tokens are sealed with it."""

    def open(self, secret: str, session: Session) -> None:
        """Keep a new session."""

    def find(self, secret: str) -> Session | None:
        """Return the session of a secret, also one that is past its time, as long as it has not been ended."""

    def asked(self, secret: str, now: float) -> None:
        """Keep that the person has done something; does nothing where the session has been ended meanwhile."""

    def standing(self, now: float, subject: str | None = None) -> list[Session]:
        """Return the sessions that have not ended, of one subject or of all, the newest first, without tokens and groups."""

    def end(
        self,
        now: float,
        *,
        id: str | None = None,
        subject: str | None = None,
        provider_session: str | None = None,
        parent: str | None = None,
    ) -> int:
        """End the sessions that fit all that is given (at least one is), forget those past their time; return how many ended."""


class Renewals(Protocol):
    """What is read of people anew while their sessions last."""

    def claim(self, id: str, now: float, for_s: float) -> bool:
        """Take it upon oneself to refresh a session; false while another has done so, for at most so many seconds."""

    def change(self, secret: str, session: Session) -> None:
        """Keep a session as it is now; does nothing where it has been ended meanwhile.

        Of one that is older than what is kept (by `authorised_at` and `refresh_at`) only `asked_at` is taken.
        """


class ApiToken(Struct, frozen=True):
    """A token that a person made for a program. `id` names it and is no secret.

    `made_by` is its maker's subject, and `maker` what they are called.
    """

    id: str
    name: str
    grant: Grant
    made_by: str
    made_at: float
    until: float
    used_at: float | None = None
    used_from: str = ""
    revoked_at: float | None = None
    revoked_by: str = ""
    maker: str = ""


class ApiTokens(Protocol):
    """Celeriac's own tokens; only hashes of them are stored."""

    def keep(self, secret: str, token: ApiToken) -> None:
        """Keep a new one."""

    def find(self, secret: str) -> ApiToken | None:
        """Return the token of a secret, also one that is revoked or past its time."""

    def all(self) -> list[ApiToken]:
        """Return all that are kept, the newest first."""

    def used(self, id: str, now: float, address: str) -> None:
        """Keep when and from where one was last used; not more often than once a minute."""

    def revoke(self, id: str, now: float, by: str) -> bool:
        """Revoke one; false if there is none of this id that stands."""


class Kept(Struct, frozen=True):
    """Something that is to be taken once: a sign-on under way, or a code for the command line."""

    text: str
    until: float


class Once(Protocol):
    """What must not happen twice, over all consoles; a key is `kind:secret`, and each kind has a bound of its own."""

    def put(self, key: str, kept: Kept, now: float) -> None:
        """Keep something to be taken once, until its time; raises RefusedError if too much is kept."""

    def take(self, key: str, now: float) -> str | None:
        """Return and forget it; None if it was taken, is past its time or never was."""

    def first(self, key: str, now: float, until: float) -> bool:
        """Tell whether this key is seen for the first time; it is remembered so long. RefusedError if too many are."""


class Attempts(Protocol):
    """Tries to sign on that were wrong, or are under way; a key is `kind:of what`, and each kind has a bound of its own."""

    def tried(self, key: str, now: float, most: int) -> int | None:
        """Count a try before it is looked at, and return how many there were within the last quarter of an hour.

        None, and uncounted, where there were `most` already: of many at the same time no more than these are looked at.
        """

    def take_back(self, key: str) -> None:
        """Uncount the newest try, which was right or was not looked at."""

    def count(self, key: str, now: float) -> int:
        """Return how many there were within the last quarter of an hour."""

    def forget(self, key: str) -> None:
        """Count anew."""


class RoleTable(Struct, frozen=True):
    """The table of roles as somebody has changed it."""

    rules: tuple[Rule, ...]
    at: float
    by: str
    why: str = ""


class RoleTables(Protocol):
    """The table of roles, where it was changed here, and what it was before."""

    def newest(self) -> RoleTable | None:
        """Return the table that holds, None if it was never changed here or was given back to the settings."""

    def change(self, table: RoleTable) -> None:
        """Let a table hold from now on; one without rules gives it back to the settings."""

    def history(self, limit: int) -> list[RoleTable]:
        """Return the newest ones, the newest first."""


class BreakGlassUse(Struct, frozen=True):
    """One use of the break-glass account, and who has seen it since."""

    id: str
    at: float
    name: str
    address: str
    seen_at: float | None = None
    seen_by: str = ""


class BreakGlass(Protocol):
    """The uses of the break-glass account."""

    def used(self, use: BreakGlassUse) -> None:
        """Keep one."""

    def uses(self, *, unseen_only: bool = False, limit: int = 100) -> list[BreakGlassUse]:
        """Return them, the newest first."""

    def seen(self, id: str, now: float, by: str) -> bool:
        """Keep that an administrator has seen one; false if there is none of this id to see."""


class Trail(Protocol):
    """Where each row of the audit trail goes besides the store: standard output, or syslog."""

    def tell(self, line: bytes) -> None:
        """Send one line of JSON, without its end; never raises, and never waits long: a row that is lost here is counted."""
