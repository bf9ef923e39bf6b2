"""The laws of folding and storing: neither order nor repetition nor slicing nor loss of memory changes a task's row.

And roll-ups are always the sum over the stored rows.
"""

from typing import NamedTuple

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from adapters.stored import DAY, as_stored, by_uuid, fresh
from celeriac.core import tasks
from celeriac.core.events import Event
from celeriac.core.fold import ClusterState
from celeriac.core.tasks import STATES, Task

T0 = 1_790_000_000
KINDS = (*(kind.removeprefix("task-") for kind in STATES), "unheard-of")
FIELDS = {
    "sent": ("name", "args", "retries", "queue", "root_id", "eta"),
    "received": ("name", "args", "kwargs", "retries", "eta", "root_id", "parent_id"),
    "succeeded": ("result", "runtime"),
    "failed": ("exception", "traceback"),
    "retried": ("exception", "traceback"),
    "revoked": ("terminated", "expired"),
}
PIDS = st.sampled_from([7, 8, 12])
TICKS = (0.00000025, 0.125, 1.0, 60.0, 3600.0)
"""How coarse clocks are: within one microsecond, one second, one minute, one hour or more."""


@st.composite
def histories(draw) -> list[Event]:
    """Draw what happened to a few tasks: attempts on several workers, by clocks that need not agree and may stand."""
    tick = draw(st.sampled_from(TICKS))
    found = []
    for _ in range(draw(st.integers(1, 12))):
        kind = draw(st.sampled_from(KINDS))
        at, uuid = draw(st.integers(0, 40)), draw(st.sampled_from(["t1", "t2", "t3"]))
        said = [name for name in FIELDS.get(kind, ()) if draw(st.booleans())]
        values = {name: value(name, draw(st.integers(0, 40)), uuid) for name in said}
        host = "gen1@web" if kind == "sent" else draw(st.sampled_from(["celery@a", "celery@b"]))
        found.append(
            Event(type=f"task-{kind}", hostname=host, timestamp=T0 + at * tick, pid=draw(PIDS), uuid=uuid, **values)
        )
    return found


def value(name: str, number: int, uuid: str) -> object:
    match name:
        case "retries":
            return number
        case "runtime":
            return number / 7
        case "terminated" | "expired":
            return number % 2 == 1
        case "eta":
            return f"2026-09-21T14:13:{number:02}+00:00"
        case "root_id" | "parent_id" if number % 3 == 0:
            return uuid
    return f"{name}-{number % 5}"


@st.composite
def shuffled(draw) -> tuple[list[Event], list[Event]]:
    """Draw a history, and the same events in any order with any of them repeated."""
    history = draw(histories())
    repeated = draw(st.lists(st.sampled_from(history), max_size=6))
    return history, draw(st.permutations([*history, *repeated]))


def ran(kind: str, tick: int, uuid: str = "t1", **values) -> Event:
    return Event(type=f"task-{kind}", hostname="celery@a", timestamp=T0 + tick / 8, pid=7, uuid=uuid, **values)


RESULTS = [ran("succeeded", 5, result="late", runtime=2.0), ran("succeeded", 4, result="early", runtime=1.0)]
QUEUES = [ran("sent", 5, queue="late"), ran("sent", 4, queue="early")]
ENDS = [
    ran("succeeded", 5, result="ok", runtime=2.0),
    ran("failed", 7, exception="x"),
    ran("succeeded", 6, runtime=1.0),
]


def folded(events: list[Event]) -> dict[str, Task]:
    state = ClusterState()
    state.fold(events, T0)
    return {task.uuid: task for task in state.changes()[0]}


@given(shuffled())
def test_in_memory_neither_order_nor_repetition_changes_a_row(pair):
    """Any permutation and any repetition of the same events gives the same rows."""
    history, again = pair

    assert by_uuid(folded(again).values()) == by_uuid(folded(history).values())


@given(shuffled(), st.integers(0, 18))
def test_two_rows_merge_to_what_their_events_give_together(pair, cut):
    """Whichever events each row has, and whichever row comes first."""
    history, again = pair
    one, other, whole = folded(again[:cut]), folded(again[cut:]), folded(history)

    for uuid in one.keys() & other.keys():
        assert by_uuid([tasks.merge(one[uuid], other[uuid])]) == by_uuid([whole[uuid]])
        assert by_uuid([tasks.merge(other[uuid], one[uuid])]) == by_uuid([whole[uuid]])


class Flush(NamedTuple):
    """How many events go into one flush, and what befalls the observer and its writer after it."""

    size: int
    days: int = 0
    whole: bool = True
    """Whether all that has changed is taken, or what is due."""
    stored_again: bool = False
    observer_dies: bool = False
    writer_dies: bool = False
    tidied: int = 0


FLUSHES = st.lists(
    st.builds(
        Flush, st.integers(0, 5), st.sampled_from([0, 0, 1]), st.booleans(), st.booleans(), st.booleans(),
        st.booleans(), st.integers(0, 8)
    ),
    max_size=8,
)  # fmt: skip
PLAIN = Flush(1)
HARD = Flush(1, 1, whole=False, stored_again=True, observer_dies=True, writer_dies=True, tidied=8)


class Observing:
    """An observer's memory, and a broker that keeps what is not stored: it is delivered again to the next observer."""

    def __init__(self, events: list[Event]) -> None:
        self.waiting = events
        self.die()

    def die(self) -> None:
        self.waiting = [*getattr(self, "unstored", ()), *self.waiting]
        self.state, self.unstored, self._since = ClusterState(), [], []

    def hear(self, size: int) -> None:
        part, self.waiting = self.waiting[:size], self.waiting[size:]
        self.state.fold(part, T0)
        self._since = [*self._since, *part]
        self.unstored = [*self.unstored, *part]

    def take(self, *, whole: bool) -> list[Task]:
        """Return the rows of a flush; what was heard before the last one is in it, and at its end all."""
        taken, _ = self.state.changes() if whole else self.state.due()
        self.unstored, self._since = ([] if whole else self._since), []
        return taken


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@example((QUEUES[::-1], QUEUES), [PLAIN], 3)
@example((RESULTS[::-1], RESULTS), [PLAIN], 3)
@example((ENDS[::-1], ENDS), [PLAIN, PLAIN], 1)
@example((ENDS[::-1], ENDS), [HARD, HARD, HARD], 1)
@given(shuffled(), FLUSHES, st.sampled_from([1, 2, 200_000]))
def test_what_is_stored_is_what_all_events_give_in_memory(pair, flushes, rows):
    """In any slices, by observers and writers that die in between, over partitions that are sealed meanwhile.

    After each flush the roll-ups are the sum over the stored rows; nothing is in the store twice.
    """
    history, again = pair
    now, observing = float(T0), Observing(again)
    with fresh(rows=rows) as kept:
        for flush in [*flushes, PLAIN._replace(size=1000)]:
            observing.hear(flush.size)
            now += flush.days * DAY
            taken = observing.take(whole=flush.whole)
            kept.record(*taken, now=now)
            if flush.stored_again:
                assert kept.record(*taken, now=now) == 0
            if flush.observer_dies:
                observing.die()
            if flush.writer_dies:
                kept.crash()
            for _ in range(flush.tidied):
                kept.recorder.tidy(now)
            kept.check()
        stored = kept.all()
        assert sorted(task.uuid for task in stored) == sorted(folded(history))
        assert by_uuid(stored) == by_uuid(as_stored(task) for task in folded(history).values())
