"""The tables of access in `control.db`: sessions, tokens, what happens once, failed tries, roles, break-glass, and the audit trail.

A `key` is a SHA-256 of a secret, a `sealed` what only the secret opens: neither gives anything to who has the file alone.
"""

import sqlalchemy as sa

from celeriac.adapters.sql.schema import BigInt, control, time_column

audit = sa.Table(
    "audit",
    control,
    sa.Column("id", BigInt, primary_key=True),
    time_column("at", nullable=False, index=True),
    sa.Column("cluster", sa.String, index=True),
    sa.Column("actor", sa.String, nullable=False, index=True),
    sa.Column("action", sa.String, nullable=False, index=True),
    sa.Column("target", sa.String, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("outcome", sa.String, nullable=False, server_default="done"),
    sa.Column("role", sa.String, nullable=False, server_default=""),
    sa.Column("address", sa.String, nullable=False, server_default=""),
    sa.Column("token", sa.String, nullable=False, server_default=""),
    sa.Column("before", sa.Text, nullable=False, server_default=""),
    sa.Column("after", sa.Text, nullable=False, server_default=""),
    sa.Column("why", sa.Text, nullable=False, server_default=""),
    sa.Index("ix_audit_target", "target", "action"),
)

sessions = sa.Table(
    "sessions",
    control,
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("id", sa.String, nullable=False, unique=True),
    sa.Column("subject", sa.String, nullable=False, index=True),
    sa.Column("provider_session", sa.String, index=True),
    sa.Column("parent", sa.String, index=True),
    time_column("opened_at", nullable=False),
    time_column("until_at", nullable=False, index=True),
    time_column("claimed_until"),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
)

api_tokens = sa.Table(
    "api_tokens",
    control,
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("id", sa.String, nullable=False, unique=True),
    time_column("made_at", nullable=False, index=True),
    time_column("until_at", nullable=False),
    time_column("used_at"),
    sa.Column("used_from", sa.String, nullable=False),
    time_column("revoked_at"),
    sa.Column("revoked_by", sa.String, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)

# `kind` tells what is to be taken from what was only seen.
once = sa.Table(
    "once",
    control,
    sa.Column("kind", sa.String, primary_key=True),
    sa.Column("key", sa.LargeBinary, primary_key=True),
    time_column("until_at", nullable=False, index=True),
    sa.Column("sealed", sa.LargeBinary),
)

attempts = sa.Table(
    "attempts",
    control,
    sa.Column("id", BigInt, primary_key=True),
    sa.Column("key", sa.LargeBinary, nullable=False),
    time_column("at", nullable=False, index=True),
    sa.Index("ix_attempts_key", "key", "at"),
)

role_tables = sa.Table(
    "role_tables",
    control,
    sa.Column("id", BigInt, primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
)

break_glass = sa.Table(
    "break_glass",
    control,
    sa.Column("id", sa.String, primary_key=True),
    time_column("at", nullable=False, index=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("address", sa.String, nullable=False),
    time_column("seen_at"),
    sa.Column("seen_by", sa.String, nullable=False),
)
