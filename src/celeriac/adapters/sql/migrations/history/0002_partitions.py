"""Tasks lie in partitions; names are numbers; roll-ups, samples of queues, and an identity of the history."""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "history_0002"
down_revision = "history_0001"

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.drop_table("tasks")
    op.create_table(
        "partitions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("stage", sa.String, nullable=False),
        sa.Column("archive", sa.Boolean, nullable=False),
        sa.Column("opened_at", BIG, nullable=False),
        sa.Column("last_at", BIG, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("from_at", BIG),
        sa.Column("to_at", BIG),
        sa.Column("states", sa.Integer, nullable=False),
        sa.Column("bytes", BIG, nullable=False),
        sa.Column("words", sa.LargeBinary, nullable=False),
        sa.Column("sieve", sa.LargeBinary),
    )
    op.create_table(
        "words",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("text", sa.Text, nullable=False, unique=True),
    )
    op.create_table(
        "rollups",
        sa.Column("step", sa.Integer, primary_key=True),
        sa.Column("name", sa.Integer, primary_key=True),
        sa.Column("at", sa.Integer, primary_key=True),
        sa.Column("states", sa.LargeBinary, nullable=False),
        sa.Column("durations", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_rollups_at", "rollups", ["step", "at"])
    op.create_table(
        "queue_samples",
        sa.Column("step", sa.Integer, primary_key=True),
        sa.Column("queue", sa.Integer, primary_key=True),
        sa.Column("at", BIG, primary_key=True),
        sa.Column("remark", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_queue_samples_at", "queue_samples", ["step", "at"])
    op.create_table(
        "remarks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("text", sa.Text, nullable=False, unique=True),
        sa.Column("last_at", BIG, nullable=False),
    )
    op.create_index("ix_remarks_last_at", "remarks", ["last_at"])
    about = op.create_table(
        "about",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.bulk_insert(about, [{"name": "identity", "value": uuid.uuid4().hex[:8]}])
