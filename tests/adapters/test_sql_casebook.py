"""What is kept beside incidents, in a real file: casualties, evidence, and moments."""

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from adapters.stored import DAY, NOW
from celeriac.adapters.sql import casebook as module
from celeriac.adapters.sql import schema
from celeriac.adapters.sql.casebook import CASUALTIES_KEPT_S, EVIDENCE_KEPT_S, SqlCasebook
from celeriac.adapters.sql.database import Database
from celeriac.core.casualties import Casualties, Casualty, Fate
from celeriac.core.exhibits import Exhibit, Kept, Line
from celeriac.core.offline import Moment
from core.builders import seen, worker

TASK = Casualty("t1", "STARTED", NOW, "work — é", "orders", Fate.LOST, "gone")
RECORD = Casualties("r1", "shop", "inc", "w@a", 7, NOW - DAY, NOW, NOW, (TASK,), 3, ("a doubt",), NOW)
KEPT = Kept(
    "inc", "shop", NOW, (Exhibit("logs", NOW, (Line("a line", NOW), Line("é"))), Exhibit("stats", NOW, why="no"))
)


@pytest.fixture
def database(tmp_path):
    one = Database(tmp_path / "control.db", "control")
    one.migrate()
    yield one
    one.close()


@pytest.fixture
def casebook(database):
    return SqlCasebook(database)


def rows(database, table):
    with database.reading() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table))


def test_a_record_comes_back_as_it_was_and_changes_in_place(casebook, database):
    casebook.put([RECORD])
    assert casebook.casualties("inc") == [RECORD]

    casebook.put([replace(RECORD, more=0)])
    assert casebook.casualties("inc") == [replace(RECORD, more=0)]
    assert casebook.casualties("other") == []


def test_only_what_is_not_closed_is_watched(casebook):
    casebook.put([RECORD, replace(RECORD, id="r2", closed=True), replace(RECORD, id="r3", cluster="billing")])

    assert [one.id for one in casebook.watched("shop")] == ["r1"]


def test_records_go_after_their_time(casebook):
    casebook.put([RECORD])
    casebook.put([replace(RECORD, id="r2", ended_at=NOW, looked_at=NOW + CASUALTIES_KEPT_S + 1)])

    assert casebook.casualties("inc") == []


def test_evidence_comes_back_as_it_was_and_the_newest_stands(casebook):
    casebook.keep(replace(KEPT, exhibits=()))
    casebook.keep(KEPT)

    assert casebook.kept("inc") == KEPT
    assert casebook.kept("other") is None


def test_a_moment_comes_back_as_it_was(casebook):
    moment = Moment(seen(worker(silent=40)))
    casebook.keep_moment("inc", moment)

    assert casebook.moment("inc") == moment
    assert casebook.moment("other") is None


def test_evidence_goes_after_its_time_and_beyond_its_number(casebook, database, monkeypatch):
    casebook.keep(replace(KEPT, incident="old", at=NOW - EVIDENCE_KEPT_S - 1))
    monkeypatch.setattr(module, "EVIDENCE_AT_MOST", 2)
    for number in range(9):
        casebook.keep(replace(KEPT, incident=f"inc-{number}", at=NOW + number))

    assert casebook.kept("old") is None
    assert rows(database, schema.evidence) == 4
    assert casebook.kept("inc-8") is not None
