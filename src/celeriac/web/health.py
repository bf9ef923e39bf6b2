"""For platforms and load balancers: is the process alive, and can it do its work."""

from fastapi import APIRouter, Request, Response, status

from celeriac.app.service import ITSELF
from celeriac.app.views import Readiness
from celeriac.web.deps import actor, service

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Tell that this process is alive")
async def healthz() -> dict[str, str]:
    """Answer as long as the process runs; asks nothing of anybody else, and waits for no thread."""
    return {"status": "alive"}


@router.get(
    "/readyz",
    summary="Tell whether Celeriac can do its work now",
    responses={503: {"model": Readiness, "description": "Not ready: `problems` says why"}},
)
def readyz(request: Request, response: Response) -> Readiness:
    """Answer 200 when every cluster is watched and judged, else 503; what is missing is told to those who may see it."""
    found = service(request).queries(ITSELF).readiness()
    if not found.ready:
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    told = service(request).queries(actor(request)).readiness()
    return Readiness(found.ready, told.problems or (["sign on to see why"] if not found.ready else []))
