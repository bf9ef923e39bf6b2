"""The client itself: one method a route."""

from collections.abc import Sequence
from typing import TypedDict, Unpack
from urllib.parse import quote

import msgspec

from celeriac.client.access import Access
from celeriac.client.answers import (
    Cluster,
    Incident,
    Observation,
    Order,
    Pause,
    Queue,
    QueueSample,
    Remedy,
    Report,
    Worker,
)
from celeriac.client.apps import Apps
from celeriac.client.audit import Audits
from celeriac.client.casebook_answers import Casualties, Kept
from celeriac.client.checkup_answers import Checkup
from celeriac.client.connection import Items, Time
from celeriac.client.orders import Orders
from celeriac.client.task_answers import Counts, DurationTable, Facets, Histogram, Task, TaskPage


class TaskFilter(TypedDict, total=False):
    """Which tasks: all conditions must hold, of several values of one, any. Texts are parts, whatever their case."""

    state: str | Sequence[str] | None
    name: str | Sequence[str] | None
    worker: str | Sequence[str] | None
    queue: str | Sequence[str] | None
    since: Time | None
    until: Time | None
    runtime_least_s: float | None
    runtime_most_s: float | None
    root_id: str | None
    args: str | None
    kwargs: str | None
    result: str | None
    exception: str | None
    search: str | None


