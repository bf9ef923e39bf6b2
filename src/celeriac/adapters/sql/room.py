"""How much room one history takes, and how much there is: what a table gives back is used again, the file never shrinks."""

import shutil
from pathlib import Path

import sqlalchemy as sa

from celeriac.adapters.sql.database import LOG_BYTES, driver

SPARE_BYTES = 2 * LOG_BYTES
"""What is kept free on the disk: the log may be so long, and without room for it nothing can be let go either."""

SPARE_SHARE = 10
"""On a small disk it is a tenth."""


def used_bytes(connection: sa.Connection) -> int:
    """Return what the pages in use take, those of this transaction included."""
    return (_number(connection, "page_count") - _number(connection, "freelist_count")) * _page_size(connection)


def is_short(connection: sa.Connection, path: Path) -> bool:
    """Tell whether the file at this path soon finds no room to grow, free pages of its own included; raises OSError."""
    disk = shutil.disk_usage(path.parent)
    free = _number(connection, "freelist_count") * _page_size(connection)
    still_in_the_log = _number(connection, "page_count") * _page_size(connection) - path.stat().st_size
    return disk.free + free - max(0, still_in_the_log) < min(SPARE_BYTES, disk.total // SPARE_SHARE)


def _page_size(connection: sa.Connection) -> int:
    return _number(connection, "page_size")


def _number(connection: sa.Connection, pragma: str) -> int:
    return int(driver(connection).execute(f"PRAGMA {pragma}").fetchone()[0])
