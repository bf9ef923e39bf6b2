"""What routes ask for: the reads, the orders, and who is asking."""

from typing import Annotated, cast

from fastapi import Depends, Request

from celeriac.app.commands import Commands
from celeriac.app.queries import Queries
from celeriac.web.auth import actor


def queries(request: Request) -> Queries:
    """Return the reads that this app was made with."""
    return cast("Queries", request.app.state.queries)


def commands(request: Request) -> Commands:
    """Return the orders that this app was made with."""
    return cast("Commands", request.app.state.commands)


Reads = Annotated[Queries, Depends(queries)]
Orders = Annotated[Commands, Depends(commands)]
Actor = Annotated[str, Depends(actor)]
