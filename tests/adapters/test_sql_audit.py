"""The audit trail in a real file: nothing but adding to it, and dropping what is old."""

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from celeriac.adapters.sql import audit as adapter
from celeriac.adapters.sql.audit import DAY_S, DROPPED_AT_ONCE, SqlAudit
from celeriac.adapters.sql.database import Database
from celeriac.core.errors import UnreachableError
from celeriac.ports import AuditEntry, AuditFilter, Outcome

AT = 4_000_000_000.25  # younger than any day on which this runs
ENTRY = AuditEntry(
    AT - 5,
    "ada",
    "restart",
    "orders-worker/0",
    "it hangs — é",
    "shop",
    Outcome.ORDERED,
    role="responder",
    address="10.1.2.3",
    token="s-1",
    before="5 instances",
    after="6 instances",
    why="INC 100% of it_",
)


@pytest.fixture
def database(tmp_path):
    one = Database(tmp_path / "control.db", "control")
    one.migrate()
    yield one
    one.close()


@pytest.fixture
def audit(database):
    return SqlAudit(database)


def details(audit, limit=9, **which):
    return [one.detail for one in audit.entries(AuditFilter(limit, **which))]


def test_an_entry_comes_back_as_it_was(audit):
    audit.note(ENTRY)
    (found,) = audit.entries(AuditFilter(9))

    assert replace(found, id=None, at=ENTRY.at) == ENTRY
    assert found.at == pytest.approx(ENTRY.at, abs=1e-6)
    assert found.id == 1


def test_an_entry_may_be_of_no_cluster(audit):
    audit.note(replace(ENTRY, cluster=None))

    assert details(audit) == [ENTRY.detail]
    assert details(audit, cluster="shop") == []


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ({}, "dcba"),
        ({"cluster": "shop"}, "cba"),
        ({"cluster": "shop", "action": "revoke"}, "b"),
        ({"actor": "bo"}, "d"),
        ({"target": "t"}, "c"),
        ({"outcome": Outcome.DENIED}, "b"),
        ({"since": AT + 1}, "dcb"),
        ({"until": AT + 1}, "a"),
        ({"since": AT + 1, "until": AT + 3}, "cb"),
        ({"below": 3}, "ba"),
        ({"below": 3, "limit": 1}, "b"),
        ({"above": 2}, "dc"),
        ({"above": 1, "limit": 2}, "cb"),
        ({"above": 4}, ""),
        ({"text": "100%"}, "dcba"),
        ({"text": "10%"}, ""),
        ({"text": "of_it"}, ""),
        ({"text": "ORDERS-W"}, "dba"),
        ({"text": "\\"}, ""),
    ],
    ids=repr,
)
def test_entries_are_found_by_what_they_say(audit, which, expected):
    audit.note(replace(ENTRY, at=AT, detail="a"))
    audit.note(replace(ENTRY, at=AT + 1, detail="b", action="revoke", outcome=Outcome.DENIED))
    audit.note(replace(ENTRY, at=AT + 2, detail="c", target="t"))
    audit.note(replace(ENTRY, at=AT + 3, detail="d", cluster="other", actor="bo"))

    assert "".join(details(audit, **{"limit": 9, **which})) == expected


def test_pages_leave_none_out_and_repeat_none(audit):
    """Also where clocks of several processes differ a little, and while others write."""
    for number in range(10):
        audit.note(replace(ENTRY, at=AT + number % 3, detail=str(number)))
    seen, below = [], None
    while page := audit.entries(AuditFilter(4, below=below)):
        audit.note(replace(ENTRY, detail="later"))
        seen += [one.detail for one in page]
        below = page[-1].id

    assert seen == [str(number) for number in reversed(range(10))]


