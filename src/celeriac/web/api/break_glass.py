"""The sign-ons with the break-glass account over HTTP: read by everybody who has signed on, seen off by administrators."""

from typing import Annotated

from fastapi import APIRouter, Path

from celeriac.app.access.audit_views import BreakGlassUseView
from celeriac.web.api.answers import LISTED, ORDERED, Items, Limit
from celeriac.web.deps import Orders, Reads

UseId = Annotated[str, Path(description="the sign-on's id")]

router = APIRouter(prefix="/api/v1/access/break-glass", tags=["access"])


@router.get("", summary="List the break-glass sign-ons, newest first", responses=LISTED)
def uses(queries: Reads, limit: Limit = 100) -> Items[BreakGlassUseView]:
    """Return the sign-ons with the break-glass account; those without `seen_at` wait for an administrator."""
    return Items(items=queries.break_glass.all(limit))


@router.post("/{id}/seen", summary="Mark a break-glass sign-on as seen", responses=ORDERED)
def seen(id: UseId, commands: Orders) -> BreakGlassUseView:
    """Keep that whoever asks has seen it. It takes the right to administer, and another account than the break-glass one."""
    return commands.break_glass.seen(id)
