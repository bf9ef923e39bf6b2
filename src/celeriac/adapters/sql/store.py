"""The store's directory: which file holds what, opened once and closed together."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from celeriac.adapters.sql.api_tokens import SqlApiTokens
from celeriac.adapters.sql.attempts import SqlAttempts
from celeriac.adapters.sql.audit import KEPT_DAYS, SqlAudit
from celeriac.adapters.sql.break_glass import SqlBreakGlass
from celeriac.adapters.sql.casebook import SqlCasebook
from celeriac.adapters.sql.charts import SqlCharts
from celeriac.adapters.sql.database import Database
from celeriac.adapters.sql.history import SqlHistory
from celeriac.adapters.sql.journal import SqlJournal
from celeriac.adapters.sql.loads import SqlLoads
from celeriac.adapters.sql.look import SqlLook
from celeriac.adapters.sql.once import SqlOnce
from celeriac.adapters.sql.pauses import SqlPauses
from celeriac.adapters.sql.role_tables import SqlRoleTables
from celeriac.adapters.sql.search import SqlTasks
from celeriac.adapters.sql.sessions import SqlSessions


class SqlStore:
    """SQLite files in one directory."""

    def __init__(self, directory: Path, clusters: tuple[str, ...]) -> None:
        self._directory = directory
        self._control = Database(directory / "control.db", "control")
        self._histories = {name: Database(directory / f"history-{name}.db", "history") for name in clusters}

    def journal(self) -> SqlJournal:
        """Return the keeper's memory, which also takes people's requests."""
        return SqlJournal(self._control)

    def pauses(self) -> SqlPauses:
        """Return the pauses that people have ordered."""
        return SqlPauses(self._control)

    def audit(self, days: int = KEPT_DAYS) -> SqlAudit:
        """Return the trail of what was done, tried and denied, kept for so many days."""
        return SqlAudit(self._control, days)

    def sessions(self) -> SqlSessions:
        """Return the sessions of people who have signed on."""
        return SqlSessions(self._control)

    def api_tokens(self) -> SqlApiTokens:
        """Return Celeriac's own tokens."""
        return SqlApiTokens(self._control)

    def once(self) -> SqlOnce:
        """Return what must not happen twice."""
        return SqlOnce(self._control)

    def attempts(self) -> SqlAttempts:
        """Return the failed tries to sign on."""
        return SqlAttempts(self._control)

    def role_tables(self) -> SqlRoleTables:
        """Return the table of roles, where it was changed here."""
        return SqlRoleTables(self._control)

    def break_glass(self) -> SqlBreakGlass:
        """Return the uses of the break-glass account."""
        return SqlBreakGlass(self._control)

    def casebook(self) -> SqlCasebook:
        """Return what is kept beside incidents: casualties and evidence."""
        return SqlCasebook(self._control)

    def history(self, cluster: str) -> SqlHistory:
        """Return what one cluster's observer keeps."""
        return SqlHistory(self._histories[cluster])

    def tasks(self, cluster: str) -> SqlTasks:
        """Return one cluster's tasks."""
        return SqlTasks(self._histories[cluster])

    def charts(self, cluster: str) -> SqlCharts:
        """Return one cluster's roll-ups."""
        return SqlCharts(self._histories[cluster])

    def look(self) -> SqlLook:
        """Return what looks at the store from outside, also while it is not there."""
        return SqlLook(self._directory, self._control, {one.path.name: one for one in self._databases()})

    def loads(self, cluster: str) -> SqlLoads:
        """Return how busy one cluster's apps were."""
        return SqlLoads(self._histories[cluster])

    def migrate(self) -> None:
        """Bring every file to the newest schema; makes the directory and the files if they are not there."""
        for database in self._databases():
            database.migrate()

    def current(self) -> bool:
        """Tell whether every file has the newest schema."""
        return all(database.current() for database in self._databases())

    @contextlib.contextmanager
    def opened(self) -> Iterator["SqlStore"]:
        """Close everything when the block ends."""
        try:
            yield self
        finally:
            for database in self._databases():
                database.close()

    def _databases(self) -> list[Database]:
        return [self._control, *self._histories.values()]
