"""Templates of the pages: escaping is always on, and what is formatted is formatted in the filters of `wording`."""

from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

import celeriac
from celeriac.core.access import NOBODY, Actor, Right
from celeriac.web.pages import questions, wording

TEMPLATES = Path(__file__).parent.parent / "templates"


def environment() -> Environment:
    """Make the templates' environment, once for each app."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    made.filters.update(wording.FILTERS | questions.FILTERS)
    made.globals.update(version=celeriac.__version__, look=wording.look, rights=Right)
    return made


def text_of(request: Request, template: str, context: Mapping[str, Any]) -> str:
    """Return a rendered template; `root` is the path that this app is mounted at, `asking` who will read it.

    What `may` denies is left out: it is the same table that `Queries` and `Commands` refuse by.
    """
    templates: Environment = request.app.state.templates
    asking: Actor = request.scope.get("actor", NOBODY)
    root = request.scope.get("root_path", "")
    return templates.get_template(template).render(root=root, asking=asking, may=asking.may, **context)


def render(
    request: Request,
    template: str,
    context: Mapping[str, Any],
    *,
    status: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """Return a page or a fragment."""
    return HTMLResponse(text_of(request, template, context), status, headers)
