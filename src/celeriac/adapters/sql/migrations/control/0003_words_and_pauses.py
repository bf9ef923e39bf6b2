"""What people want to be done with incidents, and the pauses that they order."""

import sqlalchemy as sa
from alembic import op

revision = "control_0003"
down_revision = "control_0002"

TIME = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "deeds",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("cluster", sa.String, nullable=False),
        sa.Column("incident", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("asked_at", TIME, nullable=False),
        sa.Column("ended_at", TIME),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("ix_deeds_state", "deeds", ["state"])
    op.create_table(
        "pauses",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("cluster", sa.String),
        sa.Column("at", TIME, nullable=False),
        sa.Column("until_at", TIME, nullable=False),
        sa.Column("ended_at", TIME),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("ix_pauses_until_at", "pauses", ["until_at"])
