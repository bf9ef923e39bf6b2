"""Loads of apps in the store: a minute is one row, and the tasks of a window are found by the nodes that had them."""

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

import busy_week
from adapters.stored import DAY, NOW, kept
from busy_week import APP, NODES, load
from celeriac.adapters.sql import schema
from celeriac.adapters.sql.loads import SqlLoads
from celeriac.core.retention import Retention


@pytest.fixture
def history(tmp_path):
    with kept(tmp_path / "history.db", rows=300, retention=Retention(samples_s=2 * DAY)) as one:
        yield one


@pytest.fixture
def loads(history):
    return SqlLoads(history.database)


AT = NOW // 60 * 60


def test_minutes_come_back_as_they_were_stored(history, loads):
    first = load(AT, 3, unsure=1)
    second = load(AT + 60, 4, waiting=None, shared=True, nodes=("worker@é",))
    history.record(loads=[second, replace(first, app="mail-worker"), first])
    assert loads.loads(APP, AT, AT + 61) == [first, second]
    assert loads.loads(APP, AT + 1, AT + 60) == [], "from the first on, before the second"
    assert loads.loads("nobody", 0, NOW + DAY) == []


def test_a_minute_is_replaced_by_more_looks_at_it_and_never_by_fewer(history, loads):
    whole = load(AT, 3)
    part = replace(whole, looks=2, busy=8, slots=24)
    for one, held in ((part, part), (whole, whole), (part, whole), (whole, whole)):
        history.record(loads=[one])
        assert loads.loads(APP, 0, NOW + DAY) == [held]


def test_who_worked_there_is_kept_once_however_many_minutes(history):
    history.record(loads=[load(AT + 60 * n, n % 5) for n in range(50)])
    with history.database.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.remarks)) == 1


def test_loads_are_forgotten_in_their_time_with_what_they_say(history, loads):
    history.record(loads=[load(AT, 1, nodes=("gone",))])
    history.record(loads=[load(AT + DAY, 2)])
    history.tidy(AT + 2 * DAY + 61)
    assert loads.loads(APP, 0, NOW + 9 * DAY) == [load(AT + DAY, 2)]
    with history.database.reading() as connection:
        assert len(connection.scalars(sa.select(schema.remarks.c.text)).all()) == 1


def test_the_tasks_of_a_window_come_from_all_partitions_earliest_first(history, loads):
    tasks = busy_week.tasks(AT, AT + 400, per_s=2.5, mean_s=3.0)
    other = [replace(one, uuid=f"other-{n}", worker="worker@elsewhere") for n, one in enumerate(tasks[:100])]
    history.record(*tasks, *other)
    assert len(history.partitions("id")) > 2
    wanted = [one for one in tasks if AT + 100 <= one.first_at < AT + 300]
    found, whole = loads.work(NODES, AT + 100, AT + 300, 10_000)
    assert whole
    assert [one.uuid for one in found] == [one.uuid for one in wanted]
    some, whole = loads.work(NODES, AT + 100, AT + 300, 50)
    assert not whole
    assert [one.uuid for one in some] == [one.uuid for one in wanted[:50]]
    one_node, _ = loads.work(NODES[:1], AT, AT + 400, 10_000)
    assert {one.worker for one in one_node} == {NODES[0]}
    assert loads.work(["nobody"], AT, AT + 400, 50) == ([], True)
    assert loads.work([], AT, AT + 400, 50) == ([], True)
