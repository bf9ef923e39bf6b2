"""Who has signed on and with what, who may what, and an audit trail that says more and is only ever added to."""

import sqlalchemy as sa
from alembic import op

revision = "control_0005"
down_revision = "control_0004"

TIME = sa.BigInteger().with_variant(sa.Integer, "sqlite")

LEAST_DAYS = 30
"""Younger rows of the audit trail are never dropped, whatever the settings say."""

REFUSED = "SELECT RAISE(ABORT, 'the audit trail is only added to')"
KEPT = f"SELECT RAISE(ABORT, 'the audit trail is kept for {LEAST_DAYS} days at least')"
IS_THERE = "EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)"
IS_YOUNG = f"OLD.at >= (CAST(strftime('%s', 'now') AS INTEGER) - {LEAST_DAYS * 86400}) * 1000000"

TRIGGERS = (
    f"CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN {REFUSED}; END",
    # An INSERT OR REPLACE deletes without a trigger.
    f"CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit WHEN {IS_THERE} BEGIN {REFUSED}; END",
    f"CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit WHEN {IS_YOUNG} BEGIN {KEPT}; END",
)


def upgrade() -> None:
    _audit()
    _sign_on()
    _roles()


def _audit() -> None:
    op.alter_column("audit", "outcome", new_column_name="detail")
    op.add_column("audit", sa.Column("outcome", sa.String, nullable=False, server_default="done"))
    for name in ("role", "address", "token"):
        op.add_column("audit", sa.Column(name, sa.String, nullable=False, server_default=""))
    for name in ("before", "after", "why"):
        op.add_column("audit", sa.Column(name, sa.Text, nullable=False, server_default=""))
    for name in ("cluster", "actor", "action"):
        op.create_index(f"ix_audit_{name}", "audit", [name])
    op.create_index("ix_audit_target", "audit", ["target", "action"])
    for trigger in TRIGGERS:
        op.execute(trigger)


def _sign_on() -> None:
    op.create_table(
        "sessions",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("id", sa.String, nullable=False, unique=True),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("provider_session", sa.String),
        sa.Column("parent", sa.String),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("until_at", TIME, nullable=False),
        sa.Column("claimed_until", TIME),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    for name in ("subject", "provider_session", "parent", "until_at"):
        op.create_index(f"ix_sessions_{name}", "sessions", [name])
    op.create_table(
        "api_tokens",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("id", sa.String, nullable=False, unique=True),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("until_at", TIME, nullable=False),
        sa.Column("used_at", TIME),
        sa.Column("used_from", sa.String, nullable=False),
        sa.Column("revoked_at", TIME),
        sa.Column("revoked_by", sa.String, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("ix_api_tokens_made_at", "api_tokens", ["made_at"])
    op.create_table(
        "once",
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("until_at", TIME, nullable=False),
        sa.Column("sealed", sa.LargeBinary),
    )
    op.create_index("ix_once_until_at", "once", ["until_at"])
    op.create_table(
        "attempts",
        sa.Column("id", TIME, primary_key=True),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("at", TIME, nullable=False),
    )
    op.create_index("ix_attempts_at", "attempts", ["at"])
    op.create_index("ix_attempts_key", "attempts", ["key", "at"])


def _roles() -> None:
    op.create_table(
        "role_tables",
        sa.Column("id", TIME, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "break_glass",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("at", TIME, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("address", sa.String, nullable=False),
        sa.Column("seen_at", TIME),
        sa.Column("seen_by", sa.String, nullable=False),
    )
    op.create_index("ix_break_glass_at", "break_glass", ["at"])
