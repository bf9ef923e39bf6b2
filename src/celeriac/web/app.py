"""Makes the console's app from the reads and orders that it is given; importing this module makes nothing."""

import json
import re
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeAlias

from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response
from starlette.staticfiles import StaticFiles

import celeriac
from celeriac.app.access.door import OpenDoor
from celeriac.app.access.signing_on import SigningOn
from celeriac.app.service import ITSELF, Service
from celeriac.settings import ConsoleSettings
from celeriac.web import edge, errors, health
from celeriac.web.api import (
    access,
    app_orders,
    apps,
    audit,
    break_glass,
    capacity,
    casebook,
    docs,
    doctor,
    handling,
    stream,
    tasks,
    v1,
)
from celeriac.web.deps import plain_parameters
from celeriac.web.pages import (
    access_pages,
    app_pages,
    audit_page,
    capacity_page,
    checks,
    command_line_page,
    orders,
    role_pages,
    signing_on_pages,
)
from celeriac.web.pages import console as console_pages
from celeriac.web.pages.templating import environment
from celeriac.web.sign_on import SignOn

Console: TypeAlias = FastAPI
"""What `create_app` returns, for those who may not name the framework."""

DEFAULTS = ConsoleSettings()
STATIC = Path(__file__).parent / "static"
DESCRIPTION = (
    "Reads what Celeriac knows of Celery's workers, tasks and incidents, and orders restarts, holds and pauses. "
    "An order is stored and answered with 202 and a remedy; the keeper carries it out, and the remedy and its incident "
    "tell how it ends. Errors are RFC 9457 problems. Times are RFC 3339, UTC. Ids are opaque."
)


def create_app(service: Service, signing_on: SigningOn | None = None, console: ConsoleSettings = DEFAULTS) -> Console:
    """Make the app: pages at `/`, the API at `/api/v1`, health at `/healthz` and `/readyz`.

    `console` says how it is reached: by what names, through which proxies, below which path.
    """
    app = FastAPI(
        title="Celeriac",
        version=celeriac.__version__,
        description=DESCRIPTION,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # such a redirect would name scheme and host, which a proxy may know better
    )
    signing_on = signing_on or SigningOn(OpenDoor())
    app.state.service, app.state.signing_on = service, signing_on
    app.state.templates = environment()
    app.state.feed = stream.Feed(service.queries(ITSELF))
    app.add_middleware(SignOn, door=signing_on.door, refuse=errors.refuse)
    errors.install(app)
    for router in (
        v1.router,
        access.router,
        apps.router,
        audit.router,
        break_glass.router,
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
    pages = (
        app_pages.router,
        audit_page.router,
        capacity_page.router,
        console_pages.router,
        checks.router,
        orders.router,
        signing_on_pages.router,
        command_line_page.router,
        access_pages.router,
        role_pages.router,
    )
    for router in (docs.router, health.router, *pages):
        app.include_router(router)
    app.mount("/static", OwnFiles(directory=STATIC), name="static")
    edge.install(app, console)
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
