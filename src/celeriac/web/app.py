"""Makes the console's app from the reads and orders that it is given; importing this module makes nothing."""

import json
import re
from collections.abc import Collection
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeAlias

from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response
from starlette.staticfiles import StaticFiles

import celeriac
from celeriac.app.commands import Commands
from celeriac.app.queries import Queries
from celeriac.web import errors, health
from celeriac.web.api import app_orders, apps, capacity, casebook, docs, doctor, handling, stream, tasks, v1
from celeriac.web.auth import BrowserSafety
from celeriac.web.deps import plain_parameters
from celeriac.web.pages import app_pages, capacity_page, checks, console, orders
from celeriac.web.pages.templating import environment

Console: TypeAlias = FastAPI
"""What `create_app` returns, for those who may not name the framework."""

STATIC = Path(__file__).parent / "static"
DESCRIPTION = (
    "Reads what Celeriac knows of Celery's workers, tasks and incidents, and orders restarts, holds and pauses. "
    "An order is stored and answered with 202 and a remedy; the keeper carries it out, and the remedy and its incident "
    "tell how it ends. Errors are RFC 9457 problems. Times are RFC 3339, UTC. Ids are opaque."
)


def create_app(queries: Queries, commands: Commands, *, allowed_hosts: Collection[str] = ()) -> Console:
    """Make the app: pages at `/`, the API at `/api/v1`, health at `/healthz` and `/readyz`.

    `allowed_hosts` are the names, besides this machine's own, that requests may call it by. The prefix that a proxy
    strips is the server's `root_path`.
    """
    app = FastAPI(
        title="Celeriac",
        version=celeriac.__version__,
        description=DESCRIPTION,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.queries, app.state.commands = queries, commands
    app.state.templates = environment()
    app.state.feed = stream.Feed(queries)
    app.add_middleware(BrowserSafety, allowed_hosts=allowed_hosts, refuse=errors.refuse)
    errors.install(app)
    for router in (
        v1.router,
        apps.router,
        app_orders.router,
        capacity.router,
        casebook.router,
        doctor.router,
        handling.router,
        tasks.router,
        stream.router,
    ):
        app.include_router(
            router,
            dependencies=[Depends(plain_parameters)],
            responses=errors.responses(HTTPStatus.UNPROCESSABLE_ENTITY),
        )
    pages = (app_pages.router, capacity_page.router, console.router, checks.router, orders.router)
    for router in (docs.router, health.router, *pages):
        app.include_router(router)
    app.mount("/static", OwnFiles(directory=STATIC), name="static")
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # FastAPI documents this way
    return app


class OwnFiles(StaticFiles):
    """Our scripts and styles; a browser asks each time whether they changed, so an update needs no reload by hand."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """Return a file, or 304 where the browser's copy still holds."""
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schemas = made["components"]["schemas"]
        schemas["Problem"] = errors.Problem.model_json_schema()
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        for methods in made["paths"].values():
            for call in methods.values():
                # FastAPI's own shape of a refusal, which `errors` replaces; routes that can refuse declare ours.
                if "application/json" in call["responses"].get("422", {}).get("content", {}):
                    del call["responses"]["422"]
        app.openapi_schema = _in_words_of_the_domain(made)
    return app.openapi_schema


def _in_words_of_the_domain(document: dict[str, Any]) -> dict[str, Any]:
    """Name the shapes as people do: `Worker` and `WorkerList`, not the names of our classes."""
    text = re.sub(r"Items_(\w+?)View_", r"\1List", json.dumps(document))
    named: dict[str, Any] = json.loads(re.sub(r"\b(\w+)View\b", r"\1", text))
    return named
