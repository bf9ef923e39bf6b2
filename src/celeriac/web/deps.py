"""What routes ask for: the reads, the orders, who is asking, and parameters that make sense."""

from collections.abc import Iterator
from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel

from celeriac.app.access.own_access import OwnAccess
from celeriac.app.access.sessions import Visitor
from celeriac.app.access.signing_on import SigningOn
from celeriac.app.commands import Commands
from celeriac.app.queries import Queries
from celeriac.app.service import Service
from celeriac.core.access import Actor
from celeriac.web.sign_on import brought


def service(request: Request) -> Service:
    """Return what this app was made with."""
    return cast("Service", request.app.state.service)


def actor(request: Request) -> Actor:
    """Return who asks, as `sign_on` has found out; it lets nobody through of whom that is not known."""
    return cast("Actor", request.scope["actor"])


def queries(request: Request) -> Queries:
    """Return what whoever asks may read."""
    return service(request).queries(actor(request))


def commands(request: Request) -> Commands:
    """Return what whoever asks may order."""
    return service(request).commands(actor(request))


def signing_on(request: Request) -> SigningOn:
    """Return what there is to sign on with."""
    return cast("SigningOn", request.app.state.signing_on)


def visitor(request: Request) -> Visitor:
    """Return where a request comes from."""
    return Visitor(brought(request.scope).address, request.headers.get("user-agent", "")[:200])


def own_access(request: Request) -> OwnAccess:
    """Return the access of whoever asks."""
    one = service(request)
    acting = one.register.acting(actor(request))
    return OwnAccess(signing_on(request), acting, brought(request.scope), one.library.clock)


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
Own = Annotated[OwnAccess, Depends(own_access)]
Asking = Annotated[Actor, Depends(actor)]
