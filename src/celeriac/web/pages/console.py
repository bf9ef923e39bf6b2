"""The console: one page, its fragments, and the two orders that it can give.

Each fragment carries the digest of its own text. The page sends back the digests that it has, and gets only what
differs, so nothing on the screen is touched without need.
"""

import hashlib
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from celeriac.app.queries import STALE_S, Queries
from celeriac.app.views import RemedyView
from celeriac.core.incident import IncidentState
from celeriac.web.deps import Actor, Orders, Reads
from celeriac.web.pages.templating import render, text_of

NEWEST_TASKS = 50
RECENT_INCIDENTS = 20
OVER = frozenset({IncidentState.RESOLVED, IncidentState.CLOSED})

router = APIRouter(include_in_schema=False)


class Screen:
    """What one rendering shows; each read is made once, though several fragments use it."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self.clusters = queries.clusters()
        self.workers = queries.workers()

    def headline(self) -> dict[str, Any]:
        return {"headline": self._queries.headline()}

    def strip(self) -> dict[str, Any]:
        return {"clusters": self.clusters, "stale_s": STALE_S}

    def incidents(self) -> dict[str, Any]:
        return {"incidents": self._queries.incidents(open_only=True)}

    def table(self) -> dict[str, Any]:
        return {"workers": self.workers, "clusters": self.clusters}

    def recent(self) -> dict[str, Any]:
        over = [one for one in self._queries.incidents() if one.state in OVER]
        return {"incidents": over[:RECENT_INCIDENTS]}

    def tasks(self) -> dict[str, Any]:
        names = {one.node: one.name for one in self.workers if one.node}
        return {"tasks": self._queries.tasks(limit=NEWEST_TASKS).items, "names": names}


FRAGMENTS: dict[str, Callable[[Screen], dict[str, Any]]] = {
    "headline": Screen.headline,
    "clusters": Screen.strip,
    "incidents": Screen.incidents,
    "workers": Screen.table,
    "recent": Screen.recent,
    "tasks": Screen.tasks,
}


@router.get("/")
def console(request: Request, queries: Reads) -> HTMLResponse:
    """Show the page with everything on it."""
    return render(request, "console.html", {"fragments": _fragments(request, queries), "now": queries.now()})


@router.get("/fragments")
def fragments(request: Request, queries: Reads, have: Annotated[list[str], Query()] = []) -> Response:  # noqa: B006 (FastAPI copies it)
    """Return the fragments that differ from what the page has."""
    changed = {name: each for name, each in _fragments(request, queries).items() if each["digest"] not in have}
    if not changed:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return render(request, "fragments.html", {"fragments": changed})


@router.post("/workers/{id}/restart")
def restart(request: Request, id: str, commands: Orders, queries: Reads, actor: Actor) -> HTMLResponse:
    """Order a restart and say where to follow it."""
    name = queries.worker(id).name
    return _ordered(request, f"Restart of {name} is ordered", commands.restart(id, actor))


@router.post("/incidents/{id}/approve")
def approve(request: Request, id: str, commands: Orders, queries: Reads, actor: Actor) -> HTMLResponse:
    """Approve a remedy and say where to follow it."""
    name = queries.incident(id).worker_name
    return _ordered(request, f"Restart of {name} is approved", commands.approve(id, actor))


def _ordered(request: Request, title: str, remedy: RemedyView) -> HTMLResponse:
    text = f"The keeper acts on it within its next cycle, and the incident below tells how it goes. Order {remedy.id}."
    shown = {"tone": "good", "title": title, "text": text}
    return render(request, "partials/notice.html", shown, status=HTTPStatus.ACCEPTED)


def _fragments(request: Request, queries: Queries) -> dict[str, dict[str, str]]:
    screen = Screen(queries)
    texts = {name: text_of(request, f"partials/{name}.html", read(screen)) for name, read in FRAGMENTS.items()}
    return {name: {"name": name, "text": text, "digest": _digest(name, text)} for name, text in texts.items()}


def _digest(name: str, text: str) -> str:
    return f"{name}-{hashlib.blake2b(text.encode(), digest_size=9).hexdigest()}"
