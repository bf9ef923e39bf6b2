"""The audit trail in a real file."""

import pytest
from msgspec.structs import replace

from celeriac.adapters.sql.audit import KEPT_S, SqlAudit
from celeriac.adapters.sql.database import Database
from celeriac.core.errors import UnreachableError
from celeriac.ports import AuditEntry

AT = 1_795_000_000.25
ENTRY = AuditEntry(AT, "celeriac", "enable_events", "worker@a#7", "task events enabled — é", "shop")


@pytest.fixture
def database(tmp_path):
    one = Database(tmp_path / "control.db", "control")
    one.migrate()
    yield one
    one.close()


@pytest.fixture
def audit(database):
    return SqlAudit(database)


def test_an_entry_comes_back_as_it_was(audit):
    audit.note(ENTRY)

    assert audit.entries("shop", limit=9) == [ENTRY]


def test_an_entry_may_be_of_no_cluster(audit):
    audit.note(replace(ENTRY, cluster=None))

    assert audit.entries(None, limit=9) == [replace(ENTRY, cluster=None)]
    assert audit.entries("shop", limit=9) == []


def test_another_store_on_the_same_file_reads_it(audit, database, tmp_path):
    audit.note(ENTRY)
    other = Database(tmp_path / "control.db", "control")
    try:
        assert SqlAudit(other).entries("shop", limit=9) == [ENTRY]
    finally:
        other.close()


def test_the_newest_comes_first_and_no_more_than_asked_for(audit):
    """Of two of one moment the later one."""
    for number, at in enumerate([AT, AT + 2, AT + 1, AT + 2]):
        audit.note(replace(ENTRY, at=at, outcome=str(number)))

    assert [one.outcome for one in audit.entries("shop", limit=3)] == ["3", "1", "2"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"cluster": None}, ["a", "b", "c", "d"]),
        ({"cluster": "shop"}, ["a", "b", "c"]),
        ({"cluster": "shop", "action": "revoke"}, ["b"]),
        ({"cluster": "shop", "target": "worker@b#8"}, ["c"]),
        ({"cluster": "shop", "since": AT + 1}, ["b", "c"]),
        ({"cluster": "shop", "action": "enable_events", "target": "worker@a#7", "since": AT + 0.001}, []),
        ({"cluster": "shop", "action": "enable_events", "target": "worker@a#7", "since": AT}, ["a"]),
    ],
    ids=repr,
)
def test_entries_are_found_by_what_they_say(audit, wanted, expected):
    audit.note(replace(ENTRY, outcome="a"))
    audit.note(replace(ENTRY, outcome="b", at=AT + 1, action="revoke"))
    audit.note(replace(ENTRY, outcome="c", at=AT + 2, target="worker@b#8"))
    audit.note(replace(ENTRY, outcome="d", at=AT + 3, cluster="other"))

    assert sorted(one.outcome for one in audit.entries(**wanted, limit=9)) == expected


def test_entries_of_two_years_are_kept(audit):
    audit.note(replace(ENTRY, outcome="too old"))
    audit.note(replace(ENTRY, outcome="old", at=AT + 1))
    audit.note(replace(ENTRY, outcome="new", at=AT + 0.5 + KEPT_S))

    assert [one.outcome for one in audit.entries("shop", limit=9)] == ["new", "old"]


def test_a_file_that_is_no_database_is_unreachable(tmp_path):
    (tmp_path / "control.db").write_bytes(b"no database" * 1000)
    broken = Database(tmp_path / "control.db", "control")
    try:
        with pytest.raises(UnreachableError, match="cannot be used"):
            SqlAudit(broken).note(ENTRY)
    finally:
        broken.close()
