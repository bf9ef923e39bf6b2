"""Sessions of people: opened when they sign on, found by a secret, refreshed while they last, ended."""

import secrets
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from msgspec import Struct
from msgspec.structs import replace

from celeriac.access_ports import Provider, Renewals, Session, SessionKind, Sessions
from celeriac.app.access.acting import Register
from celeriac.app.access.refreshing import Refreshing
from celeriac.core.access import Actor, Grant, Identity, Means
from celeriac.core.errors import DeniedError, NotTakenError, SignOnError, StaleSignOnError
from celeriac.core.signon import SignedOn
from celeriac.ports import AuditEntry, Outcome

SECRET_BYTES = 32
COMMAND_LINE = "cls_"
"""How the secret of a command line's session begins."""

NOTED_EACH_S = 60.0


class Lasting(Struct, frozen=True):
    """How long sessions last, in seconds; see `[access.session]` and `[access.oidc]`."""

    idle_s: float
    longest_s: float
    refresh_s: float = 600.0
    reauthorise_s: float = float("inf")


class Visitor(NamedTuple):
    """Where somebody comes from."""

    address: str
    agent: str = ""


class Opened(NamedTuple):
    """A session, and the secret that finds it: the one time that this is told."""

    secret: str
    session: Session


class Ground(Protocol):
    """What sessions stand on."""

    def of(self, session: Session, address: str) -> str | None:
        """Return what must stay the same while a session lasts; None where it cannot hold, or not from this address."""

    def grants(self, session: Session) -> tuple[Grant, ...]:
        """Return what the person of a session may do now."""


