"""For platforms and load balancers: is the process alive, and can it do its work."""

from fastapi import APIRouter, Response, status

from celeriac.app.views import Readiness
from celeriac.web.deps import Reads

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Tell that this process is alive")
def healthz() -> dict[str, str]:
    """Answer as long as the process runs; asks nothing of anybody else."""
    return {"status": "alive"}


@router.get(
    "/readyz",
    summary="Tell whether Celeriac can do its work now",
    responses={503: {"model": Readiness, "description": "Not ready: `problems` says why"}},
)
def readyz(queries: Reads, response: Response) -> Readiness:
    """Answer 200 when every cluster is watched and judged, else 503 with what is missing."""
    found = queries.readiness()
    if not found.ready:
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return found
