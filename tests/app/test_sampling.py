"""Samples of queues: the broker asked beside the events, and both put together with each flush."""

import threading
from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace

import harness
from app.virtual import Clock
from celeriac.app.sampling import MOST_QUEUES, Sampler
from celeriac.core.errors import UnreachableError
from celeriac.core.model import Pool
from celeriac.core.queues import QueueState
from celeriac.core.tasks import Task
from core.builders import worker

NODE, OTHER = "celery@a", "celery@b"
ORDERS = {f"{NODE}#7": Pool("prefork", 4, ("orders",))}


@dataclass
class Queues:
    """The part of a broker that tells of queues, and the stored tasks; `away` is what either answers instead."""

    there: dict[str, QueueState] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    away: Exception | None = None
    store_away: Exception | None = None
    asked: list[frozenset[str]] = field(default_factory=list)
    asked_tasks: list[str] = field(default_factory=list)

    def queues(self, named) -> tuple[QueueState, ...]:
        self.asked.append(frozenset(named))
        if self.away:
            raise self.away
        return tuple(self.there.values())

    def task(self, uuid) -> Task | None:
        self.asked_tasks.append(uuid)
        if self.store_away:
            raise self.store_away
        return self.tasks.get(uuid)

    def set(self, name="orders", ready=0, **fields):
        self.there[name] = QueueState(name, {0: ready}, **fields)


class Desk:
    """A sampler whose looks and flushes the test makes, five seconds apart."""

    def __init__(self):
        self.clock, self.queues, self.pools = Clock(), Queues(), dict(ORDERS)
        self.flowing_since = self.clock()
        self.sampler = Sampler("shop", self.queues, self.clock, tasks=self.queues, pools=lambda: self.pools)

    def sample(self, *tasks, lives=(), after=5.0):
        """Let so many seconds pass, look, and flush these rows; return the samples by queue."""
        self.clock.pass_(after)
        self.sampler.look()
        return {one.name: one for one in self.flush(*tasks, lives=lives)}

    def flush(self, *tasks, lives=()):
        return self.sampler.take(tasks, lives, self.flowing_since)

    def done(self, number, queue="orders", node=NODE, **fields):
        """Return the rows of so many tasks that a worker has just done."""
        at = self.clock()
        times = {"received_at": at, "started_at": at, "finished_at": at, "state_at": at}
        return [
            Task(f"{queue}-{at}-{one}", state="SUCCESS", queue=queue, worker=node, **{**times, **fields})
            for one in range(number)
        ]


@pytest.fixture
def desk():
    return Desk()


def test_a_sample_holds_depth_rates_and_age(desk):
    """Ten waited; twenty came, fifteen were done."""
    desk.queues.set(ready=10)
    desk.sample()
    desk.queues.set(ready=15, consumers=1, oldest_sent_at=desk.clock() - 55)
    one = desk.sample(*desk.done(15))["orders"]

    assert (one.at, one.depth, one.consumers) == (desk.clock(), 15, 1)
    assert (one.arriving, one.completing) == (4, 3)
    assert (one.oldest_s, one.oldest_how) == (60, "message timestamp")
    assert one.unknown == {}


def test_the_rows_of_all_flushes_between_two_looks_count(desk):
    desk.queues.set()
    desk.sample()
    for _ in range(4):
        assert desk.flush(*desk.done(5)) == []
        desk.clock.pass_(0.5)

    assert desk.sample(*desk.done(5), after=3)["orders"].completing == 5


def test_a_look_is_handed_over_once(desk):
    desk.queues.set()
    desk.sample()

    assert desk.flush() == []


def test_of_several_looks_between_two_flushes_the_last_counts(desk):
    """While the store takes nothing the rates are those of the whole time."""
    desk.queues.set()
    desk.sample()
    for _ in range(3):
        desk.clock.pass_(5)
        desk.sampler.look()
    (one,) = desk.flush(*desk.done(60))

    assert (one.at, one.completing) == (desk.clock(), 4)


def test_the_first_look_tells_no_rates(desk):
    desk.queues.set(ready=10)
    one = desk.sample()["orders"]

    assert (one.arriving, one.completing) == (None, None)
    assert one.unknown == dict.fromkeys(["arriving", "completing"], "two looks are needed") | {
        "oldest_s": "the broker does not show its messages"
    }