class SessionDesk:
    """Opens, finds and ends sessions; one whose ground is not that of its sign-on has ended."""

    def __init__(
        self,
        kept: tuple[Sessions, Renewals],
        ground: Ground,
        lasting: Lasting,
        register: Register,
        clock: Callable[[], float],
        provider: Provider | None = None,
    ) -> None:
        self._sessions = kept[0]
        self._ground, self._lasting, self._register, self._clock = ground, lasting, register, clock
        self._provider = provider
        self._refreshing = Refreshing(kept, provider, lasting.refresh_s, clock, self._read_again)

    def open(self, told: SignedOn, means: Means, visitor: Visitor) -> Opened:
        """Open the session of a person who has signed on; raises DeniedError where they have no role."""
        now = self._clock()
        session = Session(
            id=secrets.token_hex(8),
            kind=SessionKind.BROWSER,
            means=means,
            identity=told.identity,
            opened_at=now,
            asked_at=now,
            until=now + self._lasting.longest_s,
            authorised_at=now,
            name=told.name,
            groups_from=told.groups_from,
            refresh_at=now + self._lasting.refresh_s if told.refresh_token else None,
            provider_session=told.provider_session,
            id_token=told.id_token,
            refresh_token=told.refresh_token,
            address=visitor.address,
            agent=visitor.agent,
        )
        session = replace(session, stands_on=self._ground.of(session, visitor.address) or "")
        return self._opened(secrets.token_urlsafe(SECRET_BYTES), session, visitor)

    def open_beside(self, secret: str, visitor: Visitor) -> Opened:
        """Open a session for the command line of a person who has one in the browser; it has no refresh token of its own."""
        own, now = self._found(secret, visitor.address), self._clock()
        until = min(own.until, own.authorised_at + self._lasting.reauthorise_s)
        session = replace(
            own,
            id=secrets.token_hex(8),
            kind=SessionKind.COMMAND_LINE,
            parent=own.id,
            opened_at=now,
            asked_at=now,
            until=until,
            refresh_at=None,
            id_token=None,
            refresh_token=None,
            address=visitor.address,
            agent=visitor.agent,
        )
        return self._opened(COMMAND_LINE + secrets.token_urlsafe(SECRET_BYTES), session, visitor)

    def _opened(self, secret: str, session: Session, visitor: Visitor) -> Opened:
        actor = self._actor(session, visitor.address)
        how = f"{session.means}, {session.kind}; by {session.groups_from or 'no groups'}"
        if not actor.grants:
            text = f"no group of {actor.called} has a role here ({how})"
            self._register.note(actor, AuditEntry(0.0, "", "sign on", "console", text, outcome=Outcome.DENIED))
            raise DeniedError(
                f"You have signed on as {actor.called}, and no group of yours has a role here. Where groups were read: "
                f"{session.groups_from or 'nowhere, as none were told'}. An administrator of Celeriac can give one a role."
            )
        self._sessions.open(secret, session)
        self._register.note(actor, AuditEntry(0.0, "", "sign on", "console", how))
        return Opened(secret, session)

    def actor(self, secret: str, address: str, *, active: bool, kind: SessionKind | None = None) -> Actor:
        """Return who holds a secret; `active` tells that a person did something, and not their page by itself.

        Raises SignOnError where the session has ended, or is of another `kind` than what brings it along; DeniedError where
        its person has no role any more.
        """
        now = self._clock()
        session = self._found(secret, address)
        if kind not in {None, session.kind}:
            raise SignOnError(f"This is the secret of a {session.kind}'s session, and good for nothing else.")
        session = self._refreshed(secret, session)
        if active and now - session.asked_at >= NOTED_EACH_S:
            self._sessions.asked(secret, now)
        actor = self._actor(session, address)
        if not actor.grants:
            raise DeniedError(f"{actor.called} has no role here any more.")
        return actor

    def session(self, secret: str, address: str) -> Session:
        """Return the session itself."""
        return self._found(secret, address)

    def end(self, secret: str, address: str) -> Session | None:
        """End one session, as its person wants it; None where there is none."""
        session = self._sessions.find(secret)
        if session is not None:
            self._end(session)
            self._note(session, address, "sign off", "as its person wanted")
        return session

    def end_those_of(self, provider_session: str | None, subject: str | None, address: str) -> int:
        """End the sessions that the provider has ended; returns how many they were."""
        ended = self._sessions.end(self._clock(), provider_session=provider_session, subject=subject)
        who = Actor(subject or "the provider", means=Means.PROVIDER, address=address)
        entry = AuditEntry(0.0, "", "sign off", "console", f"{ended} sessions, as the provider wanted")
        self._register.note(who, entry)
        return ended

    def _found(self, secret: str, address: str) -> Session:
        session, now = self._sessions.find(secret), self._clock()
        if session is None:
            unknown = Actor("somebody unknown", address=address)
            text = "the cookie or token names no session: it has ended, or was made up"
            entry = AuditEntry(0.0, "", "sign on", "console", text, outcome=Outcome.DENIED)
            self._register.seldom(unknown, entry)
            raise SignOnError("This session has ended. Sign on again.")
        if self._ground.of(session, address) != session.stands_on:
            self._end(session)
            self._note(session, address, "sign off", "its password, settings or address are not those of its sign-on")
            raise SignOnError("This session has ended: what it stood on has changed. Sign on again.")
        for why in self._over(session, now):
            self._sessions.end(now, id=session.id)
            self._note(session, address, "sign off", why)
            raise SignOnError(f"This session has ended: {why}. Sign on again.")
        if self._to_be_shown(session, now):
            raise StaleSignOnError("The provider must say anew who you are. Sign on again.")
        return session

    def _over(self, session: Session, now: float) -> Iterator[str]:
        if now >= session.until:
            yield "it lasted as long as a session may"
        if now - session.asked_at >= self._lasting.idle_s:
            yield "nobody did anything for too long"

    def _to_be_shown(self, session: Session, now: float) -> bool:
        """Tell whether the provider must see a person again, which ends no session: while it does not answer, nobody could.

        PingFederate keeps groups with the grant, so that a refresh may go on to tell one that somebody has left.
        """
        if session.means is not Means.PROVIDER or self._provider is None:
            return False
        return now - session.authorised_at >= self._lasting.reauthorise_s and self._provider.available()

    def _refreshed(self, secret: str, session: Session) -> Session:
        try:
            return self._refreshing.newest(secret, session)
        except NotTakenError as error:
            self._end(session)
            self._note(session, session.address, "sign off", f"the provider gives no refresh: {error}")
            raise SignOnError("The provider has ended this session. Sign on again.") from None

    def _read_again(self, session: Session, renewed: Session) -> None:
        before, after = _grants_text(self._ground.grants(session)), _grants_text(self._ground.grants(renewed))
        if before != after:
            entry = AuditEntry(0.0, "", "roles read again", "console", before=before, after=after)
            self._register.note(self._actor(renewed, session.address), entry)

    def _end(self, session: Session) -> None:
        """End a session, and first those of command lines that it let sign on."""
        now = self._clock()
        self._sessions.end(now, parent=session.id)
        self._sessions.end(now, id=session.id)

    def _actor(self, session: Session, address: str) -> Actor:
        grants = self._ground.grants(session)
        return Actor(session.identity.subject, grants, session.means, session.name, address, f"session {session.id}")

    def _note(self, session: Session, address: str, action: str, detail: str) -> None:
        self._register.note(self._actor(session, address), AuditEntry(0.0, "", action, "console", detail))


def _grants_text(grants: tuple[Grant, ...]) -> str:
    return "; ".join(one.text for one in grants) or "no role"


def by_password(name: str, means: Means = Means.PASSWORD) -> SignedOn:
    """Return what is known of somebody who signs on with a password."""
    return SignedOn(Identity(name), name, "the settings" if means is Means.BREAK_GLASS else "the users file")
