"""The store seen from outside, for the checkup: what its files are, whether we may write there, and how much room is left."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa

from celeriac.adapters.sql import schema
from celeriac.adapters.sql.database import Database
from celeriac.checkup_ports import StoreLook
from celeriac.core.checkup.facts import FileState, Lease, StoreFile, StoreState
from celeriac.core.errors import PortError


class SqlLook:
    """`StoreLook` on one directory; `files` are its databases by name, `control` is the one with the lease."""

    def __init__(self, directory: Path, control: Database, files: Mapping[str, Database]) -> None:
        self._directory, self._control, self._files = directory, control, files

    def state(self) -> StoreState:
        """Return the state of each file; nothing is made that is not there."""
        free, disk = _room(self._directory)
        return StoreState(
            directory=str(self._directory),
            files=tuple(_file(name, database) for name, database in self._files.items()),
            writable=os.access(_nearest(self._directory), os.W_OK | os.X_OK),
            free=free,
            disk=disk,
        )

    def lease(self) -> Lease | None:
        """Return the lease as it was taken last."""
        row = schema.lease.c
        with self._control.reading() as connection:
            found = connection.execute(sa.select(row.holder, row.expires_at)).first()
        return Lease(found.holder, found.expires_at / 1e6) if found else None


def _file(name: str, database: Database) -> StoreFile:
    path = database.path
    if not path.exists():
        return StoreFile(name, FileState.MISSING)
    size = sum(part.stat().st_size for part in (path, path.with_name(f"{path.name}-wal")) if part.exists())
    writable = os.access(path, os.W_OK)
    try:
        state = FileState.CURRENT if database.current() else FileState.OLD
    except PortError as error:
        return StoreFile(name, FileState.UNREADABLE, size, writable, str(error))
    return StoreFile(name, state, size, writable)


def _nearest(directory: Path) -> Path:
    """Return the directory, or where it would be made."""
    return next((one for one in (directory, *directory.absolute().parents) if one.exists()), directory)


def _room(directory: Path) -> tuple[int | None, int | None]:
    try:
        usage = shutil.disk_usage(_nearest(directory))
    except OSError:
        return None, None
    return usage.free, usage.total


def _fits(look: SqlLook) -> StoreLook:
    """Let the type checker prove that the class fits its port."""
    return look
