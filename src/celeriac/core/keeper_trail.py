"""What the keeper does, as the audit trail has it: each change of a remedy, an escalation or a person's word is one row.

A cycle that changes nothing is no row. The rows are of what has been journalled, so an intent is told before it is sent.
"""

from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from celeriac.core.access import KEEPER
from celeriac.core.audit import AuditEntry, Outcome
from celeriac.core.incident import Incident, IncidentState, Remedy, RemedyState, Word, WordState
from celeriac.core.memory import Changes

ACTIONS: dict[RemedyState, tuple[str, Outcome]] = {
    RemedyState.INTENDED: ("decide remedy", Outcome.ORDERED),
    RemedyState.ACTED: ("send remedy", Outcome.DONE),
    RemedyState.VERIFIED: ("verify remedy", Outcome.DONE),
    RemedyState.UNVERIFIED: ("give up remedy", Outcome.FAILED),
    RemedyState.LAPSED: ("let remedy lapse", Outcome.FAILED),
    RemedyState.REFUSED: ("remedy refused", Outcome.FAILED),
}
REPEAT = "repeat remedy"
STEP = "go on with remedy"
ESCALATE = "escalate incident"
WORDS = {WordState.DONE: ("carry out word", Outcome.DONE), WordState.LAPSED: ("let word lapse", Outcome.FAILED)}
PROVED = frozenset({RemedyState.VERIFIED, RemedyState.UNVERIFIED})


class Known(Struct):
    """What the journal held before a commit, by id."""

    incidents: Mapping[str, Incident] = {}
    remedies: Mapping[str, Remedy] = {}


def rows(known: Known, changes: Changes, now: float) -> tuple[AuditEntry, ...]:
    """Return what one commit adds to the audit trail, remedies first."""
    incidents = {**known.incidents, **{one.id: one for one in changes.incidents}}
    guids = {one.place: one.guid for one in changes.board.findings} if changes.board else {}
    told: list[AuditEntry] = []
    for remedy in changes.remedies:
        there = guids.get(remedy.place) if remedy.state in PROVED else None
        told += _remedy_rows(known.remedies.get(remedy.id), remedy, incidents.get(remedy.incident or ""), there)
    for incident in changes.incidents:
        told += _escalations(known.incidents.get(incident.id), incident)
    for word in changes.words:
        told += _word_rows(word, incidents.get(word.incident))
    return tuple(replace(one, at=now, actor=KEEPER.called, token=KEEPER.means.value) for one in told)


def _remedy_rows(
    before: Remedy | None, remedy: Remedy, incident: Incident | None, there: str | None
) -> Iterator[AuditEntry]:
    """Yield at most one row; `there` is the guid that runs at the remedy's place now, where that bears on it."""
    if remedy.state is RemedyState.REQUESTED:
        return  # whoever ordered it has a row of their own
    if before is None or before.state is not remedy.state:
        action, outcome = ACTIONS[remedy.state]
    elif before.step is not remedy.step:
        action, outcome = STEP, Outcome.ORDERED
    elif before.attempts < remedy.attempts:
        action, outcome = REPEAT, Outcome.ORDERED
    else:
        return
    yield AuditEntry(
        0.0,
        "",
        action,
        incident.place.name if remedy.place.whole and incident else remedy.place.name,
        _detail(remedy, incident),
        remedy.cluster,
        outcome,
        before=_joined(before.state if before else incident.verdict if incident else "", _guid(remedy.guid)),
        after=_joined(remedy.state, _scaled(remedy), _guid(there if there != remedy.guid else None)),
        why=_why(remedy, incident),
    )


def _escalations(before: Incident | None, incident: Incident) -> Iterator[AuditEntry]:
    if incident.state is not IncidentState.ESCALATED or (before and before.state is IncidentState.ESCALATED):
        return
    yield AuditEntry(
        0.0,
        "",
        ESCALATE,
        incident.place.name,
        f"incident {incident.id}, {incident.verdict}",
        incident.cluster,
        Outcome.DONE,
        before=before.state.value if before else "",
        after=incident.state.value,
        why=_last_step(incident),
    )


def _word_rows(word: Word, incident: Incident | None) -> Iterator[AuditEntry]:
    if word.state not in WORDS:
        return
    action, outcome = WORDS[word.state]
    target = incident.place.name if incident else f"incident {word.incident}"
    why = _joined(f"{word.deed} ordered by {word.actor}", word.why, word.note)
    detail = f"{word.deed}, order {word.id}, incident {word.incident}"
    state = incident.state.value if incident else ""
    yield AuditEntry(
        0.0, "", action, target, detail, word.cluster, outcome, before=WordState.REQUESTED.value, after=state, why=why
    )


def _detail(remedy: Remedy, incident: Incident | None) -> str:
    what = remedy.repair.text if remedy.repair else remedy.step.value if remedy.step else None
    times = f"attempt {remedy.attempts}" if remedy.attempts > 1 else None
    within = f"part of order {remedy.part_of}" if remedy.part_of else None
    told = f"incident {incident.id}" if incident else None
    return ", ".join(filter(None, [remedy.kind.value, what, times, f"remedy {remedy.id}", within, told]))


def _why(remedy: Remedy, incident: Incident | None) -> str:
    """Return who ordered it, and what led to this: the proof where it is decided, afterwards the story's newest line."""
    ordered = f"order {remedy.id} given by {remedy.actor}" if remedy.by_person else None
    if remedy.state is RemedyState.INTENDED and remedy.attempts <= 1 and remedy.step is None and incident:
        proof = "; ".join(f"{one.signal}: {one.reading}" for one in incident.evidence)
        return _joined(ordered, proof or _last_step(incident))
    return _joined(ordered, remedy.note or (_last_step(incident) if incident else ""))


def _scaled(remedy: Remedy) -> str | None:
    one = remedy.scale
    return f"process {one.process} from {one.before} to {one.wanted} instances" if one else None


def _last_step(incident: Incident) -> str:
    return incident.steps[-1].text if incident.steps else ""


def _guid(guid: str | None) -> str | None:
    return f"guid {guid}" if guid else None


def _joined(*parts: str | None) -> str:
    return "; ".join(str(part) for part in parts if part)