@pytest.mark.parametrize("gap", [None, 1.0])
def test_nothing_is_told_of_a_time_in_which_we_did_not_hear(desk, gap):
    """The stream stands still, or began to flow again after the look before; a whole span later the rates are back."""
    desk.queues.set()
    desk.sample()
    desk.flowing_since = gap and desk.clock() + gap
    one = desk.sample(*desk.done(5))["orders"]
    assert "a gap" in one.unknown["arriving"]
    assert one.completing is None

    desk.flowing_since = desk.flowing_since or desk.clock()
    assert desk.sample(*desk.done(5))["orders"].completing == 1


def test_what_leaves_before_its_events_come_is_made_up_for(desk):
    """The second look sees the backlog gone, and the events of it come with the third."""
    desk.queues.set(ready=100)
    desk.sample()
    desk.queues.set(ready=0)
    assert desk.sample(*desk.done(60))["orders"].arriving == 0

    one = desk.sample(*desk.done(40))["orders"]
    assert (one.arriving, one.completing) == (0, 8)


def test_a_depth_that_is_refused_makes_no_rate(desk):
    """Nor does the first one after it."""
    desk.queues.there["orders"] = QueueState("orders", {}, unknown={"ready": "Redis refuses: NOPERM"})
    desk.sample()
    assert desk.sample()["orders"].unknown["arriving"] == "Redis refuses: NOPERM"
    desk.queues.set(ready=10)
    assert desk.sample()["orders"].unknown["arriving"] == "Redis refuses: NOPERM"

    assert desk.sample()["orders"].arriving == 0


# Whose work it is ----------------------------------------------------------------------------------------------------


def test_without_sent_events_the_one_queue_of_a_worker_gets_its_work(desk):
    """Their rows wait one flush for the name of their queue."""
    desk.queues.set()
    desk.sample()
    desk.flush(*desk.done(10, queue=None))

    assert desk.sample()["orders"].completing == 2


def test_without_sent_events_two_queues_of_a_worker_get_no_rates(desk):
    """The setting that would tell is named; once tasks name their queues the rates are there."""
    desk.pools[f"{NODE}#7"] = Pool("prefork", 4, ("orders", "reports"))
    desk.queues.set()
    desk.queues.set("reports")
    desk.sample()
    desk.flush(*desk.done(10, queue=None))
    found = desk.sample()
    assert all("task_send_sent_event = True" in one.unknown["completing"] for one in found.values())

    found = desk.sample(*desk.done(10))
    assert [found["orders"].completing, found["reports"].completing] == [2, 0]


def test_a_worker_without_task_events_leaves_its_queue_without_rates(desk):
    """While it speaks and for three heartbeats after; a dead one hides nothing."""
    desk.queues.set()
    desk.sample()
    mute = worker(node=NODE, now=desk.clock() + 5, silent=0, mute=True)
    assert "worker_send_task_events = True" in desk.sample(lives=[mute])["orders"].unknown["completing"]
    assert desk.sample(after=1)["orders"].completing is None

    assert desk.sample(after=6)["orders"].completing == 0


def test_a_worker_that_begins_to_send_task_events_is_believed_at_once(desk):
    desk.queues.set()
    desk.sample()
    mute = worker(node=NODE, now=desk.clock() + 5, silent=0, mute=True)
    desk.sample(lives=[mute])

    assert desk.sample(*desk.done(5), lives=[replace(mute, mute=False)], after=1)["orders"].completing == 5


# Whom to ask ---------------------------------------------------------------------------------------------------------


def test_the_queues_of_workers_and_those_that_tasks_are_sent_to_are_asked_for(desk):
    desk.sample(Task("t", queue="reports", sent_at=1.0))
    desk.sample()

    assert desk.queues.asked == [{"orders"}, {"orders", "reports"}]


def test_the_queues_of_workers_are_asked_for_before_all_others(desk):
    """However many queues an application sends to, the question is bounded."""
    desk.sample(*[Task(f"t{one}", queue=f"answer-{one}", sent_at=1.0) for one in range(2 * MOST_QUEUES)])
    desk.sample()

    assert len(desk.queues.asked[-1]) == MOST_QUEUES
    assert "orders" in desk.queues.asked[-1]


