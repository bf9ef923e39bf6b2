"""Makes the console's app from the reads and orders that it is given; importing this module makes nothing."""

from collections.abc import Collection
from pathlib import Path
from typing import Any, TypeAlias

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response
from starlette.staticfiles import StaticFiles

import celeriac
from celeriac.app.commands import Commands
from celeriac.app.queries import Queries
from celeriac.web import errors, health
from celeriac.web.api import docs, stream, v1
from celeriac.web.auth import BrowserSafety
from celeriac.web.pages import console
from celeriac.web.pages.templating import environment

Console: TypeAlias = FastAPI
"""What `create_app` returns, for those who may not name the framework."""

STATIC = Path(__file__).parent / "static"
DESCRIPTION = (
    "Reads what Celeriac knows of Celery's workers, tasks and incidents, and orders restarts. "
    "An order is stored and answered with 202 and a remedy; the keeper carries it out, and the remedy and its incident "
    "tell how it ends. Errors are RFC 9457 problems. Times are RFC 3339, UTC. Ids are opaque."
)


def create_app(
    queries: Queries, commands: Commands, *, root_path: str = "", allowed_hosts: Collection[str] = ()
) -> Console:
    """Make the app: pages at `/`, the API at `/api/v1`, health at `/healthz` and `/readyz`.

    `root_path` is the prefix that a proxy strips; `allowed_hosts` are the names, besides this machine's own, that
    requests may call it by.
    """
    app = FastAPI(
        title="Celeriac",
        version=celeriac.__version__,
        description=DESCRIPTION,
        root_path=root_path,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.queries, app.state.commands = queries, commands
    app.state.templates = environment()
    app.state.feed = stream.Feed(queries)
    app.add_middleware(BrowserSafety, allowed_hosts=allowed_hosts, refuse=errors.refuse)
    errors.install(app)
    for router in (v1.router, stream.router, docs.router, health.router, console.router):
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
        app.openapi_schema = made
    return app.openapi_schema
