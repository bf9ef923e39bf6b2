"""The store in SQL: `control.db` (the keeper's memory, every write durable) apart from one `history-<cluster>.db` each.

A lease written beside an event flood in the same SQLite file waited up to 400 ms; in a file of its own it takes 1 ms.
"""

from celeriac.adapters.sql.store import SqlStore

__all__ = ["SqlStore"]
