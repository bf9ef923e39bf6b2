"""What the client asks of the audit trail, and of break-glass sign-ons."""

from collections.abc import Iterator
from typing import TypedDict, Unpack
from urllib.parse import quote

from celeriac.client.audit_answers import AuditPage, BreakGlassUse
from celeriac.client.connection import Connection, Items, Time


class AuditFilter(TypedDict, total=False):
    """Which rows: all conditions must hold; `text` is a part, the others are whole."""

    cluster: str | None
    actor: str | None
    action: str | None
    target: str | None
    outcome: str | None
    since: Time | None
    until: Time | None
    text: str | None


class Audits(Connection):
    """The reads of the audit trail."""

    def audit(self, *, limit: int = 50, cursor: str | None = None, **which: Unpack[AuditFilter]) -> AuditPage:
        """Return a page of the trail, newest first; `cursor` is the `next` or `previous` of another page."""
        return self._get("/audit", AuditPage, limit=limit, cursor=cursor, **which)

    def export_audit(self, form: str = "csv", **which: Unpack[AuditFilter]) -> Iterator[bytes]:
        """Yield all rows that fit as they come, as `csv` or, with `json`, a line of JSON each."""
        return self._pieces("/audit/export", format=form, **which)

    def break_glass(self) -> list[BreakGlassUse]:
        """Return the sign-ons with the break-glass account, newest first."""
        return self._get("/access/break-glass", Items[BreakGlassUse]).items

    def see_break_glass(self, id: str) -> BreakGlassUse:
        """Mark one of them as seen."""
        return self._post(f"/access/break-glass/{quote(id, safe='')}/seen", BreakGlassUse)
