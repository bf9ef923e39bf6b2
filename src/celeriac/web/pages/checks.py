"""The page of the checkup: what Celeriac can and cannot see and do, with what mends it."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from celeriac.web.deps import Reads
from celeriac.web.pages.templating import render

router = APIRouter(include_in_schema=False)


@router.get("/doctor")
def doctor(request: Request, queries: Reads, cluster: str | None = None) -> HTMLResponse:
    """Check one cluster or all, and show what came of it."""
    names = [one.name for one in queries.clusters()]
    context = {"checkup": queries.checkup(cluster), "names": names, "chosen": cluster}
    return render(request, "doctor.html", context)
