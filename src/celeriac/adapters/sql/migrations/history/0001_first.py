"""One cluster's events as rows: tasks, worker incarnations, and how well the observer hears."""

import sqlalchemy as sa
from alembic import op

revision = "history_0001"
down_revision = None

TIME = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "tasks",
        sa.Column("uuid", sa.String, primary_key=True),
        sa.Column("listed_at", TIME, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("state_rank", sa.Integer, nullable=False),
        sa.Column("state_at", TIME, nullable=False),
        sa.Column("name", sa.String),
        *(sa.Column(name, sa.Text) for name in ("args", "kwargs")),
        *(sa.Column(name, sa.String) for name in ("root_id", "parent_id")),
        sa.Column("retries", sa.Integer),
        sa.Column("eta", sa.String),
        sa.Column("expires", sa.String),
        sa.Column("described_at", TIME, nullable=False),
        sa.Column("queue", sa.String),
        sa.Column("worker", sa.String),
        sa.Column("worker_at", TIME, nullable=False),
        *(sa.Column(name, TIME) for name in ("sent_at", "received_at", "started_at", "finished_at")),
        sa.Column("result", sa.Text),
        sa.Column("runtime", sa.Float),
        sa.Column("exception", sa.Text),
        sa.Column("traceback", sa.Text),
        sa.Column("failed_at", TIME, nullable=False),
    )
    op.create_index("ix_tasks_newest", "tasks", ["listed_at", "uuid"])
    op.create_table(
        "incarnations",
        sa.Column("node", sa.String, primary_key=True),
        sa.Column("pid", sa.Integer, primary_key=True),
        sa.Column("last_seen_at", TIME, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("ix_incarnations_last_seen_at", "incarnations", ["last_seen_at"])
    op.create_table(
        "stream",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )
