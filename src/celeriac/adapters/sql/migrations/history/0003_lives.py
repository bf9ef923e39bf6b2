"""A task's row tells which life of a worker spoke last of it, and what the life before said."""

import sqlalchemy as sa
from alembic import op

revision = "history_0003"
down_revision = "history_0002"

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    partitions = sa.table("partitions", sa.column("id", sa.Integer), sa.column("stage", sa.String))
    query = sa.select(partitions.c.id).where(partitions.c.stage != "dropping")
    for id in op.get_bind().execute(query).scalars().all():
        name = f"tasks_{id}"
        op.add_column(name, sa.Column("pid", BIG))
        op.add_column(name, sa.Column("former", sa.Text))
        op.create_index(f"{name}_former", name, ["former"], sqlite_where=sa.column("former").is_not(None))
