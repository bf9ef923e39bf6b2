"""Tasks that died with a worker, and what was kept of an incident."""

import sqlalchemy as sa
from alembic import op

revision = "control_0004"
down_revision = "control_0003"

TIME = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "casualties",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("cluster", sa.String, nullable=False),
        sa.Column("incident", sa.String, nullable=False),
        sa.Column("ended_at", TIME, nullable=False),
        sa.Column("closed", sa.Boolean, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("ix_casualties_incident", "casualties", ["incident"])
    op.create_index("ix_casualties_ended_at", "casualties", ["ended_at"])
    op.create_table(
        "evidence",
        sa.Column("incident", sa.String, primary_key=True),
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("at", TIME, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_evidence_at", "evidence", ["at"])
