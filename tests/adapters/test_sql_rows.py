"""A task's id as bytes, its row, and the filter that tells quickly which ids are surely not in a partition."""

from itertools import count
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import asdict

from adapters.stored import NOW, as_stored, by_uuid, kept
from celeriac.adapters.sql import sieve
from celeriac.adapters.sql.rows import key_of, keys_of, uuid_of
from celeriac.adapters.sql.sieve import Sieve
from celeriac.core.tasks import STATES, Task

TIMES = st.none() | st.integers(1_000_000, 2**32 * 1_000_000 - 1).map(lambda micros: micros / 1e6)
TEXTS = st.none() | st.text()
UUIDS = st.uuids().map(str)
NEARLY_UUIDS = st.tuples(UUIDS, st.integers(0, 35), st.characters()).map(
    lambda t: t[0][: t[1]] + t[2] + t[0][t[1] + 1 :]
)
IDS = UUIDS | UUIDS.map(str.upper) | UUIDS.map(lambda id: id.replace("-", "")) | NEARLY_UUIDS | st.text()


@given(IDS)
@example("")
@example("00000000-0000-0000-0000-000000000000")
@example("0000000000-000-0000-0000-000000000000")
@example("1234567 -1234-1234-1234-1234567890ab")
@example("\ud800")
def test_any_id_comes_back_from_its_key(id):
    key, text = key_of(id)

    assert len(key) == 16
    assert uuid_of(key, text) == id


@given(st.lists(UUIDS, max_size=5) | st.lists(IDS, max_size=5))
@example(["00000000-0000-0000-0000-00000000000 ", "00000000-0000-0000-0000-000000000000"])
def test_many_ids_have_the_keys_that_each_has(ids):
    assert keys_of(ids) == [key_of(id) for id in ids]


@given(st.sets(IDS, max_size=20))
def test_two_ids_have_two_keys(ids):
    """The same UUID in capitals is another task to Celery."""
    assert len({key_of(id)[0] for id in ids}) == len(ids)


def test_celerys_own_ids_are_kept_without_their_text():
    id = "0f8fad5b-d9cb-469f-a165-70867728950e"

    assert key_of(id) == (UUID(id).bytes, None)


@st.composite
def tasks(draw) -> Task:
    """Draw a row as `tasks.apply` makes them: what its times do not tell, it does not say."""
    received, started, retried, finished = (draw(TIMES) for _ in range(4))
    name = draw(TEXTS)
    uuid = draw(IDS)
    newest = max(received or 0.0, started or 0.0, retried or 0.0, finished or 0.0)
    return Task(
        uuid=uuid,
        state=draw(st.sampled_from(list(STATES.values()))),
        name=name,
        worker=draw(TEXTS),
        queue=draw(TEXTS),
        first_at=draw(TIMES.filter(bool)),
        sent_at=draw(TIMES),
        received_at=received,
        started_at=started,
        retried_at=retried,
        finished_at=finished,
        failed_at=draw(TIMES),
        runtime=draw(st.none() | st.floats(0, 1e9)),
        retries=draw(st.none() | st.integers(0, 2**53)),
        root_id=None if name is None else draw(st.just(uuid) | st.text()),
        state_at=newest,
        **{field: draw(TEXTS) for field in ("args", "kwargs", "result", "exception", "traceback", "parent_id", "eta")},
        expires=draw(TEXTS),
    )


@given(tasks())
def test_any_task_comes_back_from_its_row(task):
    """Until the year 2106 to the microsecond."""
    assert asdict(as_stored(task)) == asdict(task)


def test_a_described_task_without_a_root_is_its_own():
    """So it is in Celery; a task of which only later events were heard has a root that nobody knows."""
    assert as_stored(Task("t", name="mail", first_at=NOW)).root_id == "t"
    assert as_stored(Task("t", first_at=NOW)).root_id is None


def test_any_task_comes_back_from_the_store(tmp_path):
    """Texts of any kind, NUL and empty ones included, and the largest numbers."""
    number = count()

    @given(st.lists(tasks(), unique_by=lambda task: task.uuid, max_size=5))
    def stored(some):
        with kept(tmp_path / f"{next(number)}.db", rows=3) as one:
            one.record(*some)
            assert by_uuid(one.all()) == by_uuid(some)
            assert [one.tasks.task(task.uuid) for task in some] == some

    stored()


# The sieve -----------------------------------------------------------------------------------------------------------

KEYS = st.lists(st.binary(min_size=16, max_size=16), max_size=50)


@given(KEYS, KEYS, st.integers(0, 100), st.booleans())
def test_the_sieve_never_denies_an_id_that_is_there(these, others, number, fit):
    """Nor after it was stored, nor when it was made to fit fewer."""
    one = Sieve()
    one.add(sieve.ids(these))
    one.add(sieve.ids(others))
    if fit:
        one.fit(number)
    again = Sieve(one.packed())

    for each in (one, again):
        assert each.passes(sieve.ids(these + others)).all()
    assert again.passes(sieve.ids(others)).tolist() == one.passes(sieve.ids(others)).tolist()


@pytest.mark.parametrize("number", [0, 10, 3000, 200_000])
def test_the_sieve_lets_few_others_pass(number):
    """Whether full or made to fit a few; and it is no larger than these need."""
    keys = [key_of(f"in-{n}")[0] for n in range(number)]
    others = sieve.ids([key_of(f"out-{n}")[0] for n in range(20_000)])
    one = Sieve()
    one.add(sieve.ids(keys))
    one.fit(number)

    assert one.passes(others).mean() < 0.02
    assert len(one.packed()) < 100 + 4 * number
