"""Organizations and spaces: one of each."""

from typing import Any

from fastapi import APIRouter, Request

from celeriac.emulator.access import Here, reads
from celeriac.emulator.listing import ListQuery

router = APIRouter(prefix="/v3", dependencies=[reads])


@router.get("/organizations")
def list_organizations(request: Request, here: Here) -> dict[str, Any]:
    """List the organization."""
    query = ListQuery(request.query_params, ("names", "guids"), ("name",))
    org = here.controller.org
    kept = [org] if query.keeps_name("names", org.name) and query.keeps("guids", org.guid) else []
    return query.paginate(kept, here.presenters.organization, f"{here.url}/v3/organizations")


@router.get("/spaces")
def list_spaces(request: Request, here: Here) -> dict[str, Any]:
    """List the space."""
    query = ListQuery(request.query_params, ("names", "guids", "organization_guids"), ("name",))
    org, space = here.controller.org, here.controller.space
    kept = [
        each
        for each in [space]
        if query.keeps_name("names", each.name)
        and query.keeps("guids", each.guid)
        and query.keeps("organization_guids", org.guid)
    ]
    return query.paginate(kept, lambda each: here.presenters.space(each, org), f"{here.url}/v3/spaces")
