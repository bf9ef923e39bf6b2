"""Proof that a remedy worked, from later readings only: what the platform answered to the order proves nothing."""

from msgspec import Struct
from msgspec.structs import replace

from celeriac.core import story
from celeriac.core.blindness import blindness
from celeriac.core.finding import Finding
from celeriac.core.incident import Incident, IncidentState, Remedy, RemedyState
from celeriac.core.limits import Limits
from celeriac.core.model import InstanceState, Verdict
from celeriac.core.readings import Known, Unknown
from celeriac.core.repair import RepairKind
from celeriac.core.snapshot import Seen


class Proof(Struct, frozen=True):
    """One thing that must be seen, whether it was, and the sentence for it."""

    name: str
    seen: bool
    text: str


def verify(
    incident: Incident, remedy: Remedy | None, finding: Finding | None, seen: Seen, limits: Limits
) -> tuple[Incident, Remedy | None]:
    """Move an incident that waits for proof: resolved, escalated at its deadline, or waiting on."""
    now = seen.at
    incident = _count_pongs(incident, finding, seen, limits)
    mended = remedy is not None and remedy.repair is not None
    proofs = prove_repair(remedy, finding, seen, limits) if mended else prove(incident, finding, seen, limits)
    if all(proof.seen for proof in proofs):
        incident = story.resolved(incident, now, "; ".join(proof.text for proof in proofs))
        return incident, _ended(remedy, RemedyState.VERIFIED, now)
    if _clock_stands(finding, seen, limits):
        left = story.patience(finding, limits) if finding else limits.verify_least_s
        incident = replace(incident, deadline_at=now + left)
    if incident.deadline_at is not None and now > incident.deadline_at:
        missing = "; ".join(proof.text for proof in proofs if not proof.seen)
        incident = story.told(
            incident, now, "escalated", f"not proven in time: {missing}", state=IncidentState.ESCALATED
        )
        return incident, _ended(remedy, RemedyState.UNVERIFIED, now)
    return incident, remedy


def _count_pongs(incident: Incident, finding: Finding | None, seen: Seen, limits: Limits) -> Incident:
    """Count the pings that the new instance answers in a row; they stand for heartbeats where none are sent."""
    if not _new_life(incident, finding).seen or not _pings(finding, seen).seen:
        return replace(incident, pongs=0)
    return replace(incident, pongs=min(incident.pongs + 1, limits.verify_beats))


def prove(incident: Incident, finding: Finding | None, seen: Seen, limits: Limits) -> tuple[Proof, ...]:
    """Return every proof that a restarted worker must give, in the order in which they come."""
    return (
        _new_life(incident, finding),
        _beats(incident, finding, limits),
        _pings(finding, seen),
        _consumes(finding, seen),
        _works(finding, seen, limits),
    )


def prove_repair(remedy: Remedy | None, finding: Finding | None, seen: Seen, limits: Limits) -> tuple[Proof, ...]:
    """Return every proof that a worker which was repaired must give: the same process has what it lacked, and works."""
    return (
        _same_life(remedy, finding),
        _pings(finding, seen),
        _mended(remedy, finding, seen),
        _began(remedy, finding, seen, limits),
    )


def _same_life(remedy: Remedy | None, finding: Finding | None) -> Proof:
    same = remedy is not None and finding is not None and (remedy.node, remedy.pid) == (finding.node, finding.pid)
    return Proof("process", same, "the same process" if same else "another process is there now")


def _mended(remedy: Remedy | None, finding: Finding | None, seen: Seen) -> Proof:
    repair, node = remedy.repair if remedy else None, finding.node if finding else None
    reading = seen.inspected.get(node or "")
    if repair is None:
        return Proof("repair", seen=False, text="nothing was to be repaired")
    if repair.kind is RepairKind.REVOKE:
        held = [one.id for one in seen.stuck.get(node or "", ())]
        gone = repair.what not in held
        return Proof("repair", gone, f"the task {repair.what} {'holds its slot no more' if gone else 'still runs'}")
    if not isinstance(reading, Known):
        return Proof("repair", seen=False, text="it does not say what it consumes")
    if repair.kind is RepairKind.POOL_GROW:
        processes = reading.value.processes or 0
        return Proof("repair", processes > 0, f"its pool has {processes} processes")
    consumes = repair.what in reading.value.queues
    return Proof("repair", consumes, f"it consumes {repair.what} {'again' if consumes else 'not yet'}")


