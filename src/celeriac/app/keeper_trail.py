"""The keeper in the audit trail: what it has journalled is told right afterwards, and a trail that fails stops no remedy."""

import structlog

from celeriac.core.errors import PortError
from celeriac.core.keeper_trail import Known, rows
from celeriac.core.memory import Book, Changes
from celeriac.ports import Audit

log = structlog.get_logger()


class KeeperTrail:
    """Tells the changes of one cluster's journal; it remembers no more than the newest book and what was written since."""

    def __init__(self, audit: Audit) -> None:
        self._audit, self._known = audit, Known()

    def read(self, book: Book) -> None:
        """Keep what the journal holds now: what differs from it later is a change."""
        self._known = Known({one.id: one for one in book.incidents}, {one.id: one for one in book.remedies})

    def committed(self, changes: Changes, now: float) -> None:
        """Tell what has been journalled; never raises for a store that does not take it."""
        told = rows(self._known, changes, now)
        self._known = Known(
            {**self._known.incidents, **{one.id: one for one in changes.incidents}},
            {**self._known.remedies, **{one.id: one for one in changes.remedies}},
        )
        for entry in told:
            try:
                self._audit.note(entry)
            except PortError as error:
                log.error(
                    "what the keeper did is not in the audit trail",
                    cluster=entry.cluster,
                    action=entry.action,
                    target=entry.target,
                    detail=entry.detail,
                    why=str(error),
                )
