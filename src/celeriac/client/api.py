"""The client itself: one method a route, one error for all that can go wrong."""

from types import TracebackType
from typing import Any, Generic, Self, TypeVar
from urllib.parse import quote

import httpx2
import msgspec
from msgspec import Struct

from celeriac.client.answers import App, Cluster, Incident, Remedy, Task, TaskPage, Worker

T = TypeVar("T")
DEFAULT_URL = "http://127.0.0.1:5555"


class ClientError(Exception):
    """The console refused, or could not be reached; `status` is None where it did not answer."""

    def __init__(self, detail: str, title: str = "", status: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.title = title
        self.status = status


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
        state: str | None = None,
        name: str | None = None,
        worker: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> TaskPage:
        """Return a page of tasks, newest first; `worker` is a node name."""
        wanted = {"cluster": cluster, "state": state, "name": name, "worker": worker, "limit": limit, "cursor": cursor}
        return self._get("/tasks", TaskPage, **wanted)

    def task(self, id: str) -> Task:
        """Return one task, by its id here or by Celery's."""
        return self._get(f"/tasks/{quote(id, safe='')}", Task)

    def incidents(self, cluster: str | None = None, *, open: bool = False, limit: int = 100) -> list[Incident]:  # noqa: A002 (the API's word)
        """Return incidents, newest first; `open` leaves out those that are over."""
        return self._get("/incidents", _Items[Incident], cluster=cluster, open=open or None, limit=limit).items

    def incident(self, id: str) -> Incident:
        """Return one incident."""
        return self._get(f"/incidents/{quote(id, safe='')}", Incident)

    def apps(self, cluster: str | None = None) -> list[App]:
        """Return the watched apps."""
        return self._get("/apps", _Items[App], cluster=cluster).items

    def remedy(self, id: str) -> Remedy:
        """Return how far an order is."""
        return self._get(f"/remedies/{quote(id, safe='')}", Remedy)

    def restart(self, worker: str) -> Remedy:
        """Order the restart of a worker's instance; the remedy returned tells later how it went."""
        return self._post(f"/workers/{quote(worker, safe='')}/restart", Remedy)

    def approve(self, incident: str) -> Remedy:
        """Approve what an incident is held for."""
        return self._post(f"/incidents/{quote(incident, safe='')}/approve", Remedy)

    def _get(self, path: str, answer: type[T], **params: Any) -> T:
        given = {name: value for name, value in params.items() if value is not None}
        return self._ask("GET", path, answer, given)

    def _post(self, path: str, answer: type[T]) -> T:
        return self._ask("POST", path, answer, {})

    def _ask(self, method: str, path: str, answer: type[T], params: dict[str, Any]) -> T:
        try:
            response = self._http.request(method, path, params=params)
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
