"""From the store's values to what people see (`views`): one function a noun."""

import base64
import binascii

from celeriac.app.order_views import OrderView
from celeriac.app.passing import passes
from celeriac.app.recycling import no_recycling
from celeriac.app.task_views import TaskView
from celeriac.app.views import (
    EvidenceView,
    HearingView,
    IncidentView,
    InstanceView,
    QueueSampleView,
    QueueView,
    RemedyView,
    StepView,
    WorkerView,
    moment,
    sure_moment,
)
from celeriac.core.finding import Finding
from celeriac.core.guard import Scene
from celeriac.core.handling import refused
from celeriac.core.incident import Deed, HeldReason, Incident, Remedy, RemedyKind, Word
from celeriac.core.memory import Board
from celeriac.core.model import Incarnation, Instance, Pool
from celeriac.core.queues import QueueSample
from celeriac.core.snapshot import Stream
from celeriac.core.tasks import Task
from celeriac.core.waits import waited

RENAMED = {"arriving": "arriving_per_s", "completing": "completing_per_s"}
"""Fields of a queue's sample whose names say their unit where people see them."""


def worker_view(
    finding: Finding,
    board: Board,
    lives: dict[str, Incarnation],
    stream: Stream | None,
    incidents: dict[str, str],
    scene: Scene | None,
) -> WorkerView:
    """Return a worker as people see it: its newest life, the keeper's finding, and its open incident."""
    site = finding.site
    stored = site.incarnation if site else None
    one = lives.get(stored.key, stored) if stored else None
    pool = board.pools.get(one.key, Pool("")) if one else Pool("")
    beat = one.last_heartbeat_at if one else None
    age = max(0.0, stream.observed_at - beat) if stream and beat is not None else None
    return WorkerView(
        id=finding.place.id,
        cluster=finding.place.cluster,
        name=finding.place.name,
        node=one.node if one else None,
        status=finding.status,
        verdict=finding.verdict,
        suspect=finding.suspect,
        notes=list(finding.notes),
        last_heartbeat_at=moment(beat),
        heartbeat_age_s=None if age is None else round(age, 1),
        pid=one.pid if one else None,
        pool=pool.kind or None,
        concurrency=pool.concurrency,
        active=one.active if one else None,
        processed=one.processed if one else None,
        queues=list(pool.queues),
        instance=_instance(site.instance) if site and site.instance else None,
        software=one.software if one else None,
        incident=incidents.get(finding.place.id),
        passes=passes(finding, scene),
        not_recyclable=no_recycling(finding, board),
    )


def _instance(instance: Instance) -> InstanceView:
    return InstanceView(
        instance.platform, instance.app, instance.process, instance.index, instance.guid, instance.state.value
    )


def task_view(task: Task, cluster: str, *, payloads: bool) -> TaskView:
    """Return a task as people see it, with what came and went or without; it waited from when it was due until it began."""
    return TaskView(
        id=opaque_pair(cluster, task.uuid),
        cluster=cluster,
        uuid=task.uuid,
        name=task.name,
        state=task.state,
        args=task.args if payloads else None,
        kwargs=task.kwargs if payloads else None,
        result=task.result if payloads else None,
        payloads_hidden=not payloads,
        exception=task.exception,
        worker=task.worker,
        queue=task.queue,
        sent_at=moment(task.sent_at),
        received_at=moment(task.received_at),
        started_at=moment(task.started_at),
        finished_at=moment(task.finished_at),
        runtime_s=task.runtime,
        wait_s=waited(task),
        retries=task.retries,
        root_id=task.root_id,
        parent_id=task.parent_id,
        eta=task.eta,
        expires=task.expires,
        traceback=task.traceback,
    )


def hearing_view(heard: Stream | None, now: float) -> HearingView:
    """Return what an observer says of itself as people see it; nothing yet, if None."""
    stream = heard or Stream(observed_at=0.0)
    last = stream.last_event_at
    return HearingView(
        reader=stream.reader,
        events_seen=stream.events,
        events_lost_estimate=stream.lost_events,
        tasks_lost=stream.lost_tasks,
        malformed=stream.malformed,
        refused=stream.refused,
        dropped=stream.dropped,
        unknown_types=stream.unknown_types,
        reconnects=stream.reconnects,
        cuts=stream.cuts,
        gaps=stream.gaps,
        lag_s=None if stream.lag_s is None else round(stream.lag_s, 3),
        last_event_at=moment(last),
        last_event_age_s=None if last is None else round(max(0.0, now - last), 1),
        observed_at=moment(heard.observed_at) if heard else None,
        backlog_bytes=stream.backlog_bytes,
        rows_written=stream.rows,
        error=stream.error,
        store_error=stream.store_error,
        flowing_since=moment(stream.flowing_since),
    )


