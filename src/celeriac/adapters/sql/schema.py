"""The tables. Times are integer microseconds UTC; `body` holds a whole value as JSON, beside the columns that are asked by."""

from functools import lru_cache
from typing import Any

import sqlalchemy as sa

control = sa.MetaData()
history = sa.MetaData()

BigInt = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite's rowid is an INTEGER and nothing else


def time_column(name: str, *, nullable: bool = True, index: bool = False) -> "sa.Column[int]":
    """Return a column of a time."""
    return sa.Column(name, BigInt, nullable=nullable, index=index)


lease = sa.Table(
    "lease",
    control,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("holder", sa.String, nullable=False),
    time_column("expires_at", nullable=False),
)

incidents = sa.Table(
    "incidents",
    control,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("cluster", sa.String, nullable=False),
    sa.Column("worker", sa.String, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    time_column("opened_at", nullable=False, index=True),
    time_column("resolved_at", index=True),
    sa.Column("body", sa.Text, nullable=False),
)

remedies = sa.Table(
    "remedies",
    control,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("cluster", sa.String, nullable=False),
    sa.Column("worker", sa.String, nullable=False),
    sa.Column("incident", sa.String),
    sa.Column("state", sa.String, nullable=False),
    time_column("asked_at", nullable=False, index=True),
    time_column("ended_at"),
    sa.Column("body", sa.Text, nullable=False),
)

pools = sa.Table(
    "pools",
    control,
    sa.Column("cluster", sa.String, primary_key=True),
    sa.Column("incarnation", sa.String, primary_key=True),
    time_column("learned_at", nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)

lived = sa.Table(
    "lived",
    control,
    sa.Column("cluster", sa.String, primary_key=True),
    sa.Column("guid", sa.String, primary_key=True),
    time_column("seen_at", nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)

boards = sa.Table(
    "boards",
    control,
    sa.Column("cluster", sa.String, primary_key=True),
    time_column("at", nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)

deeds = sa.Table(
    "deeds",
    control,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("cluster", sa.String, nullable=False),
    sa.Column("incident", sa.String, nullable=False),
    sa.Column("state", sa.String, nullable=False, index=True),
    time_column("asked_at", nullable=False),
    time_column("ended_at"),
    sa.Column("body", sa.Text, nullable=False),
)

pauses = sa.Table(
    "pauses",
    control,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("cluster", sa.String),
    time_column("at", nullable=False),
    time_column("until_at", nullable=False, index=True),
    time_column("ended_at"),
    sa.Column("body", sa.Text, nullable=False),
)

casualties = sa.Table(
    "casualties",
    control,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("cluster", sa.String, nullable=False),
    sa.Column("incident", sa.String, nullable=False, index=True),
    time_column("ended_at", nullable=False, index=True),
    sa.Column("closed", sa.Boolean, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)

# What was kept of an incident, packed: `kind` is `exhibits` or `moment`.
evidence = sa.Table(
    "evidence",
    control,
    sa.Column("incident", sa.String, primary_key=True),
    sa.Column("kind", sa.String, primary_key=True),
    time_column("at", nullable=False, index=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)

# Tasks lie in partitions, `tasks_<id>`, of which this is the catalogue; `stage` is one of `partitions.Stage`.
partitions = sa.Table(
    "partitions",
    history,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("stage", sa.String, nullable=False),
    sa.Column("archive", sa.Boolean, nullable=False),
    time_column("opened_at", nullable=False),
    time_column("last_at", nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    time_column("from_at"),
    time_column("to_at"),
    sa.Column("states", sa.Integer, nullable=False),  # one bit for each state that a row here may have
    sa.Column("bytes", BigInt, nullable=False),  # with its indexes
    sa.Column("words", sa.LargeBinary, nullable=False),  # the numbers that a row here may have, in MessagePack
    sa.Column("sieve", sa.LargeBinary),
)

# Names of tasks, workers and queues, which rows hold by number.
words = sa.Table(
    "words",
    history,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("text", sa.Text, nullable=False, unique=True),
)

rollups = sa.Table(
    "rollups",
    history,
    sa.Column("step", sa.Integer, primary_key=True),
    sa.Column("name", sa.Integer, primary_key=True),
    sa.Column("at", sa.Integer, primary_key=True),  # seconds: the beginning of the step
    sa.Column("states", sa.LargeBinary, nullable=False),
    sa.Column("durations", sa.LargeBinary, nullable=False),
    sa.Index("ix_rollups_at", "step", "at"),
    sqlite_with_rowid=False,
)

EACH = 0
"""The step of the rows that hold every sample of a queue; others hold the first of each minute, under its beginning."""

queue_samples = sa.Table(
    "queue_samples",
    history,
    sa.Column("step", sa.Integer, primary_key=True),
    sa.Column("queue", sa.Integer, primary_key=True),
    sa.Column("at", BigInt, primary_key=True),
    sa.Column("remark", sa.Integer, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index("ix_queue_samples_at", "step", "at"),
    sqlite_with_rowid=False,
)

# One minute of a process of an app: how busy its workers were.
loads = sa.Table(
    "loads",
    history,
    sa.Column("app", sa.String, primary_key=True),
    sa.Column("process", sa.String, primary_key=True),
    sa.Column("at", sa.Integer, primary_key=True),  # seconds: the beginning of the minute
    sa.Column("looks", sa.Integer, nullable=False),
    sa.Column("remark", sa.Integer, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index("ix_loads_at", "at"),
    sqlite_with_rowid=False,
)

# What samples and loads say in words, and when one last said so.
remarks = sa.Table(
    "remarks",
    history,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("text", sa.Text, nullable=False, unique=True),
    time_column("last_at", nullable=False, index=True),
)

about = sa.Table(
    "about",
    history,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

TASK_COLUMNS: tuple[tuple[str, sa.types.TypeEngine[Any], bool], ...] = (
    ("key", sa.LargeBinary(), False),
    ("uuid", sa.Text(), True),
    ("state", sa.SmallInteger(), False),
    ("name", sa.Integer(), True),
    ("worker", sa.Integer(), True),
    ("queue", sa.Integer(), True),
    ("first_at", BigInt, False),
    ("sent_at", BigInt, True),
    ("received_at", BigInt, True),
    ("started_at", BigInt, True),
    ("retried_at", BigInt, True),
    ("finished_at", BigInt, True),
    ("failed_at", BigInt, True),
    ("runtime", sa.Float(), True),
    ("retries", sa.Integer(), True),
    ("args", sa.Text(), True),
    ("kwargs", sa.Text(), True),
    ("result", sa.Text(), True),
    ("exception", sa.Text(), True),
    ("traceback", sa.Text(), True),
    ("root_id", sa.Text(), True),
    ("parent_id", sa.Text(), True),
    ("eta", sa.Text(), True),
    ("expires", sa.Text(), True),
    ("pid", BigInt, True),
    ("former", sa.Text(), True),
)


@lru_cache(maxsize=256)  # under full load a new one comes every few seconds
def partition(id: int) -> sa.Table:
    """Return the table of one partition; it is born with the indexes that its newest rows are asked by."""
    name = f"tasks_{id}"
    columns = [sa.Column(column, kind, nullable=nullable) for column, kind, nullable in TASK_COLUMNS]
    table = sa.Table(name, sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), *columns)
    sa.Index(f"{name}_key", table.c.key, unique=True)
    sa.Index(f"{name}_first", table.c.first_at)
    sa.Index(f"{name}_state", table.c.state, table.c.first_at)
    # Few rows: tasks of which two lives of workers have spoken.
    sa.Index(f"{name}_former", table.c.former, sqlite_where=table.c.former.is_not(None))
    return table


def later_indexes(id: int) -> tuple[sa.Index, ...]:
    """Return the indexes that a partition gets when it is sealed: they would slow down its growth."""
    table = partition(id).to_metadata(sa.MetaData())
    row, name = table.c, table.name
    return (
        sa.Index(f"{name}_name", row.name, row.first_at),
        sa.Index(f"{name}_name_state", row.name, row.state, row.first_at),
        sa.Index(f"{name}_worker", row.worker, row.first_at),
        sa.Index(f"{name}_root", row.root_id, sqlite_where=row.root_id.is_not(None)),
    )


incarnations = sa.Table(
    "incarnations",
    history,
    sa.Column("node", sa.String, primary_key=True),
    sa.Column("pid", sa.Integer, primary_key=True),
    time_column("last_seen_at", nullable=False, index=True),
    sa.Column("body", sa.Text, nullable=False),
)

stream = sa.Table(
    "stream",
    history,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
)


def micros(at: float | None) -> int | None:
    """Return seconds since the epoch as the store's microseconds."""
    return None if at is None else int(at * 1e6 + 0.5)


def seconds(at: int | None) -> float | None:
    """Return the store's microseconds as seconds since the epoch."""
    return None if at is None else at / 1_000_000
