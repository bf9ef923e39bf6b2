"""The API's first version: reads and orders, each a few words over `Queries` and `Commands`.

A worker's name may hold a slash (`orders-worker/0`), so its paths take the rest of the address.
"""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query

from celeriac.app.views import (
    ClusterView,
    IncidentView,
    ObservationView,
    QueueSampleView,
    QueueView,
    RemedyView,
    WorkerView,
)
from celeriac.web.api.answers import (
    AMBIGUOUS,
    LISTED,
    MISSING,
    ORDERED,
    UNSTORED,
    Cluster,
    IncidentId,
    Items,
    Limit,
    Since,
    Until,
)
from celeriac.web.deps import Orders, Reads
from celeriac.web.errors import responses

WorkerId = Annotated[str, Path(description="id, name (`orders-worker/0`) or node name")]
QueueId = Annotated[str, Path(description="id, or name where only one cluster has it")]

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
def restart(id: WorkerId, commands: Orders) -> RemedyView:
    """Store the order, bound to the instance that runs now; the keeper carries it out and verifies it."""
    return commands.restart(id)


@router.post(
    "/workers/{id:path}/recycle",
    tags=["workers"],
    summary="Order a worker to be ended once its tasks have ended",
    status_code=HTTPStatus.ACCEPTED,
    responses=ORDERED,
)
def recycle(id: WorkerId, commands: Orders) -> RemedyView:
    """Store the order, bound to the process that runs now; its platform starts it again, and the keeper verifies it."""
    return commands.recycle(id)


@router.get("/workers/{id:path}", tags=["workers"], summary="Show one worker", responses=AMBIGUOUS)
def worker(id: WorkerId, queries: Reads, cluster: Cluster = None) -> WorkerView:
    """Return one worker; a name that several workers have is a conflict whose detail lists them with their ids."""
    return queries.worker(id, cluster)


@router.get("/queues", tags=["queues"], summary="List queues with what waits in them", responses=LISTED)
def queues(queries: Reads, cluster: Cluster = None) -> Items[QueueView]:
    """Return the newest sample of each queue; those first that hold messages and have no consumer."""
    return Items(items=queries.queues.all(cluster))


@router.get("/queues/{id:path}/samples", tags=["queues"], summary="Show how a queue came to be", responses=AMBIGUOUS)
def queue_samples(
    id: QueueId, queries: Reads, cluster: Cluster = None, since: Since = None, until: Until = None
) -> Items[QueueSampleView]:
    """Return a queue's samples, oldest first, at most some thousands, evenly thinned; the last hour by default."""
    return Items(items=queries.queues.samples(id, cluster, since=since, until=until))


@router.get("/observation", tags=["clusters"], summary="Tell how well clusters are heard", responses=LISTED)
def observation(queries: Reads, cluster: Cluster = None) -> Items[ObservationView]:
    """Return what observers received, lost and stored, and what they cannot see, with the setting that shows it."""
    return Items(items=queries.observation.all(cluster))


@router.get("/incidents", tags=["incidents"], summary="List incidents, newest first", responses=LISTED)
def incidents(
    queries: Reads,
    cluster: Cluster = None,
    open_only: Annotated[bool, Query(alias="open", description="only those that are not over")] = False,
    limit: Limit = 100,
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
def approve(id: IncidentId, commands: Orders) -> RemedyView:
    """Store the approval; the keeper diagnoses again and acts only if the evidence still stands."""
    return commands.approve(id)


@router.get("/remedies/{id}", tags=["remedies"], summary="Show one remedy", responses=MISSING)
def remedy(id: str, queries: Reads) -> RemedyView:
    """Return how far an order is."""
    return queries.remedy(id)
