"""The keeper's memory: lease, incidents, remedies, what was learned of workers and places, and its last word."""

import sqlalchemy as sa
from alembic import op

revision = "control_0001"
down_revision = None

TIME = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "lease",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("holder", sa.String, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
    )
    op.create_table(
        "incidents",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("cluster", sa.String, nullable=False),
        sa.Column("worker", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("resolved_at", TIME),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("ix_incidents_opened_at", "incidents", ["opened_at"])
    op.create_index("ix_incidents_resolved_at", "incidents", ["resolved_at"])
    op.create_table(
        "remedies",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("cluster", sa.String, nullable=False),
        sa.Column("worker", sa.String, nullable=False),
        sa.Column("incident", sa.String),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("asked_at", TIME, nullable=False),
        sa.Column("ended_at", TIME),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("ix_remedies_asked_at", "remedies", ["asked_at"])
    for name, key, time in (("pools", "incarnation", "learned_at"), ("lived", "guid", "seen_at")):
        op.create_table(
            name,
            sa.Column("cluster", sa.String, primary_key=True),
            sa.Column(key, sa.String, primary_key=True),
            sa.Column(time, TIME, nullable=False),
            sa.Column("body", sa.Text, nullable=False),
        )
    op.create_table(
        "boards",
        sa.Column("cluster", sa.String, primary_key=True),
        sa.Column("at", TIME, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
