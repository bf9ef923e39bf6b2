"""The API's first version: reads and orders, each a few words over `Queries` and `Commands`.

A worker's name may hold a slash (`orders-worker/0`), so its paths take the rest of the address.
"""

from http import HTTPStatus
from typing import Annotated, Generic, TypeVar

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from celeriac.app.views import AppView, ClusterView, IncidentView, RemedyView, TaskView, WorkerView
from celeriac.web.deps import Actor, Orders, Reads
from celeriac.web.errors import responses

T = TypeVar("T")


class Items(BaseModel, Generic[T]):
    """A list; `next` is the cursor of the page after it, if there is one."""

    items: list[T]
    next: str | None = None


Cluster = Annotated[str | None, Query(description="only this cluster")]
WorkerId = Annotated[str, Path(description="id, name (`orders-worker/0`) or node name")]
IncidentId = Annotated[str, Path(description="the incident's id")]

UNSTORED = HTTPStatus.SERVICE_UNAVAILABLE
MISSING = responses(HTTPStatus.NOT_FOUND, UNSTORED)
LISTED = responses(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY, UNSTORED)
AMBIGUOUS = responses(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, UNSTORED)
ORDERED = responses(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, UNSTORED)

router = APIRouter(prefix="/api/v1")


@router.get("/clusters", tags=["clusters"], summary="List the configured clusters", responses=responses(UNSTORED))
def clusters(queries: Reads) -> Items[ClusterView]:
    """Return every cluster with its mode, the keeper's last word and the number of workers by verdict."""
    return Items(items=queries.clusters())


@router.get("/clusters/{id}", tags=["clusters"], summary="Show one cluster", responses=MISSING)
def cluster(id: str, queries: Reads) -> ClusterView:
    """Return one cluster."""
    return queries.cluster(id)


@router.get("/workers", tags=["workers"], summary="List workers with their verdicts", responses=LISTED)
def workers(queries: Reads, cluster: Cluster = None) -> Items[WorkerView]:
    """Return the workers of one or all clusters, by name."""
    return Items(items=queries.workers(cluster))


@router.post(
    "/workers/{id:path}/restart",
    tags=["workers"],
    summary="Order the restart of a worker's instance",
    status_code=HTTPStatus.ACCEPTED,
    responses=ORDERED,
)
def restart(id: WorkerId, commands: Orders, actor: Actor) -> RemedyView:
    """Store the order, bound to the instance that runs now; the keeper carries it out and verifies it."""
    return commands.restart(id, actor)


@router.get("/workers/{id:path}", tags=["workers"], summary="Show one worker", responses=AMBIGUOUS)
def worker(id: WorkerId, queries: Reads, cluster: Cluster = None) -> WorkerView:
    """Return one worker; a name that several workers have is a conflict whose detail lists them with their ids."""
    return queries.worker(id, cluster)


@router.get("/tasks", tags=["tasks"], summary="List tasks, newest first", responses=LISTED)
def tasks(
    queries: Reads,
    cluster: Cluster = None,
    state: Annotated[str | None, Query(description="Celery's state, such as `FAILURE`")] = None,
    name: Annotated[str | None, Query(description="the task's full name")] = None,
    worker: Annotated[str | None, Query(description="node name")] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="how many at most")] = 50,
    cursor: Annotated[str | None, Query(description="`next` of the page before")] = None,
) -> Items[TaskView]:
    """Return a page of tasks, merged over clusters."""
    page = queries.tasks(cluster, state=state, name=name, worker=worker, limit=limit, cursor=cursor)
    return Items(items=page.items, next=page.next)


@router.get("/tasks/{id}", tags=["tasks"], summary="Show one task", responses=MISSING)
def task(id: str, queries: Reads) -> TaskView:
    """Return one task by its id here, or by Celery's own id."""
    return queries.task(id)


@router.get("/incidents", tags=["incidents"], summary="List incidents, newest first", responses=LISTED)
def incidents(
    queries: Reads,
    cluster: Cluster = None,
    open_only: Annotated[bool, Query(alias="open", description="only those that are not over")] = False,
    limit: Annotated[int, Query(ge=1, le=500, description="how many at most")] = 100,
) -> Items[IncidentView]:
    """Return incidents with their evidence and their story."""
    return Items(items=queries.incidents(cluster, open_only=open_only, limit=limit))


@router.get("/incidents/{id}", tags=["incidents"], summary="Show one incident", responses=MISSING)
def incident(id: IncidentId, queries: Reads) -> IncidentView:
    """Return one incident with its evidence and its story."""
    return queries.incident(id)


@router.post(
    "/incidents/{id}/approve",
    tags=["incidents"],
    summary="Approve what an incident is held for",
    status_code=HTTPStatus.ACCEPTED,
    responses=ORDERED,
)
def approve(id: IncidentId, commands: Orders, actor: Actor) -> RemedyView:
    """Store the approval; the keeper diagnoses again and acts only if the evidence still stands."""
    return commands.approve(id, actor)


@router.get("/apps", tags=["apps"], summary="List the watched apps", responses=LISTED)
def apps(queries: Reads, cluster: Cluster = None) -> Items[AppView]:
    """Return the apps with the platform's state and our verdict side by side."""
    return Items(items=queries.apps(cluster))


@router.get("/remedies/{id}", tags=["remedies"], summary="Show one remedy", responses=MISSING)
def remedy(id: str, queries: Reads) -> RemedyView:
    """Return how far an order is."""
    return queries.remedy(id)