def test_a_broker_that_lists_too_many_queues_is_cut_short(desk):
    """Those that were asked for stay in."""
    for one in range(2 * MOST_QUEUES):
        desk.queues.set(f"answer-{one}")
    desk.queues.set("orders")
    found = desk.sample()

    assert len(found) == MOST_QUEUES
    assert "orders" in found


def test_while_the_store_is_away_the_last_pools_serve(desk):
    desk.queues.set()
    desk.sample()

    def away():
        raise UnreachableError("the store is away")

    desk.sampler._pools = away
    desk.flush(*desk.done(10, queue=None))

    assert desk.sample()["orders"].completing == 2


# The oldest message --------------------------------------------------------------------------------------------------


def test_the_age_is_that_of_the_task_that_comes_next(desk):
    """Its row is read once, however long it waits."""
    desk.queues.set(ready=3, oldest_task="t")
    desk.queues.tasks["t"] = Task("t", sent_at=desk.clock() - 20)
    ages = [desk.sample()["orders"].oldest_s for _ in range(3)]

    assert ages == [25, 30, 35]
    assert desk.queues.asked_tasks == ["t"]


def test_a_head_that_nobody_knows_is_as_old_as_we_have_watched_it(desk):
    """A lower bound; another message at the head begins anew."""
    desk.queues.set(ready=3, oldest_task="t")
    found = [desk.sample()["orders"] for _ in range(3)]
    assert [one.oldest_s for one in found] == [0, 5, 10]
    assert {one.oldest_how for one in found} == {"seen at the head since"}

    desk.queues.set(ready=2, oldest_task="u")
    assert desk.sample()["orders"].oldest_s == 0


def test_a_head_whose_event_is_stored_later_is_found_then(desk):
    desk.queues.set(ready=3, oldest_task="t")
    desk.sample()
    desk.queues.tasks["t"] = Task("t", sent_at=desk.clock() - 1)

    assert desk.sample()["orders"].oldest_how == "its task-sent event"


def test_a_head_that_stays_unknown_is_not_asked_for_for_ever(desk):
    desk.queues.set(ready=3, oldest_task="t")
    for _ in range(20):
        desk.sample()

    assert len(desk.queues.asked_tasks) == 3


def test_a_store_that_cannot_be_read_costs_only_the_age(desk):
    desk.queues.set(ready=3, oldest_task="t")
    desk.queues.store_away = UnreachableError("the store is away")

    assert desk.sample()["orders"].oldest_how == "seen at the head since"


# The thread ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def running(desk):
    """Run a sampler that looks a hundred times a second."""
    stopping = threading.Event()
    desk.sampler = Sampler("shop", desk.queues, desk.clock, every_s=0.01)
    thread = threading.Thread(target=desk.sampler.run, args=(stopping,))
    thread.start()
    yield desk
    stopping.set()
    thread.join(5)
    assert not thread.is_alive()


@pytest.mark.parametrize("error", [UnreachableError("the broker is away"), KeyError("nonsense")], ids=repr)
def test_looks_go_on_after_a_broker_that_failed(running, error):
    """Whatever it said."""
    running.queues.away = error
    tries = len(running.queues.asked)
    harness.wait_until(lambda: len(running.queues.asked) > tries + 2, 5, "it is tried again")
    running.flush()
    running.queues.set(ready=3)
    running.queues.away = None

    (one,) = harness.wait_until(running.flush, 5, "a sample comes")
    assert one.depth == 3


def test_a_slow_broker_delays_no_flush(desk):
    """While it answers a flush is over at once, without samples."""
    asked, go = threading.Event(), threading.Event()

    def slow(_):
        asked.set()
        assert go.wait(5)
        return (QueueState("orders", {0: 1}),)

    desk.queues.queues = slow
    thread = threading.Thread(target=desk.sampler.look)
    thread.start()
    assert asked.wait(5)
    assert desk.flush(*desk.done(5)) == []
    go.set()
    thread.join(5)

    assert [one.name for one in desk.flush()] == ["orders"]
