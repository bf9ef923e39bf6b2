"""What people do with an incident by their own word: hold it, let it go again, close it."""

from collections.abc import Callable

from msgspec.structs import replace

from celeriac.core import story
from celeriac.core.desk import Desk
from celeriac.core.incident import Deed, Ending, HeldReason, Incident, IncidentState, Word, WordState

_UNDER_WAY = frozenset({IncidentState.REMEDYING, IncidentState.VERIFYING})


def refused(incident: Incident | None, deed: Deed) -> str | None:
    """Return why this cannot be done with the incident as it stands, or None if it can."""
    if incident is None or incident.over:
        return "the incident is over"
    if deed is Deed.RELEASE:
        return None if incident.held_by else "nobody holds it"
    if incident.state in _UNDER_WAY:
        return "a restart is under way, and its proof is awaited"
    if deed is Deed.HOLD and incident.state is IncidentState.ESCALATED:
        return "it is escalated: nothing is done for it anyway"
    return None


def handle(desk: Desk, word: Word, now: float) -> None:
    """Do what a person wants with an incident, or say why not."""
    incident = next((one for one in desk.incidents.values() if one.id == word.incident), None)
    no = refused(incident, word.deed)
    if incident is None or no is not None:
        desk.words.append(replace(word, state=WordState.LAPSED, ended_at=now, note=no))
        return
    desk.put(_DEEDS[word.deed](incident, word, now))
    desk.words.append(replace(word, state=WordState.DONE, ended_at=now))


def _hold(incident: Incident, word: Word, now: float) -> Incident:
    held = replace(incident, held_by=word.actor, held_why=word.why)
    return story.held(held, HeldReason.HELD_BY_USER, f"{word.actor} holds it: {word.why}", now)


def _release(incident: Incident, word: Word, now: float) -> Incident:
    """From here on it is judged as if nobody had held it; what is escalated stays so."""
    held = incident.state is IncidentState.HELD
    state = IncidentState.OPEN if held else incident.state
    text = f"{word.actor} lets it go{_because(word)}"
    return story.told(incident, now, "released", text, state=state, held_reason=None, held_by=None, held_why=None)


def _close(incident: Incident, word: Word, now: float) -> Incident:
    return story.told(
        incident,
        now,
        "closed",
        f"{word.actor} closed it{_because(word)}",
        state=IncidentState.CLOSED,
        ending=Ending.CLOSED,
        held_reason=None,
        resolved_at=now,
    )


def _because(word: Word) -> str:
    return f": {word.why}" if word.why else ""


_DEEDS: dict[Deed, Callable[[Incident, Word, float], Incident]] = {
    Deed.HOLD: _hold,
    Deed.RELEASE: _release,
    Deed.CLOSE: _close,
}
