"""Organizations and spaces, their quotas, and who is what in them."""

from typing import Any

from fastapi import APIRouter, Request

from celeriac.emulator.access import Reader
from celeriac.emulator.entities import Organization, Space
from celeriac.emulator.errors import not_found
from celeriac.emulator.listing import ListQuery

router = APIRouter(prefix="/v3")


@router.get("/organizations")
def list_organizations(request: Request, view: Reader) -> dict[str, Any]:
    """List the organizations that pass the filters."""
    query = ListQuery(request.query_params, ("names", "guids"), ("name",))
    kept = [
        org for org in view.organizations() if query.keeps_name("names", org.name) and query.keeps("guids", org.guid)
    ]
    return query.paginate(kept, view.here.presenters.organization, f"{view.here.url}/v3/organizations")


@router.get("/organizations/{guid}")
def show_organization(guid: str, view: Reader) -> dict[str, Any]:
    """Show one organization."""
    for org in view.organizations():
        if org.guid == guid:
            return view.here.presenters.organization(org)
    raise not_found("Organization")


@router.get("/spaces")
def list_spaces(request: Request, view: Reader) -> dict[str, Any]:
    """List the spaces that pass the filters."""
    query = ListQuery(request.query_params, ("names", "guids", "organization_guids"), ("name",))
    kept = [
        each
        for each in view.spaces()
        if query.keeps_name("names", each.name)
        and query.keeps("guids", each.guid)
        and query.keeps("organization_guids", each.org.guid)
    ]
    return query.paginate(kept, view.here.presenters.space, f"{view.here.url}/v3/spaces")


@router.get("/spaces/{guid}")
def show_space(guid: str, view: Reader) -> dict[str, Any]:
    """Show one space."""
    for space in view.spaces():
        if space.guid == guid:
            return view.here.presenters.space(space)
    raise not_found("Space")


@router.get("/organization_quotas")
def list_organization_quotas(request: Request, view: Reader) -> dict[str, Any]:
    """List the quota of each organization."""
    query = ListQuery(request.query_params, ("names", "guids", "organization_guids"), ("name",))
    kept = [
        org
        for org in view.organizations()
        if query.keeps("names", org.name)
        and query.keeps("guids", org.quota_guid)
        and query.keeps("organization_guids", org.guid)
    ]
    return query.paginate(kept, view.here.presenters.organization_quota, f"{view.here.url}/v3/organization_quotas")


@router.get("/organization_quotas/{guid}")
def show_organization_quota(guid: str, view: Reader) -> dict[str, Any]:
    """Show the quota of an organization."""
    found: list[Organization] = [org for org in view.organizations() if org.quota_guid == guid]
    if not found:
        raise not_found("Organization quota")
    return view.here.presenters.organization_quota(found[0])


@router.get("/space_quotas")
def list_space_quotas(request: Request, view: Reader) -> dict[str, Any]:
    """List the quotas of the spaces that have one."""
    query = ListQuery(request.query_params, ("names", "guids", "organization_guids", "space_guids"), ("name",))
    kept = [
        space
        for space in view.spaces()
        if space.quota
        and query.keeps("names", space.name)
        and query.keeps("guids", space.quota_guid)
        and query.keeps("organization_guids", space.org.guid)
        and query.keeps("space_guids", space.guid)
    ]
    return query.paginate(kept, view.here.presenters.space_quota, f"{view.here.url}/v3/space_quotas")


@router.get("/space_quotas/{guid}")
def show_space_quota(guid: str, view: Reader) -> dict[str, Any]:
    """Show the quota of a space."""
    found: list[Space] = [space for space in view.spaces() if space.quota and space.quota_guid == guid]
    if not found:
        raise not_found("Space quota")
    return view.here.presenters.space_quota(found[0])


@router.get("/roles")
def list_roles(request: Request, view: Reader) -> dict[str, Any]:
    """List who has which role in the spaces that the caller can read."""
    query = ListQuery(request.query_params, ("guids", "types", "space_guids", "organization_guids", "user_guids"))
    kept = [
        grant
        for grant in view.here.roles.grants()
        if view.reads(grant.space.guid)
        and query.keeps("guids", grant.guid)
        and query.keeps("types", grant.role)
        and query.keeps("space_guids", grant.space.guid)
        # A role in a space names no organization, so this filter keeps none of them.
        and query.keeps("organization_guids", "")
        and query.keeps("user_guids", grant.user_guid)
    ]
    return query.paginate(kept, view.here.presenters.role, f"{view.here.url}/v3/roles")
