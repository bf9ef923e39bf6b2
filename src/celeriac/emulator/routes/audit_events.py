"""Audit events."""

from typing import Any

from fastapi import APIRouter, Request

from celeriac.emulator.access import Reader
from celeriac.emulator.errors import not_found
from celeriac.emulator.listing import ListQuery

router = APIRouter(prefix="/v3/audit_events")

_FILTERS = ("types", "target_guids", "space_guids", "organization_guids", "guids", "created_ats")


@router.get("")
def list_audit_events(request: Request, view: Reader) -> dict[str, Any]:
    """List the events that pass the filters."""
    query = ListQuery(request.query_params, _FILTERS)
    kept = [
        event
        for event in view.here.audit.events()
        if view.reads(event.space_guid)
        and query.keeps("types", event.type)
        and query.keeps("target_guids", event.target.guid)
        and query.keeps("space_guids", event.space_guid)
        and query.keeps("organization_guids", event.organization_guid)
        and query.keeps("guids", event.guid)
        and query.keeps_time(event.created_at)
    ]
    return query.paginate(kept, view.here.presenters.audit_event, f"{view.here.url}/v3/audit_events")


@router.get("/{guid}")
def show_audit_event(guid: str, view: Reader) -> dict[str, Any]:
    """Show one event."""
    for event in view.here.audit.events():
        if event.guid == guid and view.reads(event.space_guid):
            return view.here.presenters.audit_event(event)
    raise not_found("Event")
