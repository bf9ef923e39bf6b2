"""What routes ask for: the reads, the orders, who is asking, and parameters that make sense."""

from collections.abc import Iterator
from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel

from celeriac.app.commands import Commands
from celeriac.app.queries import Queries
from celeriac.web.auth import actor


def queries(request: Request) -> Queries:
    """Return the reads that this app was made with."""
    return cast("Queries", request.app.state.queries)


def commands(request: Request) -> Commands:
    """Return the orders that this app was made with."""
    return cast("Commands", request.app.state.commands)


async def plain_parameters(request: Request) -> None:
    """Refuse a parameter that the route does not have: a filter that is misspelt must not answer with everything.

    A NUL is refused too, as SQLite ends a text there.
    """
    known = set(_parameters(cast("APIRoute", request.scope["route"]).dependant))
    faults = [
        {
            "type": "extra_forbidden" if name not in known else "nul",
            "loc": ("query", name),
            "msg": "holds a NUL character",
        }
        for name, value in request.query_params.multi_items()
        if name not in known or "\0" in value
    ]
    if faults:
        raise RequestValidationError(faults)


def _parameters(route: Dependant) -> Iterator[str]:
    for one in route.query_params:
        kind = one.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from kind.model_fields
        else:
            yield one.alias


Reads = Annotated[Queries, Depends(queries)]
Orders = Annotated[Commands, Depends(commands)]
Actor = Annotated[str, Depends(actor)]
