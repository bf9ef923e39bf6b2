"""The checkup over HTTP."""

from fastapi import APIRouter

from celeriac.app.checkup_views import CheckupView
from celeriac.web.api.answers import LISTED, Cluster
from celeriac.web.deps import Reads

router = APIRouter(prefix="/api/v1", tags=["clusters"])


@router.get("/doctor", summary="Check what Celeriac can see and do", responses=LISTED)
def doctor(queries: Reads, cluster: Cluster = None) -> CheckupView:
    """Return one line for each check, by subject, with what it costs and what mends it; it takes some seconds."""
    return queries.checkup(cluster)