def _began(remedy: Remedy | None, finding: Finding | None, seen: Seen, limits: Limits) -> Proof:
    """A task begun since the repair, if work waits for it."""
    one, acted_at = finding.site.incarnation if finding and finding.site else None, remedy.acted_at if remedy else None
    if one is not None and acted_at is not None and (one.last_start_at or 0.0) >= acted_at:
        return Proof("work", seen=True, text="began a task")
    waiting = [name for name in _queues(finding, seen) if _waited(seen, name, limits)]
    if waiting:
        return Proof("work", seen=False, text=f"began no task though {', '.join(waiting)} has waited long")
    return Proof("work", seen=True, text="idle: no task waits for it")


def _new_life(incident: Incident, finding: Finding | None) -> Proof:
    instance = finding.site.instance if finding and finding.site else None
    guid = instance.guid if instance else None
    running = instance is not None and instance.state is InstanceState.RUNNING
    if guid and guid != incident.guid and running:
        return Proof("instance", seen=True, text=f"RUNNING with the new guid {guid}")
    state = instance.state.value if instance else "not there"
    if instance and instance.details:
        state = f"{state}: {instance.details}"
    return Proof("instance", seen=False, text=f"no new instance runs yet (it is {state})")


def _beats(incident: Incident, finding: Finding | None, limits: Limits) -> Proof:
    one = finding.site.incarnation if finding and finding.site else None
    well = finding is not None and finding.well
    if one is not None and not one.beats and incident.pongs >= limits.verify_beats:
        return Proof("heartbeats", well, f"{incident.pongs} pings answered by {one.node}, which sends no heartbeats")
    beats = one.beats if one else 0
    return Proof(
        "heartbeats", beats >= limits.verify_beats and well, f"{beats} heartbeats of {one.node if one else 'it'}"
    )


def _pings(finding: Finding | None, seen: Seen) -> Proof:
    reading = seen.pings.get(finding.node or "") if finding else None
    answered = isinstance(reading, Known) and reading.value
    return Proof("ping", answered, "answers a ping" if answered else "no answer to a ping")


def _consumes(finding: Finding | None, seen: Seen) -> Proof:
    queues = _queues(finding, seen)
    return Proof("consumers", bool(queues), f"consumes {', '.join(queues)}" if queues else "consumes no queue")


def _works(finding: Finding | None, seen: Seen, limits: Limits) -> Proof:
    """A task there, if work waits; a queue that was empty lately proves nothing against it."""
    one = finding.site.incarnation if finding and finding.site else None
    if one is not None and one.last_task_at is not None:
        return Proof("work", seen=True, text="took a task")
    waiting = [name for name in _queues(finding, seen) if _waited(seen, name, limits)]
    if waiting:
        return Proof("work", seen=False, text=f"took no task though {', '.join(waiting)} has waited long")
    return Proof("work", seen=True, text="idle: no task waits for it")


def _queues(finding: Finding | None, seen: Seen) -> tuple[str, ...]:
    """Return the queues that it says to consume now."""
    reading = seen.inspected.get(finding.node or "") if finding else None
    return reading.value.queues if isinstance(reading, Known) else ()


def _waited(seen: Seen, queue: str, limits: Limits) -> bool:
    waiting = seen.waiting.get(queue)
    return waiting is not None and waiting.since is not None and seen.at - waiting.since >= limits.waited_s


def _clock_stands(finding: Finding | None, seen: Seen, limits: Limits) -> bool:
    """While the platform waits before its own restart, or we cannot see, hear or ask anybody, the deadline does not run.

    What cannot be told of this worker alone may stay so for ever, and people are to know.
    """
    if isinstance(seen.platform, Unknown):
        return True
    if finding is None:
        return False
    if finding.verdict is Verdict.CRASHED:
        instance = finding.site.instance if finding.site else None
        waited = instance.uptime_s if instance else None
        return waited is None or waited <= limits.longest_backoff_s
    unasked = isinstance(seen.pings.get(finding.node or ""), Unknown)
    return finding.verdict is Verdict.BLIND and (unasked or blindness(seen, limits) is not None)


def _ended(remedy: Remedy | None, state: RemedyState, now: float) -> Remedy | None:
    return replace(remedy, state=state, ended_at=now) if remedy else None
