"""What Celeriac itself has told workers, by whom and with what answer."""

import sqlalchemy as sa
from alembic import op

revision = "control_0002"
down_revision = "control_0001"

TIME = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", TIME, primary_key=True),
        sa.Column("at", TIME, nullable=False),
        sa.Column("cluster", sa.String),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("target", sa.String, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
