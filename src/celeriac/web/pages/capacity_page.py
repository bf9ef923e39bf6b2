"""The page of an app's capacity: the advice, a week as a picture, the table, and what it rests on."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from celeriac.app.capacity_views import BusyHourView, ProcessCapacityView
from celeriac.core.capacity import WAIT_S
from celeriac.web.deps import Reads
from celeriac.web.pages.templating import render

LONGEST_S = 7 * 86_400.0
HEIGHT = 100.0

router = APIRouter(include_in_schema=False)


@router.get("/apps/{id}/capacity")
def capacity(
    request: Request,
    id: str,
    queries: Reads,
    cluster: str | None = None,
    wait_s: Annotated[float, Query(gt=0, le=LONGEST_S)] = WAIT_S,
) -> HTMLResponse:
    """Show the capacity of one app."""
    found = queries.capacity.capacity(id, cluster, wait_s=wait_s)
    pictures = {one.process: picture(one) for one in found.processes}
    context = {"found": found, "pictures": pictures, "now": queries.now(), "cluster": cluster}
    return render(request, "capacity.html", context)


def picture(one: ProcessCapacityView) -> dict[str, object]:
    """Return what a chart draws: a column an hour with heights of `HEIGHT`, the slots as steps, and the first hour of each day."""
    top = max((max(each.slots or 0.0, each.most or 0.0) for each in one.hours), default=0.0) or 1.0
    return {
        "top": top,
        "width": len(one.hours),
        "columns": [(place, each, *_heights(each, top)) for place, each in enumerate(one.hours)],
        "days": [(place, each.at) for place, each in enumerate(one.hours) if each.at.hour == 0],
    }


def _heights(one: BusyHourView, top: float) -> tuple[float | None, float | None, float | None]:
    """Return the heights of the mean, of the busiest minute and of the slots; None of an hour that nobody saw."""
    return _height(one.busy, top), _height(one.most, top), _height(one.slots, top)


def _height(value: float | None, top: float) -> float | None:
    return None if value is None else round(HEIGHT * min(1.0, value / top), 2)
