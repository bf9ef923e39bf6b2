"""The audit trail over HTTP: pages of it, and all that fits as CSV or as a line of JSON each."""

import csv
import io
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Literal, Self

import msgspec
from fastapi import APIRouter, Query
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from celeriac.app.access.audit_queries import place_of
from celeriac.app.access.audit_views import AuditEntryView, AuditPageView
from celeriac.core.audit import AuditFilter, Outcome
from celeriac.web.api.answers import READ_BY_FEW, Time, encoded
from celeriac.web.deps import Reads

COLUMNS = AuditEntryView.__slots__[1:]
"""What an export tells of each row: all but the id, which is of no use outside."""

COMMANDS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""How a cell begins that a spreadsheet may take for a formula."""


class Form(StrEnum):
    """The forms of an export."""

    CSV = "csv"
    JSON = "json"


class WantedRows(BaseModel):
    """Which rows: all conditions must hold."""

    # A filter that is misspelt must not answer with everything.
    model_config = ConfigDict(extra="forbid", str_min_length=1, str_max_length=1000, allow_inf_nan=False)

    cluster: str | None = Field(None, description="only of this cluster")
    actor: str | None = Field(None, description="only of who is called so, such as `the keeper`")
    action: str | None = Field(None, description="only this action, such as `restart` or `sign on`")
    target: str | None = Field(None, description="only on this, such as `orders-worker/0`")
    outcome: Literal["ordered", "done", "denied", "failed"] | None = Field(None, description="only what went so")
    since: Time | None = Field(None, description="from this time on (ISO 8601 with a zone, or seconds since 1970)")
    until: Time | None = Field(None, description="before this time")
    text: str | None = Field(None, description="text in target, detail or why, whatever its case")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.since is not None and self.until is not None and self.since >= self.until:
            msg = "since must be before until"
            raise ValueError(msg)
        return self

    def filter(self, limit: int = 1) -> AuditFilter:
        """Return the filter as the store takes it."""
        return AuditFilter(
            limit,
            cluster=self.cluster,
            actor=self.actor,
            action=self.action,
            target=self.target,
            outcome=Outcome(self.outcome) if self.outcome else None,
            since=self.since,
            until=self.until,
            text=self.text,
        )


class WantedPage(WantedRows):
    """Which rows, and which page of them."""

    limit: int = Field(50, ge=1, le=500, description="how many at most")
    cursor: str | None = Field(None, description="`next` or `previous` of another page")

    @field_validator("cursor")
    @classmethod
    def _ours(cls, cursor: str | None) -> str | None:
        if cursor is not None:
            place_of(cursor)
        return cursor


class WantedExport(WantedRows):
    """Which rows, and in which form."""

    format: Form = Field(Form.CSV, description="`csv`, or `json` for a line of JSON each")


router = APIRouter(prefix="/api/v1/audit", tags=["audit"])


@router.get("", summary="Read the audit trail, newest first", responses=READ_BY_FEW, response_model=AuditPageView)
def audit(queries: Reads, wanted: Annotated[WantedPage, Query()]) -> Response:
    """Return a page of rows; `next` leads to older ones, `previous` to newer ones. It takes the right to administer."""
    return encoded(queries.audit.page(wanted.filter(wanted.limit), wanted.cursor))


@router.get(
    "/export",
    summary="Export the audit trail",
    response_class=StreamingResponse,
    responses={
        **READ_BY_FEW,
        200: {"content": {"text/csv": {}, "application/x-ndjson": {}}, "description": "the rows, newest first"},
    },
)
def export(queries: Reads, wanted: Annotated[WantedExport, Query()]) -> StreamingResponse:
    """Return all that fits, newest first, at most a million rows; the export itself becomes a row of the trail.

    In CSV a cell that a spreadsheet would take for a formula begins with an apostrophe.
    """
    pieces = queries.audit.export(wanted.filter(), wanted.format)
    name = f"attachment; filename=celeriac-audit.{'csv' if wanted.format is Form.CSV else 'ndjson'}"
    if wanted.format is Form.CSV:
        return StreamingResponse(_as_csv(pieces), media_type="text/csv", headers={"Content-Disposition": name})
    return StreamingResponse(_as_json(pieces), media_type="application/x-ndjson", headers={"Content-Disposition": name})


def _as_json(pieces: Iterator[list[AuditEntryView]]) -> Iterator[bytes]:
    for piece in pieces:
        yield b"".join(msgspec.json.encode(_fields(one)) + b"\n" for one in piece)


def _as_csv(pieces: Iterator[list[AuditEntryView]]) -> Iterator[bytes]:
    yield _lines([COLUMNS])
    for piece in pieces:
        yield _lines([tuple(cell(value) for value in _fields(one).values()) for one in piece])


def _fields(one: AuditEntryView) -> dict[str, object]:
    return {name: getattr(one, name) for name in COLUMNS}


def _lines(rows: list[tuple[str, ...]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def cell(value: object) -> str:
    """Return a value as a cell of CSV that no spreadsheet takes for a formula."""
    text = "" if value is None else value.isoformat() if hasattr(value, "isoformat") else str(value)
    return f"'{text}" if text.startswith(COMMANDS) else text
