"""The page of the audit trail: filters that are all in the address, a dense table, and links to older and newer rows."""

from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pydantic import ValidationError

from celeriac.app.access.audit_views import AuditPageView
from celeriac.core.audit import Outcome
from celeriac.web.api.audit import WantedPage
from celeriac.web.deps import Reads
from celeriac.web.pages.templating import render

TIMES = ("since", "until")
PLACES = ("cursor", "limit")
"""What says where in the trail one is, and not which rows are meant."""

router = APIRouter(include_in_schema=False)


@router.get("/audit")
def audit(request: Request, queries: Reads) -> HTMLResponse:
    """Show a page of the trail; what cannot be meant by the filters is said above them."""
    given = {name: value for name, value in request.query_params.items() if value.strip("\0 ")}
    try:
        wanted = WantedPage.model_validate(given | {name: _zoned(given[name]) for name in TIMES if name in given})
    except ValidationError as error:
        return _page(request, given, AuditPageView([]), HTTPStatus.UNPROCESSABLE_ENTITY, _wrong(error))
    shown = given | {name: _local(at) for name in TIMES if (at := getattr(wanted, name)) is not None}
    return _page(request, shown, queries.audit.page(wanted.filter(wanted.limit), wanted.cursor))


def _page(
    request: Request, given: dict[str, str], page: AuditPageView, status: HTTPStatus = HTTPStatus.OK, wrong: str = ""
) -> HTMLResponse:
    filters = {name: value for name, value in given.items() if name not in PLACES}

    def link(**changes: str | None) -> str:
        """Return the query of these filters with some changed; it begins with the newest row unless a cursor is named."""
        return urlencode({name: value for name, value in (filters | changes).items() if value})

    context = {
        "page": page,
        "given": dict.fromkeys(WantedPage.model_fields, "") | given,
        "filtered": bool(filters),
        "exported": urlencode(filters | {name: _zoned(filters[name]) for name in TIMES if name in filters}),
        "link": link,
        "outcomes": list(Outcome),
        "wrong": wrong,
    }
    return render(request, "audit.html", context, status=status)


def _zoned(text: str) -> str:
    """Return a time as the API takes it: a browser's field names no zone, and here all times are UTC."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text  # seconds since the epoch, or something that the model refuses with a reason
    return text if at.tzinfo else f"{at.isoformat()}Z"


def _local(at: float) -> str:
    """Return a time as a browser's field takes it, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _wrong(error: ValidationError) -> str:
    """Return the first fault in a sentence."""
    fault = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in fault["loc"]) or "the filter"
    return f"{name}: {fault['msg'].removeprefix('Value error, ')}"
