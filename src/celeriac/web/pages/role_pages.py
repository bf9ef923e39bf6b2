"""The page of the table of roles, for administrators: a draft goes back and forth with each button until it is saved."""

from http import HTTPStatus
from itertools import pairwise
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from celeriac.access_ports import RoleTable
from celeriac.app.access.own_access import OwnAccess
from celeriac.app.access_views import RoleTableView, when
from celeriac.core.access import Role, Rule
from celeriac.core.errors import ConflictError
from celeriac.web.api.access import MOST_ROWS, RuleBody
from celeriac.web.deps import Own
from celeriac.web.pages.access_pages import Listed, several
from celeriac.web.pages.templating import render

NO_REASON = "The table of roles is not changed: say why, it stands in the audit trail."
DO = r"^(save|give-back|add|(up|down|remove):\d{1,3})$"

router = APIRouter(include_in_schema=False)


class Row(BaseModel):
    """One row as it stands in the form."""

    group: str = ""
    client: str = ""
    scope: str = ""
    role: str = Role.VIEWER
    clusters: str = ""
    apps: str = ""
    payloads: str = "no"

    def rule(self) -> Rule:
        """Return the row for the core; raises ValidationError where it makes no sense."""
        return RuleBody(
            group=self.group.strip() or None,
            client=self.client.strip() or None,
            scope=self.scope.strip() or None,
            role=Role(self.role),
            clusters=several(self.clusters),
            apps=several(self.apps),
            payloads=self.payloads == "yes",
        ).rule()


Column = Annotated[list[Listed], Field(max_length=MOST_ROWS)]


class TableForm(BaseModel):
    """All rows, column by column as browsers send them, the reason, and what the button does."""

    model_config = ConfigDict(extra="forbid")

    group: Column = []
    client: Column = []
    scope: Column = []
    role: Annotated[list[Role], Field(max_length=MOST_ROWS)] = []
    clusters: Column = []
    apps: Column = []
    payloads: Column = []
    why: Annotated[Listed, Field(max_length=500)] = ""
    do: str = Field(pattern=DO)

    def rows(self) -> list[Row]:
        """Return them row by row."""
        columns = ("group", "client", "scope", "role", "clusters", "apps", "payloads")
        cells = zip(*(getattr(self, name) for name in columns), strict=False)
        return [Row(**dict(zip(columns, one, strict=True))) for one in cells]


@router.get("/access/roles")
def table(request: Request, own: Own) -> Response:
    """Show the table and what it was before."""
    return _page(request, own, _rows_of(own.table()))


@router.post("/access/roles")
def changed(request: Request, own: Own, form: Annotated[TableForm, Form()]) -> Response:
    """Move, add or remove a row of the draft, or let the draft hold."""
    own.table()  # who may not see it may not draft one
    rows, (do, _, place) = form.rows(), form.do.partition(":")
    if do not in {"save", "give-back"}:
        return _page(request, own, _moved(rows, do, int(place or 0)), form.why)
    if not form.why:
        return _page(request, own, rows, wrong=NO_REASON, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        own.change_table([] if do == "give-back" else [one.rule() for one in rows], form.why)
    except ConflictError as error:
        return _page(request, own, rows, form.why, wrong=str(error), status=HTTPStatus.CONFLICT)
    except ValidationError as error:
        first = error.errors()[0]["msg"].removeprefix("Value error, ")
        wrong = f"The table of roles is not changed: a row {first}."
        return _page(request, own, rows, form.why, wrong=wrong, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    return RedirectResponse(f"{request.scope.get('root_path', '')}/access/roles", HTTPStatus.SEE_OTHER)


def _moved(rows: list[Row], do: str, place: int) -> list[Row]:
    if do == "add":
        return [*rows, Row()]
    if not 0 <= place < len(rows):
        return rows
    moved = rows[:place] + rows[place + 1 :]
    if do != "remove":
        moved.insert(max(0, place - 1 if do == "up" else place + 1), rows[place])
    return moved


def _rows_of(shown: RoleTableView) -> list[Row]:
    return [
        Row(
            group=one.group or "",
            client=one.client or "",
            scope=one.scope or "",
            role=one.role,
            clusters=", ".join(one.clusters),
            apps=", ".join(one.apps),
            payloads="yes" if one.payloads else "no",
        )
        for one in shown.rules
    ]


def _page(
    request: Request,
    own: OwnAccess,
    rows: list[Row],
    why: str = "",
    *,
    wrong: str | None = None,
    status: HTTPStatus = HTTPStatus.OK,
) -> Response:
    shown = own.table()
    context = {
        "table": shown,
        "rows": rows,
        "draft": rows != _rows_of(shown),
        "reason": why,
        "wrong": wrong,
        "roles": list(Role),
        "history": _changes(own.history()),
        "most": MOST_ROWS,
    }
    return render(request, "roles.html", context, status=status)


def _changes(history: list[RoleTable]) -> list[dict[str, Any]]:
    """Return each change with its rows before and after; none stand for the table of the settings."""
    return [
        {"at": when(one.at), "by": one.by, "why": one.why, "before": before.rules, "after": one.rules}
        for one, before in pairwise([*history, RoleTable((), 0.0, "")])
    ]
