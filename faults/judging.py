"""Right or wrong: what was seen of a row beside what must come of it. No clock, no input, no output."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from celeriac.client import Incident
from faults.expected import CONVICTIONS, Expected
from faults.watch import Look

KEEPER, PERSON = "celeriac", "deployer"
PROPOSED_FROM = 3
"""Where so many of an app are ill its rolling restart is proposed, in an incident of the app."""


@dataclass(frozen=True)
class Story:
    """What was seen of one row; times in seconds since the epoch, `restarts` as (worker, actor)."""

    fault_at: float
    ill: frozenset[str]
    looks: tuple[Look, ...]
    incidents: tuple[Incident, ...]
    restarts: tuple[tuple[str, str], ...]
    last: dict[str, str]
    """The verdict of each worker at the end."""

    approved: frozenset[str] = frozenset()
    first_beats: dict[str, float] = field(default_factory=dict)
    """When the worker of each guid was first heard to beat."""
    notes: tuple[str, ...] = ()
    """Those of the whole cluster."""


@dataclass(frozen=True)
class Judgement:
    """What the table shows of a row; `wrong` holds a sentence for each thing that is not as it must be."""

    verdict: str
    after_s: float | None
    remedy: str
    proof: str
    wrong: tuple[str, ...]
    proven_s: float | None = None
    """From the new process's first heartbeat to the proof that it is back, where there is a new process."""


def judge(expected: Expected, story: Story) -> Judgement:
    """Compare a story with what must come of its row."""
    shown = [look for look in story.looks if look.at >= story.fault_at]
    words = _words(story, shown)
    first = next((at for at, verdict in words if verdict in expected.verdicts and verdict != "healthy"), None)
    given = [
        one for one in dict.fromkeys(verdict for _, verdict in words) if one in CONVICTIONS or one in expected.verdicts
    ]
    acts = _acts(story)
    wrong = [
        *_wrong_verdicts(expected, story, given),
        *_wrong_remedies(expected, story, acts),
        *_wrong_of_siblings(story, shown),
        *_wrong_notes(expected, story),
        *_wrong_end(expected, story),
    ]
    return Judgement(
        verdict=", ".join(one for one in given if one != "healthy") or "healthy",
        after_s=round(max(0.0, first - story.fault_at), 1) if first else None,
        remedy=", ".join(f"{what}{' (approved)' if approved else ''}" for what, approved in acts) or "none",
        proof=_proof(story),
        wrong=tuple(wrong),
        proven_s=_proven_after(story),
    )


def _words(story: Story, shown: list[Look]) -> list[tuple[float, str]]:
    """Return each verdict that ill workers were given: shown, or in an incident, where it passes between two looks."""
    words = [(look.at, look.verdict) for look in shown if look.worker in story.ill]
    words += [(one.opened_at.timestamp(), one.verdict) for one in _of(story, story.ill)]
    return sorted(words)


def _acts(story: Story) -> list[tuple[str, bool]]:
    """Return what Celeriac did for ill workers: from its incidents, since a repair leaves no trace on the platform."""
    done = []
    for one in _of(story, story.ill):
        done += [(one.remedy, one.id in story.approved) for step in one.steps if step.kind == "acted"]
    return done


def _of(story: Story, names: Iterable[str]) -> list[Incident]:
    return [one for one in story.incidents if one.worker_name in names]


def _wrong_verdicts(expected: Expected, story: Story, given: list[str]) -> list[str]:
    found = []
    never = not given or given == ["healthy"]
    if not set(given) & set(expected.verdicts) and not (never and ("healthy" in expected.verdicts or expected.alone)):
        found.append(f"never {' or '.join(expected.verdicts)}")
    found += [f"called {one}" for one in given if one not in expected.verdicts and one not in expected.way]
    if expected.proven and "crashed" in given and not any(one.state == "resolved" for one in _of(story, story.ill)):
        found.append("never proven back")
    return found


def _wrong_remedies(expected: Expected, story: Story, acts: list[tuple[str, bool]]) -> list[str]:
    found = []
    kinds = [what for what, _ in acts]
    if expected.remedies and not kinds and not expected.alone:
        waits = [f"{one.state}: {one.held_reason or ''}".strip(": ") for one in _of(story, story.ill)]
        found.append(f"no remedy ({'; '.join(waits) or 'no incident'})")
    if len(kinds) > len(story.ill):
        found.append(f"{len(kinds)} remedies")
    found += [f"remedy {one}, which is not wanted" for one in dict.fromkeys(kinds) if one not in expected.remedies]
    if kinds and any(one.state != "resolved" for one in _of(story, story.ill) if _acted(one)):
        found.append("the remedy is not proven")
    made = [name for name, actor in story.restarts if actor == KEEPER and name in story.ill]
    if "restart_instance" not in expected.remedies and made:
        found.append(f"restarted {', '.join(made)}")
    return found


def _wrong_of_siblings(story: Story, shown: list[Look]) -> list[str]:
    found = [
        f"sibling {look.worker} called {look.verdict}"
        for look in shown
        if look.worker not in story.ill and look.verdict in CONVICTIONS
    ]
    found += [
        f"sibling {name} restarted by {actor}"
        for name, actor in story.restarts
        if name not in story.ill and actor != PERSON
    ]
    offered = {name.partition("/")[0] for name in story.ill} if len(story.ill) >= PROPOSED_FROM else set()
    siblings = {one.worker_name for one in story.incidents} - story.ill - offered
    found += [f"an incident about sibling {one.worker_name} ({one.verdict})" for one in _of(story, siblings)]
    return list(dict.fromkeys(found))


def _wrong_notes(expected: Expected, story: Story) -> list[str]:
    notes = [note for look in story.looks if look.worker in story.ill for note in look.notes]
    if expected.note and not any(expected.note in note for note in notes):
        return [f"no note that says {expected.note!r}"]
    if expected.told and not any(expected.told in note for note in story.notes):
        return [f"no note of the cluster that says {expected.told!r}"]
    return [f"a note of the cluster: {note}" for note in story.notes if not expected.told or expected.told not in note]


def _wrong_end(expected: Expected, story: Story) -> list[str]:
    wanted = set(story.last) if expected.back else set(story.last) - story.ill
    ill = [
        f"{name} {verdict}" for name, verdict in sorted(story.last.items()) if name in wanted and verdict != "healthy"
    ]
    return [f"at the end: {', '.join(ill)}"] if ill else []


def _acted(incident: Incident) -> bool:
    return any(step.kind == "acted" for step in incident.steps)


def _proven_after(story: Story) -> float | None:
    for one in _of(story, story.ill):
        if one.state != "resolved" or one.resolved_at is None or not (one.verdict == "crashed" or _acted(one)):
            continue
        until = one.resolved_at.timestamp()
        new = [look.guid for look in story.looks if look.worker == one.worker_name and look.at <= until][-1:]
        beat = story.first_beats.get(new[0] or "") if new else None
        if beat is not None and beat >= story.fault_at:
            return round(max(0.0, until - beat), 1)
    return None


def _proof(story: Story) -> str:
    incidents = _of(story, story.ill)
    if not incidents:
        return "none wanted: no incident"
    last = incidents[-1]
    if last.state == "resolved":
        return f"verified: {last.steps[-1].text}" if last.verdict == "crashed" or _acted(last) else last.steps[-1].text
    return f"{last.state}: {last.steps[-1].text}"
