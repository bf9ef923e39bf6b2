"""The tables. Times are integer microseconds UTC; `body` holds a whole value as JSON, beside the columns that are asked by."""

import sqlalchemy as sa

control = sa.MetaData()
history = sa.MetaData()

BigInt = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite's rowid is an INTEGER and nothing else


def _time(name: str, *, nullable: bool = True, index: bool = False) -> "sa.Column[int]":
    return sa.Column(name, BigInt, nullable=nullable, index=index)


lease = sa.Table(
    "lease",
    control,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("holder", sa.String, nullable=False),
    _time("expires_at", nullable=False),
)

incidents = sa.Table(
    "incidents",
    control,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("cluster", sa.String, nullable=False),
    sa.Column("worker", sa.String, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    _time("opened_at", nullable=False, index=True),
    _time("resolved_at", index=True),
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
    _time("asked_at", nullable=False, index=True),
    _time("ended_at"),
    sa.Column("body", sa.Text, nullable=False),
)

pools = sa.Table(
    "pools",
    control,
    sa.Column("cluster", sa.String, primary_key=True),
    sa.Column("incarnation", sa.String, primary_key=True),
    _time("learned_at", nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)

lived = sa.Table(
    "lived",
    control,
    sa.Column("cluster", sa.String, primary_key=True),
    sa.Column("guid", sa.String, primary_key=True),
    _time("seen_at", nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)

boards = sa.Table(
    "boards",
    control,
    sa.Column("cluster", sa.String, primary_key=True),
    _time("at", nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)

tasks = sa.Table(
    "tasks",
    history,
    sa.Column("uuid", sa.String, primary_key=True),
    _time("listed_at", nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("state_rank", sa.Integer, nullable=False),
    _time("state_at", nullable=False),
    sa.Column("name", sa.String),
    sa.Column("args", sa.Text),
    sa.Column("kwargs", sa.Text),
    sa.Column("root_id", sa.String),
    sa.Column("parent_id", sa.String),
    sa.Column("retries", sa.Integer),
    sa.Column("eta", sa.String),
    sa.Column("expires", sa.String),
    _time("described_at", nullable=False),
    sa.Column("queue", sa.String),
    sa.Column("worker", sa.String),
    _time("worker_at", nullable=False),
    _time("sent_at"),
    _time("received_at"),
    _time("started_at"),
    _time("finished_at"),
    sa.Column("result", sa.Text),
    sa.Column("runtime", sa.Float),
    sa.Column("exception", sa.Text),
    sa.Column("traceback", sa.Text),
    _time("failed_at", nullable=False),
    sa.Index("ix_tasks_newest", "listed_at", "uuid"),  # read from its end: newest first
)

incarnations = sa.Table(
    "incarnations",
    history,
    sa.Column("node", sa.String, primary_key=True),
    sa.Column("pid", sa.Integer, primary_key=True),
    _time("last_seen_at", nullable=False, index=True),
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
    return None if at is None else round(at * 1_000_000)


def seconds(at: int | None) -> float | None:
    """Return the store's microseconds as seconds since the epoch."""
    return None if at is None else at / 1_000_000
