"""The audit trail as people read it: a page at a time, or all that fits as an export.

It takes the right to administer: a cluster's administrators read the rows of their cluster, those of everything all of
them. Nobody is given "their own rows" alone, as a row has what somebody is called, and two people may be called the same.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from celeriac.app.access.acting import Acting
from celeriac.app.access.audit_views import AuditEntryView, AuditPageView
from celeriac.app.shaping import opaque_pair, parts_of
from celeriac.app.sources import Sources
from celeriac.app.views import sure_moment
from celeriac.core.access import Right
from celeriac.core.audit import AuditEntry, AuditFilter
from celeriac.ports import Audit

MOST_EXPORTED = 1_000_000
PIECE = 500
"""Rows of an export that are held at a time."""

OLDER, NEWER = "older", "newer"
LONGEST_ID = 19
"""Digits that no id of a store has: it counts in 64 bits."""


class AuditQueries:
    """One actor's reads of the trail; each raises DeniedError without the right."""

    def __init__(self, audit: Audit, acting: Acting, sources: Sources) -> None:
        self._audit, self._acting, self._sources = audit, acting, sources

    def page(self, which: AuditFilter, cursor: str | None = None) -> AuditPageView:
        """Return so many of the rows that fit, beyond a cursor if there is one."""
        self._need(which)
        way, at = place_of(cursor) if cursor else (OLDER, None)
        newer = way == NEWER
        found = self._audit.entries(replace(which, limit=which.limit + 1, **{"above" if newer else "below": at}))
        more = len(found) > which.limit
        rows = found[-which.limit :] if newer else found[: which.limit]
        # Where there is nothing beyond, the way back must begin with the row that the cursor is of.
        first, last = (rows[0].id, rows[-1].id) if rows else ((at or 0) - 1, (at or 0) + 1)
        older, fresher = (True, more) if newer else (more, at is not None)
        return AuditPageView(
            [_view(one) for one in rows],
            _cursor(OLDER, last) if older else None,
            _cursor(NEWER, first) if fresher else None,
        )

    def export(self, which: AuditFilter, form: str) -> Iterator[list[AuditEntryView]]:
        """Return what fits in pieces, newest first, at most `MOST_EXPORTED` rows; the export itself is a row.

        The first piece is read before this returns, so that whatever is wrong is told in time.
        """
        cluster = self._need(which)
        what = f"{form}, {_words(which)}"
        self._acting.note(AuditEntry(0.0, "", "export audit trail", "the audit trail", what, cluster))
        pieces = self._pieces(which)
        first = next(pieces, [])
        return _all_of(first, pieces)

    def _need(self, which: AuditFilter) -> str | None:
        """Return the cluster that is meant; one that is not there (any more) is a text that people wrote, and no cluster."""
        cluster = which.cluster if which.cluster in self._sources else None
        self._acting.need(Right.ADMINISTER, "read the audit trail", cluster)
        return cluster

    def _pieces(self, which: AuditFilter) -> Iterator[list[AuditEntryView]]:
        left, below = MOST_EXPORTED, which.below
        while left > 0:
            rows = self._audit.entries(replace(which, limit=min(PIECE, left), below=below))
            if not rows:
                return
            yield [_view(one) for one in rows]
            left, below = left - len(rows), rows[-1].id


def _all_of(first: list[AuditEntryView], others: Iterator[list[AuditEntryView]]) -> Iterator[list[AuditEntryView]]:
    yield first
    yield from others


def _words(which: AuditFilter) -> str:
    """Return which rows are meant, in words."""
    named = {name: getattr(which, name) for name in ("cluster", "actor", "action", "target", "outcome", "text")}
    times = {
        name: sure_moment(at).isoformat() for name in ("since", "until") if (at := getattr(which, name)) is not None
    }
    said = [f"{name} {value}" for name, value in (named | times).items() if value is not None]
    return ", ".join(said) or "all rows"


def _view(entry: AuditEntry) -> AuditEntryView:
    return AuditEntryView(
        id=opaque_pair("audit", str(entry.id)),
        at=sure_moment(entry.at),
        actor=entry.actor,
        role=entry.role,
        address=entry.address,
        token=entry.token,
        action=entry.action,
        target=entry.target,
        cluster=entry.cluster,
        outcome=entry.outcome.value,
        before=entry.before,
        after=entry.after,
        why=entry.why,
        detail=entry.detail,
    )


def _cursor(way: str, at: int | None) -> str:
    return opaque_pair(way, str(max(at or 0, 0)))


def place_of(cursor: str) -> tuple[str, int]:
    """Return the way that a cursor goes, and the id that it goes on from; raises ValueError if it is none of ours."""
    match parts_of(cursor):
        case (way, at) if way in {OLDER, NEWER} and at.isascii() and at.isdigit() and len(at) < LONGEST_ID:
            return way, int(at)
    msg = "is no cursor of the audit trail; use `next` or `previous` of a page, or leave it out"
    raise ValueError(msg)
