"""The pages of the watched apps: all of them, and one with its instances, its log, its events and its variables.

What the keeper knows is there at once and stays up to date. What only the platform tells is asked by the page when it is
there, a part each, so that a platform which does not answer holds up nothing else; each part says then what is wrong.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from celeriac.app.queries import Queries
from celeriac.core.errors import CeleriacError, DeniedError, MissingError
from celeriac.core.log_lines import Lines
from celeriac.web.api.apps import JUST_AFTER_S
from celeriac.web.deps import Reads
from celeriac.web.pages.fragments import Have, changed, made
from celeriac.web.pages.templating import render

WITH_STATUS = {DeniedError: HTTPStatus.FORBIDDEN, MissingError: HTTPStatus.NOT_FOUND}
LINES = 200
EVENTS = 50

router = APIRouter(include_in_schema=False)


class AppScreen:
    """What one rendering shows of one app, or of all where none is named."""

    def __init__(self, queries: Queries, id: str | None = None, cluster: str | None = None) -> None:
        self._queries, self._id, self._cluster = queries, id, cluster

    def headline(self) -> dict[str, Any]:
        return {"headline": self._queries.headline()}

    def all(self) -> dict[str, Any]:
        return {"apps": self._queries.apps(), "many": len(self._queries.clusters()) > 1}

    def one(self) -> dict[str, Any]:
        return {"app": self._queries.app(self._id or "", self._cluster)}


ALL: dict[str, Callable[[AppScreen], dict[str, Any]]] = {"headline": AppScreen.headline, "apps": AppScreen.all}
ONE: dict[str, Callable[[AppScreen], dict[str, Any]]] = {"headline": AppScreen.headline, "app": AppScreen.one}


@router.get("/apps")
def apps(request: Request, queries: Reads) -> HTMLResponse:
    """Show the watched apps."""
    context = {"fragments": made(request, AppScreen(queries), ALL), "now": queries.now()}
    return render(request, "apps.html", context)


@router.get("/fragments/apps")
def apps_changed(request: Request, queries: Reads, have: Have) -> Response:
    """Return what differs of that page."""
    return changed(request, made(request, AppScreen(queries), ALL), have)


@router.get("/apps/{id}")
def app(request: Request, id: str, queries: Reads, cluster: str | None = None) -> HTMLResponse:
    """Show one app."""
    found = queries.app(id, cluster)
    fragments = made(request, AppScreen(queries, id, found.cluster), ONE)
    context = {"fragments": fragments, "now": queries.now(), "app": found, "path": id}
    return render(request, "app.html", context)


@router.get("/fragments/apps/{id}")
def app_changed(request: Request, id: str, queries: Reads, have: Have, cluster: str | None = None) -> Response:
    """Return what differs of that page."""
    return changed(request, made(request, AppScreen(queries, id, cluster), ONE), have)


@router.get("/apps/{id}/log")
def log(
    request: Request,
    id: str,
    queries: Reads,
    cluster: str | None = None,
    instance: Annotated[str, Query(pattern=r"^\d{0,6}$")] = "",
    process: str = "",
) -> HTMLResponse:
    """Return the newest lines of an app's log."""
    which = Lines(int(instance) if instance else None, process or None)

    def read() -> dict[str, Any]:
        lines = queries.app_records.logs(id, cluster, limit=LINES, which=which)
        return {"lines": lines, "since": lines[-1].at.timestamp() + JUST_AFTER_S if lines else None}

    return _part(request, "app_log", read, {"lines": [], "since": None, "which": which})


@router.get("/apps/{id}/events")
def events(request: Request, id: str, queries: Reads, cluster: str | None = None) -> HTMLResponse:
    """Return what befell an app."""
    return _part(
        request, "app_events", lambda: {"events": queries.app_records.events(id, cluster, limit=EVENTS)}, {"events": []}
    )


@router.get("/apps/{id}/env")
def env(request: Request, id: str, queries: Reads, cluster: str | None = None) -> HTMLResponse:
    """Return an app's variables, without secrets."""
    return _part(request, "app_env", lambda: {"env": queries.app_records.environment(id, cluster)}, {"env": None})


def _part(request: Request, name: str, read: Callable[[], dict[str, Any]], nothing: dict[str, Any]) -> HTMLResponse:
    """Return a part of the page; what cannot be read is told in its place, and is no failure of the page.

    What the reader may not see, or is not there, keeps its status.
    """
    status = HTTPStatus.OK
    try:
        context = {**nothing, "why": None, **read()}
    except CeleriacError as error:
        context = {**nothing, "why": str(error)}
        status = WITH_STATUS.get(type(error), status)
    return render(request, f"partials/{name}.html", context, status=status)