def queue_view(sample: QueueSample, cluster: str, consuming: int | str) -> QueueView:
    """Return a queue as people see it; `consuming` is the number of workers that take from it, or why it is not known."""
    consumers, by = sample.consumers, "broker"
    unknown = {RENAMED.get(field, field): why for field, why in sample.unknown.items()}
    if consumers is None and isinstance(consuming, int):
        consumers, by = consuming, "workers"
        unknown.pop("consumers", None)
    elif consumers is None:
        unknown["consumers"] = str(consuming)
    return QueueView(
        id=opaque_pair(cluster, sample.name),
        cluster=cluster,
        name=sample.name,
        depth=sample.depth,
        ready=sample.ready,
        unacked=sample.unacked,
        consumers=consumers,
        consumers_by=by if consumers is not None else None,
        arriving_per_s=sample.arriving,
        completing_per_s=sample.completing,
        oldest_s=sample.oldest_s,
        oldest_how=sample.oldest_how,
        unknown=unknown,
        unconsumed=sample.depth > 0 and consumers == 0,
        at=sure_moment(sample.at),
    )


def queue_sample_view(sample: QueueSample) -> QueueSampleView:
    """Return one look at a queue as people see it."""
    return QueueSampleView(
        at=sure_moment(sample.at),
        depth=sample.depth,
        ready=sample.ready,
        unacked=sample.unacked,
        consumers=sample.consumers,
        arriving_per_s=sample.arriving,
        completing_per_s=sample.completing,
        oldest_s=sample.oldest_s,
    )


def incident_view(incident: Incident, passing: list[str]) -> IncidentView:
    """Return an incident as people see it; `passing` is what its approval would pass."""
    return IncidentView(
        id=incident.id,
        cluster=incident.cluster,
        app=incident.place.app,
        worker=incident.place.id,
        worker_name=incident.place.name,
        verdict=incident.verdict,
        state=incident.state,
        held_reason=incident.held_reason,
        opened_at=sure_moment(incident.opened_at),
        resolved_at=moment(incident.resolved_at),
        evidence=[
            EvidenceView(one.signal, one.reading, sure_moment(one.at), one.rules_out) for one in incident.evidence
        ],
        steps=[StepView(sure_moment(one.at), one.kind, one.text) for one in incident.steps],
        remedy=incident.remedy,
        repair=incident.repair.text if incident.repair else None,
        approvable=approvable(incident),
        holdable=not incident.held_by and refused(incident, Deed.HOLD) is None,
        closable=refused(incident, Deed.CLOSE) is None,
        held_by=incident.held_by,
        held_why=incident.held_why,
        critical=incident.critical,
        passes=passing if approvable(incident) else [],
        turns=[one.name for one in incident.members] if incident.remedy is RemedyKind.RESTART_APP else [],
    )


def approvable(incident: Incident) -> bool:
    """Tell whether a person's approval would let the keeper act on this incident."""
    waits = incident.held_reason not in {None, HeldReason.UNMAPPED, HeldReason.PAUSED, HeldReason.HELD_BY_USER}
    return waits and not incident.over and incident.remedy not in {RemedyKind.NONE, RemedyKind.ALERT}


def remedy_view(remedy: Remedy) -> RemedyView:
    """Return a remedy as people see it."""
    return RemedyView(
        id=remedy.id,
        cluster=remedy.cluster,
        worker=remedy.place.id,
        kind=remedy.kind,
        state=remedy.state,
        incident=remedy.incident,
        asked_at=sure_moment(remedy.asked_at),
        actor=remedy.actor,
        note=remedy.note,
    )


def order_view(word: Word) -> OrderView:
    """Return what a person wants to be done, as people see it."""
    return OrderView(
        id=word.id,
        cluster=word.cluster,
        incident=word.incident,
        kind=word.deed,
        state=word.state,
        asked_at=sure_moment(word.asked_at),
        actor=word.actor,
        reason=word.why,
        note=word.note,
    )


def opaque_pair(*parts: str) -> str:
    """Return a reversible URL-safe id for these parts."""
    return base64.urlsafe_b64encode("\0".join(parts).encode()).decode().rstrip("=")


def parts_of(id: str) -> tuple[str, ...]:
    """Return the parts of such an id; nothing if it is none."""
    try:
        text = base64.urlsafe_b64decode(id + "=" * (-len(id) % 4)).decode()
    except (binascii.Error, ValueError):
        return ()
    return tuple(text.split("\0"))