@pytest.mark.parametrize("which", [{"cluster": "a"}, {"actor": "a"}, {"action": "a"}], ids=repr)
def test_filters_are_served_by_an_index_in_the_order_that_is_wanted(database, which):
    query = sa.select(adapter.audit.c.id).where(*adapter._conditions(AuditFilter(9, **which)))
    text = str(query.order_by(adapter.audit.c.id.desc()).compile(compile_kwargs={"literal_binds": True}))
    with database.reading() as connection:
        plan = " ".join(row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}"))

    assert f"ix_audit_{next(iter(which))}" in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE audit SET actor = 'nobody'", "only added to"),
        (
            "INSERT OR REPLACE INTO audit (id, at, actor, action, target, detail) VALUES (1, 1, '', '', '', '')",
            "only added to",
        ),
        ("DELETE FROM audit", "kept for 30 days"),
    ],
)
def test_the_file_itself_refuses_to_lose_a_row(audit, database, statement, said):
    """Whoever asks: any program that opens the file."""
    audit.note(ENTRY)
    other = sqlite3.connect(database.path)
    try:
        with pytest.raises(sqlite3.IntegrityError, match=said):
            other.execute(statement)
    finally:
        other.close()
    assert details(audit) == [ENTRY.detail]


def test_what_is_too_old_is_dropped_in_small_steps(database):
    audit = SqlAudit(database, days=100)
    old, now = DROPPED_AT_ONCE + 5, time.time()
    with database.writing() as connection:
        row = {"actor": "", "action": "", "target": "", "detail": "old", "at": int((now - 101 * DAY_S) * 1e6)}
        connection.execute(sa.insert(adapter.audit), [row] * old)
        connection.execute(sa.insert(adapter.audit), [{**row, "detail": "kept", "at": int((now - 99 * DAY_S) * 1e6)}])
    audit.note(replace(ENTRY, at=now, detail="new"))
    assert details(audit, limit=999).count("old") == 5

    audit.note(replace(ENTRY, at=now, detail="newer"))
    assert details(audit, limit=999) == ["newer", "new", "kept"]


def test_a_clock_that_is_far_ahead_drops_nothing_young_and_is_no_obstacle(audit):
    audit.note(ENTRY)
    audit.note(replace(ENTRY, at=AT + 10 * 365 * DAY_S, detail="from the future"))

    assert details(audit) == ["from the future", ENTRY.detail]


def test_many_writers_of_two_processes_lose_nothing(audit, database):
    other = Database(database.path, "control")
    try:
        with ThreadPoolExecutor(8) as threads:
            both = [audit, SqlAudit(other)]
            list(threads.map(lambda n: both[n % 2].note(replace(ENTRY, detail=str(n))), range(60)))
        assert sorted(map(int, details(audit, limit=99))) == list(range(60))
    finally:
        other.close()


def test_rows_from_before_stay_readable(tmp_path):
    """Their outcome was a text, which is their detail now."""
    database = Database(tmp_path / "control.db", "control")
    try:
        database.migrate()
        with database.writing() as connection:
            for name in ("sessions", "api_tokens", "once", "attempts", "role_tables", "break_glass", "audit"):
                connection.exec_driver_sql(f"DROP TABLE {name}")
            connection.exec_driver_sql(
                "CREATE TABLE audit (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, cluster VARCHAR, actor VARCHAR NOT NULL, "
                "action VARCHAR NOT NULL, target VARCHAR NOT NULL, outcome TEXT NOT NULL)"
            )
            connection.exec_driver_sql("CREATE INDEX ix_audit_at ON audit (at)")
            connection.exec_driver_sql(
                "INSERT INTO audit VALUES (7, 1795000000250000, 'shop', 'celeriac', 'enable_events', 'w@a#7', 'enabled — é')"
            )
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'control_0004'")
        assert not database.current()
        database.migrate()

        old = AuditEntry(1_795_000_000.25, "celeriac", "enable_events", "w@a#7", "enabled — é", "shop", id=7)
        assert SqlAudit(database).entries(AuditFilter(9)) == [old]
        SqlAudit(database).note(ENTRY)
        assert details(SqlAudit(database)) == [ENTRY.detail, "enabled — é"]
    finally:
        database.close()


def test_a_file_that_is_no_database_is_unreachable(tmp_path):
    (tmp_path / "control.db").write_bytes(b"no database" * 1000)
    broken = Database(tmp_path / "control.db", "control")
    try:
        with pytest.raises(UnreachableError, match="cannot be used"):
            SqlAudit(broken).note(ENTRY)
    finally:
        broken.close()
