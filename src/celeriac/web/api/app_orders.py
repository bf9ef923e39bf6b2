"""The API of what is ordered for a whole app, or for one of its instances by its index."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field

from celeriac.app.commands import Scaled
from celeriac.app.views import RemedyView
from celeriac.core.incident import Strategy
from celeriac.web.api.answers import ORDERED, Cluster
from celeriac.web.api.handling import Body
from celeriac.web.deps import Orders

MOST_INSTANCES = 10_000

AppId = Annotated[str, Path(description="id or name")]
ProcessType = Annotated[str, Field(min_length=1, max_length=255)]
NAMED = "the process type; may be left out where only one is there, or wanted"
OneProcess = Annotated[str | None, Query(description=NAMED)]

router = APIRouter(prefix="/api/v1", tags=["apps"])
accepted: dict[str, Any] = {"status_code": HTTPStatus.ACCEPTED, "responses": ORDERED}


class RestartOrder(Body):
    """How all instances are restarted."""

    strategy: Strategy = Field(
        default=Strategy.ROLLING,
        description="`rolling`: one instance at a time, each proven before the next; `all_at_once`: all in one order, "
        "each proven afterwards",
    )


class ScaleOrder(Body):
    """How many instances are wanted."""

    instances: int = Field(ge=0, le=MOST_INSTANCES)
    process: ProcessType | None = Field(default=None, description=NAMED)
    drain: bool = Field(default=True, description="whether the workers that go end their tasks before")


@router.post("/apps/{id}/restart", summary="Order the restart of an app", **accepted)
def restart_app(id: AppId, commands: Orders, cluster: Cluster = None, body: RestartOrder | None = None) -> RemedyView:
    """Store the order; the keeper has each instance proven to work, and tells which is not."""
    return commands.restart_app(id, cluster, body.strategy if body else Strategy.ROLLING)


@router.post("/apps/{id}/instances/{index}/restart", summary="Order the restart of one instance of an app", **accepted)
def restart_instance(
    id: AppId,
    index: Annotated[int, Path(ge=0)],
    commands: Orders,
    cluster: Cluster = None,
    process: OneProcess = None,
) -> RemedyView:
    """Store the order, bound to the instance that runs now; the keeper carries it out and verifies it."""
    return commands.restart_instance(id, index, cluster, process)


@router.post("/apps/{id}/scale", summary="Order another number of instances", **accepted)
def scale(id: AppId, body: ScaleOrder, commands: Orders, cluster: Cluster = None) -> RemedyView:
    """Store the order; those that go are drained first, and the platform's own reason is told where it refuses."""
    return commands.scale(id, Scaled(body.instances, body.process, body.drain), cluster)
