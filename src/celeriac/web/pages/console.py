"""The console's first page; the orders that it can give are in `orders`."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from celeriac.app.queries import Queries
from celeriac.app.sources import STALE_S
from celeriac.app.views import IncidentView
from celeriac.core.incident import IncidentState
from celeriac.core.search import TaskFilter
from celeriac.web.deps import Reads
from celeriac.web.pages import wording
from celeriac.web.pages.fragments import Have, changed, made
from celeriac.web.pages.templating import render

NEWEST_TASKS = 50
RECENT_INCIDENTS = 20
OVER = frozenset({IncidentState.RESOLVED, IncidentState.CLOSED})

router = APIRouter(include_in_schema=False)


class Screen:
    """What one rendering shows of one cluster or of all; each read is made once, though several fragments use it."""

    def __init__(self, queries: Queries, cluster: str | None) -> None:
        self._queries = queries
        self._cluster = cluster
        self.clusters = queries.clusters() if cluster is None else [queries.cluster(cluster)]
        self.workers = queries.workers(cluster)

    def headline(self) -> dict[str, Any]:
        # Whatever is looked at, trouble elsewhere is told.
        return {"headline": self._queries.headline()}

    def strip(self) -> dict[str, Any]:
        heard = {one.cluster: one for one in self._queries.observation.all(self._cluster)}
        pauses = {one.name: self._queries.pausing.standing(one.name) for one in self.clusters}
        return {"clusters": self.clusters, "heard": heard, "stale_s": STALE_S, "pauses": pauses}

    def break_glass(self) -> dict[str, Any]:
        told = self._queries.break_glass
        return {"uses": told.unseen(), "may_see_off": told.may_see_off()}

    def incidents(self) -> dict[str, Any]:
        return self._told(self._queries.incidents(self._cluster, open_only=True))

    def _told(self, incidents: list[IncidentView]) -> dict[str, Any]:
        """Return incidents with the tasks that were in flight, by incident."""
        read = self._queries.casebook.casualties
        return {"incidents": incidents, "in_flight": {one.id: read(one.id) for one in incidents}}

    def table(self) -> dict[str, Any]:
        apps = self._queries.apps(self._cluster)
        return {"workers": self.workers, "apps": apps, "many": len(self.clusters) > 1}

    def queues(self) -> dict[str, Any]:
        found = self._queries.queues.all(self._cluster)
        return {"queues": found, "unknown": wording.reasons(found), "many": len(self.clusters) > 1}

    def recent(self) -> dict[str, Any]:
        over = [one for one in self._queries.incidents(self._cluster) if one.state in OVER]
        return self._told(over[:RECENT_INCIDENTS])

    def tasks(self) -> dict[str, Any]:
        names = {one.node: one.name for one in self.workers if one.node}
        page = self._queries.tasks.page(TaskFilter(limit=NEWEST_TASKS), self._cluster)
        return {"tasks": page.items, "left_out": page.left_out, "names": names}


FRAGMENTS: dict[str, Callable[[Screen], dict[str, Any]]] = {
    "headline": Screen.headline,
    "clusters": Screen.strip,
    "break-glass": Screen.break_glass,
    "incidents": Screen.incidents,
    "workers": Screen.table,
    "queues": Screen.queues,
    "recent": Screen.recent,
    "tasks": Screen.tasks,
}


@router.get("/")
def console(request: Request, queries: Reads, cluster: str | None = None) -> HTMLResponse:
    """Show the page with everything on it, of one cluster or of all."""
    names = [one.name for one in queries.clusters()]
    fragments = made(request, Screen(queries, cluster), FRAGMENTS)
    context = {"fragments": fragments, "now": queries.now(), "names": names, "chosen": cluster}
    return render(request, "console.html", context)


@router.get("/fragments")
def fragments(request: Request, queries: Reads, have: Have, cluster: str | None = None) -> Response:
    """Return the fragments that differ from what the page has."""
    return changed(request, made(request, Screen(queries, cluster), FRAGMENTS), have)
