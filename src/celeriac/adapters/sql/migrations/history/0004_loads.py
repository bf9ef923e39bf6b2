"""How busy apps were, minute by minute."""

import sqlalchemy as sa
from alembic import op

revision = "history_0004"
down_revision = "history_0003"


def upgrade() -> None:
    op.create_table(
        "loads",
        sa.Column("app", sa.String, primary_key=True),
        sa.Column("process", sa.String, primary_key=True),
        sa.Column("at", sa.Integer, primary_key=True),
        sa.Column("looks", sa.Integer, nullable=False),
        sa.Column("remark", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_loads_at", "loads", ["at"])
