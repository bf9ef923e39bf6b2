"""An app's capacity over HTTP: advice, and what it rests on."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from celeriac.app.capacity_views import CapacityView
from celeriac.core.capacity import WAIT_S
from celeriac.web.api.answers import AMBIGUOUS, Cluster
from celeriac.web.deps import Reads

LONGEST_S = 7 * 86_400.0
Wait = Annotated[
    float,
    Query(
        gt=0, le=LONGEST_S, description="the objective: 95 % of the tasks begin within so many seconds", alias="wait_s"
    ),
]

router = APIRouter(prefix="/api/v1", tags=["apps"])


@router.get("/apps/{id}/capacity", summary="Tell whether an app has instances enough", responses=AMBIGUOUS)
def capacity(
    id: Annotated[str, Path(description="id or name")], queries: Reads, cluster: Cluster = None, wait_s: Wait = WAIT_S
) -> CapacityView:
    """Return how busy an app was over seven days, how many instances its peak needs, and what quotas leave; advice only."""
    return queries.capacity.capacity(id, cluster, wait_s=wait_s)
