"""What the provider says of people anew while their sessions last; a provider that hangs must hold up nobody for long."""

import threading
from collections.abc import Callable

import structlog
from msgspec.structs import replace

from celeriac.access_ports import Provider, Renewals, Session, Sessions
from celeriac.core.errors import RefusedError, UnreachableError
from celeriac.core.signon import SignedOn

CLAIM_S = 45.0
"""Longer than the provider may take for all that a refresh asks of it."""

LATER_S = 30.0
"""A provider that does not answer is asked again, for whomever, after so long."""

MOST_AT_ONCE = 4
"""So many refreshes are under way at a time; whoever comes beside them goes on with the groups that are known."""

log = structlog.get_logger()

Told = Callable[[Session, Session], None]


class Refreshing:
    """Reads groups again when it is time to; `told` hears of each session as it was and as it is now."""

    def __init__(
        self,
        kept: tuple[Sessions, Renewals],
        provider: Provider | None,
        every_s: float,
        clock: Callable[[], float],
        told: Told,
    ) -> None:
        self._sessions, self._renewals = kept
        self._provider, self._every_s, self._clock, self._told = provider, every_s, clock, told
        self._under_way = threading.BoundedSemaphore(MOST_AT_ONCE)
        self._paused_at: float | None = None

    def newest(self, secret: str, session: Session) -> Session:
        """Return a session with its person's groups as they are now, where it is time to ask, and nobody else asks already.

        Raises NotTakenError where the provider gives no refresh any more.
        """
        now = self._clock()
        if self._provider is None or not _due(session, now) or self._pauses(now):
            return session
        if not self._under_way.acquire(blocking=False):
            return session
        try:
            return self._claimed(self._provider, secret, session, now)
        finally:
            self._under_way.release()

    def _pauses(self, now: float) -> bool:
        at = self._paused_at
        return at is not None and at <= now < at + LATER_S

    def _claimed(self, provider: Provider, secret: str, session: Session, now: float) -> Session:
        """Refresh it unless somebody else does.

        Refresh tokens that roll are good once: of several requests at a time one may use it (PingFederate answers the
        others `invalid_grant`).
        """
        if not self._renewals.claim(session.id, now, CLAIM_S):
            return session
        newest = self._sessions.find(secret)
        if newest is None or newest.refresh_token is None or not _due(newest, now):
            return newest or session
        try:
            told = provider.refresh(newest.refresh_token, newest.identity.subject)
        except UnreachableError:
            self._paused_at = self._clock()
            # Twice the pause: where one person's refresh alone fails, everybody else's must have their turn.
            return self._later(secret, newest, 2 * LATER_S)
        except RefusedError as error:
            log.warning("the provider refuses to say anew who somebody is", session=newest.id, why=str(error))
            return self._later(secret, newest, LATER_S)
        return self._renewed(secret, newest, told)

    def _later(self, secret: str, session: Session, after_s: float) -> Session:
        later = replace(session, refresh_at=self._clock() + after_s)
        self._renewals.change(secret, later)
        return later

    def _renewed(self, secret: str, session: Session, told: SignedOn) -> Session:
        renewed = replace(
            session,
            id_token=told.id_token or session.id_token,
            refresh_token=told.refresh_token or session.refresh_token,
        )
        if not told.groups_known:
            log.warning("the groups of a person cannot be read again", session=session.id, why=told.groups_from)
            return self._later(secret, renewed, LATER_S)
        renewed = replace(
            renewed,
            identity=told.identity,
            groups_from=told.groups_from,
            refresh_at=self._clock() + self._every_s,
        )
        self._renewals.change(secret, renewed)
        self._told(session, renewed)
        return renewed


def _due(session: Session, now: float) -> bool:
    return session.refresh_token is not None and session.refresh_at is not None and now >= session.refresh_at
