"""One SQLite file: its engines, its pragmas, its migrations, and its errors in the words of the ports."""

import contextlib
import fcntl
import logging
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

import msgspec
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import sqlite

from celeriac.core.errors import RefusedError, UnreachableError

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 5.0
READ_SECONDS = 10.0
LOG_BYTES = 256 << 20
LOG_WAIT_MS = 200
PRIVATE = 0o600
"""Only the user whose store it is reads it: it holds arguments and results of tasks."""

_STEPS_BETWEEN_LOOKS_AT_THE_CLOCK = 20_000
_WRITERS = {"cache_size": -16 << 10, "wal_autocheckpoint": 4_000}
"""Room (KB) for the indexes that a flush changes, and so many pages between two checkpoints: a third less work for a row."""


class Database:
    """A file with its schema's name (`control` or `history`); every commit reaches the disk."""

    def __init__(self, path: Path, schema: str) -> None:
        self.path, self._schema = path, schema
        self._writer = _engine(path, "BEGIN IMMEDIATE", _WRITERS)
        self._reader = _engine(path, "BEGIN")
        self._watch: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._lock = threading.Lock()
        self._locked: IO[bytes] | None = None
        self._is_writer = False

    @property
    def file(self) -> tuple[int, int] | None:
        """Return what tells the file from another one under the same name, as of the last transaction."""
        return self._file

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """One transaction that holds the write lock from its beginning."""
        with self._translated():
            self._look()
            with self._writer.begin() as connection:
                yield connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """One consistent look, with a time limit."""
        with self._translated():
            self._look()
            with self._reader.begin() as connection, within(connection, READ_SECONDS):
                yield connection

    def lock(self) -> None:
        """Become the only writer, until this process ends; raises UnreachableError while another one is."""
        if self._locked is not None:
            return
        with self._translated():
            locked = self._private(self.path.with_name(f"{self.path.name}.lock")).open("ab")
        try:
            fcntl.flock(locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            locked.close()
            raise UnreachableError(f"another observer writes {self.path.name}: one history has one observer") from None
        self._locked, self._is_writer = locked, True

    def version(self) -> int:
        """Return a number that changes when any other connection has written (`PRAGMA data_version`)."""
        with self._translated():
            self._look()
        with self._translated(), self._lock:
            if self._watch is None:
                self._watch = sqlite3.connect(self.path, timeout=BUSY_SECONDS, check_same_thread=False)
            return int(self._watch.execute("PRAGMA data_version").fetchone()[0])

    def shorten_log(self) -> None:
        """Empty the write-ahead log if it is long: while readers overlap without a pause, SQLite never begins it anew.

        Waits a moment for those who read now; what is still long then is so the next time too.
        """
        with self._translated():
            log = self.path.with_name(f"{self.path.name}-wal")
            if log.exists() and log.stat().st_size > LOG_BYTES:
                with contextlib.closing(self._writer.raw_connection()) as connection:
                    _empty_log(connection.cursor())

    def migrate(self) -> None:
        """Bring the schema to its newest revision; raises RefusedError if that is newer than we know."""
        with self._translated():
            self._private(self.path)
            self._let_go()  # of a file that was deleted
            with self._writer.begin() as connection:
                config = self._config()
                self._revision(connection, ScriptDirectory.from_config(config))
                config.attributes["connection"] = connection
                logging.getLogger("alembic").setLevel(logging.WARNING)
                command.upgrade(config, "head")

    def current(self) -> bool:
        """Tell whether the schema is at its newest revision; raises RefusedError if that is newer than we know."""
        if not self.path.exists():
            return False
        scripts = ScriptDirectory.from_config(self._config())
        with self.reading() as connection:
            return self._revision(connection, scripts) == scripts.get_current_head()

    def _revision(self, connection: sa.Connection, scripts: ScriptDirectory) -> str | None:
        """Return the schema's revision, None before the first."""
        found = MigrationContext.configure(connection).get_current_revision()
        if found is not None and all(found != one.revision for one in scripts.walk_revisions()):
            raise RefusedError(
                f"the store {self.path} was made by a newer Celeriac (its schema is {found}): install that version again, "
                "or start with another directory"
            )
        return found

    @staticmethod
    def _private(path: Path) -> Path:
        """Make a file, and its directory, if it is not there; SQLite gives its log what the file itself has."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=PRIVATE)
        return path

    def close(self) -> None:
        """Close every connection, and be the only writer no longer."""
        self._let_go()
        self._unlock()
        self._is_writer = False

    def _unlock(self) -> None:
        if self._locked is not None:
            self._locked.close()
            self._locked = None

    def _look(self) -> None:
        """See that the file is there and the one that it was; raises OSError.

        SQLite would go on with a file that was deleted, and make an empty one where there is none.
        """
        found = self.path.stat()
        file = (found.st_dev, found.st_ino)
        if self._file not in (None, file):
            self._let_go()
            if self._is_writer:  # the lock may have gone with the file, and be another's by now
                self._unlock()
                self.lock()
        self._file = file

    def _let_go(self) -> None:
        self._writer.dispose()
        self._reader.dispose()
        with self._lock:
            if self._watch is not None:
                self._watch.close()
                self._watch = None

    def _config(self) -> Config:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.set_main_option("version_locations", str(MIGRATIONS / self._schema))
        config.set_main_option("path_separator", "newline")
        return config

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sa.exc.DBAPIError, sa.exc.TimeoutError, sqlite3.Error, OSError) as error:
            cause = getattr(error, "orig", None) or error
            if isinstance(cause, FileNotFoundError):
                cause = "it is not there: put it back, or have `celeriac migrate` make an empty one"
            if getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
                cause = "an answer takes too long"
            raise UnreachableError(f"the store {self.path} cannot be used: {cause}") from error
        except msgspec.DecodeError as error:
            raise UnreachableError(f"the store {self.path} holds what this version cannot read: {error}") from error


def _engine(path: Path, begin: str, pragmas: Mapping[str, int] = MappingProxyType({})) -> sa.Engine:
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_SECONDS})

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # transactions are begun by us, below
        _use_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
        for name, value in pragmas.items():
            connection.execute(f"PRAGMA {name} = {value}")

    @sa.event.listens_for(engine, "begin")
    def start(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _use_wal(connection: sqlite3.Connection) -> None:
    """Let readers go on beside a writer; SQLite waits for nobody who switches a new file at the same moment, so we do."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
            time.sleep(0.01)


def _empty_log(cursor: Any) -> None:
    """Bring the write-ahead log into the file: as a writer waits meanwhile, readers are not waited for as long as locks."""
    cursor.execute(f"PRAGMA busy_timeout = {LOG_WAIT_MS}")
    try:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        cursor.execute(f"PRAGMA busy_timeout = {round(BUSY_SECONDS * 1000)}")


def driver(connection: sa.Connection) -> sqlite3.Connection:
    """Return the driver's own connection: for many rows it is several times as fast."""
    own = connection.connection.driver_connection
    assert isinstance(own, sqlite3.Connection)  # noqa: S101 (for the type checker)
    return own


@contextlib.contextmanager
def within(connection: sa.Connection, seconds: float) -> Iterator[None]:
    """Have SQLite end (SQLITE_INTERRUPT) what is still asked after so many seconds, or at the end of a limit around it."""
    own, outer = driver(connection), connection.info.get("deadline")
    own_end = time.monotonic() + seconds
    _end_at(own, connection.info, min(own_end, outer or own_end))
    try:
        yield
    finally:
        _end_at(own, connection.info, outer)


def _end_at(own: sqlite3.Connection, info: dict[Any, Any], deadline: float | None) -> None:
    info["deadline"] = deadline
    if deadline is None:
        own.set_progress_handler(None, 0)
    else:
        own.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_BETWEEN_LOOKS_AT_THE_CLOCK)


insert = sqlite.insert  # PostgreSQL's compiles alike


def upsert(table: sa.Table, **overrides: Any) -> Any:
    """Return an INSERT that replaces the row with the same primary key, column by column; overrides say how."""
    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    new = {column.name: statement.excluded[column.name] for column in table.c if column.name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_={**new, **overrides})
