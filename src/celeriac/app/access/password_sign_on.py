"""Signing on with a password that is checked here: the users file, and the break-glass account."""

import ipaddress
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from msgspec import Struct

from celeriac.access_ports import Attempts, BreakGlass, BreakGlassUse, Passwords, Users
from celeriac.app.access.acting import Register
from celeriac.app.access.pace import origin
from celeriac.app.access.sessions import Opened, SessionDesk, Visitor, by_password
from celeriac.core.access import Actor, Means
from celeriac.core.errors import NotTakenError, ThrottledError
from celeriac.ports import AuditEntry, Outcome

LOCKED_S = 900.0
PER_ADDRESS = 4
"""Behind one address sit several people: it takes so many times the tries of a name."""

PER_NAME = 20
"""From all addresses together a name takes so many times the tries; beyond them only known places may try it."""

MOST_PLACES = 10_000

WRONG = "This name and password do not fit."


class Account(Struct, frozen=True):
    """The break-glass account: its name, the hash of its password, and the networks it may sign on from."""

    name: str
    hash: str
    networks: tuple[str, ...]

    def reachable_from(self, address: str) -> bool:
        """Tell whether it may sign on from an address."""
        try:
            at = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(at, ipaddress.IPv6Address) and at.ipv4_mapped:
            at = at.ipv4_mapped
        return any(at in ipaddress.ip_network(one) for one in self.networks)


class Guarded(NamedTuple):
    """What passwords are checked by and counted with."""

    passwords: Passwords
    attempts: Attempts
    tries: int


class PasswordSignOn:
    """The sign-on with a password; without `users` only the break-glass account can.

    A name is locked where the wrong tries come from, so that nobody locks it for its person, who is elsewhere.
    """

    def __init__(
        self,
        guarded: Guarded,
        desk: SessionDesk,
        register: Register,
        clock: Callable[[], float],
        *,
        users: Users | None = None,
        break_glass: tuple[Account, BreakGlass] | None = None,
    ) -> None:
        self._guarded, self._desk, self._register, self._clock = guarded, desk, register, clock
        self._users, self._break_glass = users, break_glass
        self._places: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._lock = threading.Lock()

    def sign_on(self, name: str, password: str, visitor: Visitor) -> Opened:
        """Open a session; raises NotTakenError, and ThrottledError where there were too many wrong tries."""
        now = self._clock()
        limits = self._limits(name, visitor.address)
        counted = self._counted(name, limits, visitor, now)
        hashed, means = self._account(name, visitor.address)
        try:
            fits = self._guarded.passwords.fits(password, hashed)
        except ThrottledError:
            self._take_back(limits)
            raise
        if not fits:
            locked = "; now locked for a quarter of an hour" if counted >= self._guarded.tries else ""
            self._refuse(name, f"wrong name or password{locked}", visitor)
            raise NotTakenError(WRONG)
        self._take_back(limits)
        self._guarded.attempts.forget(next(iter(limits)))
        self._remember_place(name, visitor.address)
        if means is Means.BREAK_GLASS and self._break_glass:
            self._break_glass[1].used(BreakGlassUse(secrets.token_hex(8), now, name, visitor.address))
        return self._desk.open(by_password(name, means), means, visitor)

    def _limits(self, name: str, address: str) -> dict[str, int]:
        """Return what a try is counted by, and how many it takes; the first is the name where it is tried from.

        Who tries break-glass from elsewhere than its networks is counted as of a name of its own: they see what they would
        of any name, and lock nothing. From its networks it has no limit over all addresses, as somebody must get in.
        """
        called, place, tries = name.casefold(), origin(address), self._guarded.tries
        glass = self._break_glass[0] if self._break_glass else None
        is_glass = glass is not None and called == glass.name.casefold()
        reachable = glass is not None and is_glass and glass.reachable_from(address)
        if is_glass and not reachable:
            called = f"{called}\n"  # no name has this in it: what people type has no ends of lines
        limits = {f"name and address:{place} {called}": tries, f"address:{place}": tries * PER_ADDRESS}
        if not reachable and (called, place) not in self._places:
            limits[f"name:{called}"] = tries * PER_NAME
        return limits

    def _counted(self, name: str, limits: dict[str, int], visitor: Visitor, now: float) -> int:
        """Count a try before it is looked at, and return the worst count, in tries of a name; raises ThrottledError."""
        done: dict[str, int] = {}
        worst = 0
        for key, most in limits.items():
            count = self._guarded.attempts.tried(key, now, most)
            if count is None:
                self._take_back(done)
                self._refuse(name, f"too many wrong tries of one {key.partition(':')[0]}", visitor)
                msg = "There were too many wrong passwords. Wait a quarter of an hour, then try again."
                raise ThrottledError(msg, after_s=LOCKED_S)
            done[key] = most
            worst = max(worst, count * self._guarded.tries // most)
        return worst

    def _take_back(self, counted: dict[str, int]) -> None:
        for key in counted:
            self._guarded.attempts.take_back(key)

    def _remember_place(self, name: str, address: str) -> None:
        """Keep that a name was signed on from here, as long as the console runs: the limit over all is not for its person."""
        with self._lock:
            self._places[name.casefold(), origin(address)] = None
            self._places.move_to_end((name.casefold(), origin(address)))
            if len(self._places) > MOST_PLACES:
                self._places.popitem(last=False)

    def _account(self, name: str, address: str) -> tuple[str | None, Means]:
        """Return the hash that a password must fit; none where nobody of this name may sign on from here."""
        if self._break_glass and name == self._break_glass[0].name:
            account = self._break_glass[0]
            return account.hash if account.reachable_from(address) else None, Means.BREAK_GLASS
        user = self._users.find(name) if self._users else None
        return user.hash if user else None, Means.PASSWORD

    def _refuse(self, name: str, why: str, visitor: Visitor) -> None:
        who = Actor(f"somebody as {name[:64]!r}", means=Means.PASSWORD, address=visitor.address)
        note = self._register.seldom if why.startswith("too many") else self._register.stranger
        note(who, AuditEntry(0.0, "", "sign on", "console", why, outcome=Outcome.DENIED))
