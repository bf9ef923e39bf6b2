"""The sessions that stand: people see and end their own, administrators all."""

from collections.abc import Callable

from celeriac.access_ports import Session, Sessions
from celeriac.app.access.acting import Acting, done
from celeriac.app.access.api_tokens import is_person
from celeriac.core.access import Right
from celeriac.core.errors import MissingError


class StandingSessions:
    """The sessions that stand: each person's own, and all for administrators."""

    def __init__(self, sessions: Sessions, clock: Callable[[], float]) -> None:
        self._sessions, self._clock = sessions, clock

    def listed(self, acting: Acting) -> list[Session]:
        """Return the actor's own sessions, of an administrator all, the newest first."""
        if acting.may(Right.ADMINISTER):
            found = self._sessions.standing(self._clock())
        elif is_person(acting.actor):
            found = self._sessions.standing(self._clock(), acting.actor.subject)
        else:
            found = []
        return [one for one in found if one.until > self._clock()]

    def end(self, acting: Acting, id: str) -> None:
        """End one, with those of command lines that it let sign on; raises MissingError, and DeniedError where it is somebody else's."""
        found = next((one for one in self._sessions.standing(self._clock()) if one.id == id), None)
        if found is None:
            raise MissingError(f"There is no session {id[:64]!r}.")
        own = is_person(acting.actor) and found.identity.subject == acting.actor.subject
        if not own and not acting.may(Right.ADMINISTER):
            raise acting.denied("end a session", id, "Only its person and administrators end a session.")
        acting.note(done("end a session", found.name or found.identity.subject, f"session {id}, {found.kind}"))
        self._sessions.end(self._clock(), parent=id)
        self._sessions.end(self._clock(), id=id)