class Celeriac(Access, Apps, Audits, Orders):
    """A connection to one console; use it as a context manager, or call `close`."""

    def clusters(self) -> list[Cluster]:
        """Return the configured clusters."""
        return self._get("/clusters", Items[Cluster]).items

    def workers(self, cluster: str | None = None) -> list[Worker]:
        """Return the workers of one or all clusters."""
        return self._get("/workers", Items[Worker], cluster=cluster).items

    def worker(self, id: str, cluster: str | None = None) -> Worker:
        """Return one worker by id, name or node name."""
        return self._get(f"/workers/{quote(id, safe='')}", Worker, cluster=cluster)

    def tasks(
        self,
        cluster: str | None = None,
        *,
        limit: int = 50,
        cursor: str | None = None,
        **which: Unpack[TaskFilter],
    ) -> TaskPage:
        """Return a page of tasks, newest first; `cursor` is the `next` or `previous` of another page."""
        return self._get("/tasks", TaskPage, cluster=cluster, limit=limit, cursor=cursor, **which)

    def facets(self, cluster: str | None = None, **which: Unpack[TaskFilter]) -> Facets:
        """Count tasks by state, name, worker and queue."""
        return self._get("/tasks/facets", Facets, cluster=cluster, **which)

    def histogram(
        self,
        cluster: str | None = None,
        *,
        step_s: int | None = None,
        buckets: int | None = None,
        **which: Unpack[TaskFilter],
    ) -> Histogram:
        """Count tasks by the time that they were first heard of, in steps or in at most so many buckets."""
        return self._get("/tasks/histogram", Histogram, cluster=cluster, step_s=step_s, buckets=buckets, **which)

    def counts(
        self,
        cluster: str | None = None,
        *,
        since: Time | None = None,
        until: Time | None = None,
        step_s: int | None = None,
        name: str | None = None,
    ) -> Counts:
        """Return what happened step by step, also to tasks that are no longer stored; the last day by default."""
        given = {"since": since, "until": until, "step_s": step_s, "name": name}
        return self._get("/tasks/counts", Counts, cluster=cluster, **given)

    def durations(
        self,
        cluster: str | None = None,
        *,
        since: Time | None = None,
        until: Time | None = None,
        name: str | None = None,
        buckets: bool = False,
        series: bool = False,
    ) -> DurationTable:
        """Return run times and waits by task name; the last day by default."""
        given = {"since": since, "until": until, "name": name, "buckets": buckets or None, "series": series or None}
        return self._get("/tasks/durations", DurationTable, cluster=cluster, **given)

    def task(self, id: str, cluster: str | None = None) -> Task:
        """Return one task, by its id here or by Celery's, where only one cluster has it."""
        return self._get(f"/tasks/{quote(id, safe='')}", Task, cluster=cluster)

    def incidents(self, cluster: str | None = None, *, open: bool = False, limit: int = 100) -> list[Incident]:  # noqa: A002 (the API's word)
        """Return incidents, newest first; `open` leaves out those that are over."""
        return self._get("/incidents", Items[Incident], cluster=cluster, open=open or None, limit=limit).items

    def incident(self, id: str) -> Incident:
        """Return one incident."""
        return self._get(f"/incidents/{quote(id, safe='')}", Incident)

    def report(self, cluster: str | None = None, *, since: Time | None = None) -> Report:
        """Return what `auto` would have restarted, and what became of it without; the last seven days by default."""
        return self._get("/report", Report, cluster=cluster, since=since)

    def casualties(self, incident: str) -> Casualties:
        """Return the tasks that were in flight when the incident's worker died, and what became of them."""
        return self._get(f"/incidents/{quote(incident, safe='')}/tasks", Casualties)

    def evidence(self, incident: str) -> Kept:
        """Return what was kept of the incident's worker before it was killed."""
        return self._get(f"/incidents/{quote(incident, safe='')}/evidence", Kept)

    def snapshot(self, incident: str) -> bytes:
        """Return the moment in which the incident was opened or acted on, for `celeriac plan --snapshot`."""
        return bytes(self._get(f"/incidents/{quote(incident, safe='')}/snapshot", msgspec.Raw))

    def queues(self, cluster: str | None = None) -> list[Queue]:
        """Return the queues of one or all clusters; those first that hold messages and have no consumer."""
        return self._get("/queues", Items[Queue], cluster=cluster).items

    def queue_samples(
        self, id: str, cluster: str | None = None, *, since: Time | None = None, until: Time | None = None
    ) -> list[QueueSample]:
        """Return a queue's samples, oldest first, by its id or its name; the last hour by default."""
        path = f"/queues/{quote(id, safe='')}/samples"
        return self._get(path, Items[QueueSample], cluster=cluster, since=since, until=until).items

    def observation(self, cluster: str | None = None) -> list[Observation]:
        """Return how well one or all clusters are heard."""
        return self._get("/observation", Items[Observation], cluster=cluster).items

    def doctor(self, cluster: str | None = None) -> Checkup:
        """Check what Celeriac can see and do on one or all clusters; it takes some seconds."""
        return self._get("/doctor", Checkup, cluster=cluster)

    def remedy(self, id: str) -> Remedy:
        """Return how far an order is."""
        return self._get(f"/remedies/{quote(id, safe='')}", Remedy)

    def hold(self, incident: str, reason: str) -> Order:
        """Have the keeper do nothing for an incident until somebody releases it."""
        return self._post(f"/incidents/{quote(incident, safe='')}/hold", Order, reason=reason)

    def release(self, incident: str, reason: str = "") -> Order:
        """Have the keeper judge an incident again that somebody holds."""
        return self._post(f"/incidents/{quote(incident, safe='')}/release", Order, reason=reason)

    def close_incident(self, incident: str, reason: str = "") -> Order:
        """End an incident's story."""
        return self._post(f"/incidents/{quote(incident, safe='')}/close", Order, reason=reason)

    def order(self, id: str) -> Order:
        """Return how far an order to hold, release or close is."""
        return self._get(f"/orders/{quote(id, safe='')}", Order)

    def pauses(self, cluster: str | None = None) -> list[Pause]:
        """Return the pauses that stand."""
        return self._get("/pauses", Items[Pause], cluster=cluster).items

    def pause(self, reason: str, for_s: float, cluster: str | None = None) -> Pause:
        """Let nothing be restarted for so long, on one cluster or on all."""
        return self._post("/pause", Pause, reason=reason, for_s=for_s, cluster=cluster)

    def resume(self, cluster: str | None = None) -> list[Pause]:
        """End the pauses that stand, and return them."""
        return self._post("/resume", Items[Pause], cluster=cluster).items
