"""The client itself: one method a route, one error for all that can go wrong."""

from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Generic, Self, TypeAlias, TypedDict, TypeVar, Unpack
from urllib.parse import quote

import httpx2
import msgspec
from msgspec import Struct

from celeriac.client.answers import (
    App,
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
from celeriac.client.casebook_answers import Casualties, Kept
from celeriac.client.task_answers import Counts, DurationTable, Facets, Histogram, Task, TaskPage

T = TypeVar("T")
DEFAULT_URL = "http://127.0.0.1:5555"


class ClientError(Exception):
    """The console refused, or could not be reached; `status` is None where it did not answer."""

    def __init__(self, detail: str, title: str = "", status: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.title = title
        self.status = status


Time: TypeAlias = datetime | float
"""A time with its zone, or seconds since the epoch."""


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


class _Items(Struct, Generic[T], frozen=True):
    items: list[T]


class _Problem(Struct, frozen=True):
    detail: str
    title: str = ""


class Celeriac:
    """A connection to one console; use it as a context manager, or call `close`."""

    def __init__(self, url: str = DEFAULT_URL, token: str | None = None, timeout: float = 10.0) -> None:
        self._url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            self._http = httpx2.Client(base_url=f"{self._url}/api/v1", headers=headers, timeout=timeout)
        except (httpx2.InvalidURL, ValueError) as error:
            msg = f"{url!r} is not an address of a console ({error}). An address looks like {DEFAULT_URL}."
            raise ClientError(msg) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connection."""
        self._http.close()

    def clusters(self) -> list[Cluster]:
        """Return the configured clusters."""
        return self._get("/clusters", _Items[Cluster]).items

    def workers(self, cluster: str | None = None) -> list[Worker]:
        """Return the workers of one or all clusters."""
        return self._get("/workers", _Items[Worker], cluster=cluster).items

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
        return self._get("/incidents", _Items[Incident], cluster=cluster, open=open or None, limit=limit).items

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
        return self._get("/queues", _Items[Queue], cluster=cluster).items

    def queue_samples(
        self, id: str, cluster: str | None = None, *, since: Time | None = None, until: Time | None = None
    ) -> list[QueueSample]:
        """Return a queue's samples, oldest first, by its id or its name; the last hour by default."""
        path = f"/queues/{quote(id, safe='')}/samples"
        return self._get(path, _Items[QueueSample], cluster=cluster, since=since, until=until).items

    def observation(self, cluster: str | None = None) -> list[Observation]:
        """Return how well one or all clusters are heard."""
        return self._get("/observation", _Items[Observation], cluster=cluster).items

    def apps(self, cluster: str | None = None) -> list[App]:
        """Return the watched apps."""
        return self._get("/apps", _Items[App], cluster=cluster).items

    def remedy(self, id: str) -> Remedy:
        """Return how far an order is."""
        return self._get(f"/remedies/{quote(id, safe='')}", Remedy)

    def restart(self, worker: str) -> Remedy:
        """Order the restart of a worker's instance; the remedy returned tells later how it went."""
        return self._post(f"/workers/{quote(worker, safe='')}/restart", Remedy)

    def recycle(self, worker: str) -> Remedy:
        """Order a worker to be ended once its tasks have ended; its platform starts it again."""
        return self._post(f"/workers/{quote(worker, safe='')}/recycle", Remedy)

    def restart_app(self, app: str, cluster: str | None = None) -> Remedy:
        """Order a restart of an app's instances, one at a time; `app` is its id or its name."""
        asked = f"?cluster={quote(cluster, safe='')}" if cluster else ""
        return self._post(f"/apps/{quote(app, safe='')}/restart{asked}", Remedy)

    def approve(self, incident: str) -> Remedy:
        """Approve what an incident is held for."""
        return self._post(f"/incidents/{quote(incident, safe='')}/approve", Remedy)

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
        return self._get("/pauses", _Items[Pause], cluster=cluster).items

    def pause(self, reason: str, for_s: float, cluster: str | None = None) -> Pause:
        """Let nothing be restarted for so long, on one cluster or on all."""
        return self._post("/pause", Pause, reason=reason, for_s=for_s, cluster=cluster)

    def resume(self, cluster: str | None = None) -> list[Pause]:
        """End the pauses that stand, and return them."""
        return self._post("/resume", _Items[Pause], cluster=cluster).items

    def _get(self, path: str, answer: type[T], **params: Any) -> T:
        given = {name: _told(value) for name, value in params.items() if value is not None}
        return self._ask("GET", path, answer, given)

    def _post(self, path: str, answer: type[T], **body: Any) -> T:
        return self._ask("POST", path, answer, {}, body)

    def _ask(
        self, method: str, path: str, answer: type[T], params: dict[str, Any], body: dict[str, Any] | None = None
    ) -> T:
        try:
            response = self._http.request(method, path, params=params, json=body or None)
        except httpx2.TimeoutException as error:
            msg = f"The console at {self._url} did not answer in time. Is it busy, or is something between?"
            raise ClientError(msg) from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            msg = (
                f"There is no console at {self._url} ({error}). Start one with `celeriac serve`, "
                "or name another with --url or CELERIAC_URL."
            )
            raise ClientError(msg) from error
        if response.status_code >= 300:
            raise self._problem(response)
        try:
            return msgspec.json.decode(response.content, type=answer)
        except msgspec.DecodeError as error:
            msg = f"What answers at {self._url} is not a Celeriac console of this version ({error})."
            raise ClientError(msg, status=response.status_code) from error

    def _problem(self, response: httpx2.Response) -> ClientError:
        try:
            problem = msgspec.json.decode(response.content, type=_Problem)
        except msgspec.DecodeError:
            msg = f"What answers at {self._url} is not a Celeriac console: it said {response.status_code}."
            return ClientError(msg, status=response.status_code)
        return ClientError(problem.detail, problem.title, response.status_code)


def _told(value: Any) -> Any:
    """Return a value as an address carries it; several of one name are told one after another."""
    return value.isoformat() if isinstance(value, datetime) else list(value) if isinstance(value, tuple) else value
