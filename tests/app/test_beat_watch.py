"""The watch over beat: what it finds in a real store, and that a note comes once, late enough, and goes again."""

import random

import pytest

import harness
from app.virtual import CALM, NODE, PREFORK, Cluster
from celeriac.adapters.sql.recorder import SqlRecorder
from celeriac.app.beat_watch import BeatWatch
from celeriac.app.heal import Aides, Keeper, Rules
from celeriac.core.diagnose import diagnose
from celeriac.core.errors import UnreachableError
from celeriac.core.limits import Limits, Policy
from celeriac.core.model import Mode
from celeriac.core.queues import QueueSample
from celeriac.core.redact import Redaction
from celeriac.core.tasks import PENDING, SUCCESS, Task
from celeriac.ports import Batch
from core.builders import CLUSTER, NOW, instance, stream, worker


def run(at, name="shop.tick", **fields):
    fields = {"worker": NODE, "received_at": at, "started_at": at, "finished_at": at, "state_at": at, **fields}
    return Task(f"{name}-{at}", SUCCESS, name, first_at=at, args="()", kwargs="{}", **fields)


class Watched:
    """A cluster of one worker, and what beat sends to it: by name, every so many seconds while it runs."""

    def __init__(self, clock, store):
        self.clock, history = clock, store.history(CLUSTER)
        self.cluster = Cluster(clock, history)
        self.cluster.broker.lengths = {"celery": 0}
        self.recorder = SqlRecorder(history._database, Redaction())
        self.watch = BeatWatch(CLUSTER, store.tasks(CLUSTER), store.charts(CLUSTER), Limits(), clock)
        self.beats: dict[str, float] = {}
        self.frozen_at: float | None = None
        self.cluster.platform.instances = {0: instance()}

    def close(self):
        self.watch.close()
        self.cluster.gatherer.close()

    def record(self, *tasks):
        if tasks:
            self.recorder.record(Batch(stream(now=self.clock()), tasks=tasks))

    def past(self, name, every, *, number=40):
        """Let beat have run until now."""
        self.record(*(run(self.clock() - every * back, name) for back in range(number)))
        self.beats[name] = every

    def spend(self, seconds, step=5.0):
        """Let time pass, and return what is noted then, with all that was noted on the way."""
        seen, end = [], self.clock() + seconds
        while self.clock() < end:
            before = self.clock()
            look = self.look(step)
            for name, every in self.beats.items():
                due = [NOW + every * turn for turn in range(int((self.clock() - NOW) / every) + 1)]
                self.record(*(run(at, name) for at in due if before < at <= self.clock()))
            notes = self.watch.notes(look, diagnose(look, Limits()))
            seen.append(notes)
            self.settle()
        return seen

    def look(self, step):
        """Look so many seconds later; the worker spoke a moment before, unless it is frozen, and the stream has no gap."""
        self.clock.pass_(step)
        self.observe()
        return self.cluster.gatherer.look(CALM)

    def observe(self):
        now = self.clock()
        silent = 0.5 if self.frozen_at is None else now - self.frozen_at
        samples = [QueueSample(name, now, {0: depth}) for name, depth in self.cluster.broker.lengths.items()]
        life = worker(silent=silent, born=90_000 + now - NOW, now=now)
        self.recorder.record(Batch(stream(now=now, flowing=90_000 + now - NOW), (), (life,), samples))

    def settle(self):
        asked = self.watch._asked
        harness.wait_until(lambda: asked is None or asked.done(0.0), 5, "the store has answered")


@pytest.fixture
def watched(clock, store):
    one = Watched(clock, store)
    yield one
    one.close()


NOTE = "it used to come every 30 s (beat may have stopped)"


def test_a_task_of_beat_that_comes_no_more_is_noted_until_it_comes_again(watched, clock):
    watched.past("shop.tick", 30)
    assert not any(watched.spend(300)), "it comes"

    watched.beats.clear()
    seen = watched.spend(300)
    first = next(place for place, notes in enumerate(seen) if notes)
    assert 85 <= 5 * first <= 215
    assert seen[-1] == (f"no shop.tick since 14:18:20 UTC: {NOTE}",)
    assert all(notes == seen[-1] for notes in seen[first:])

    watched.record(run(clock()))
    assert watched.spend(20)[-1] == ()


@pytest.mark.parametrize("every", [5, 60, 600, 3600])
def test_intervals_from_seconds_to_an_hour(watched, every):
    """Each look is far from the next where it takes hours; only the store tells when the task came."""
    watched.past("shop.tick", every, number=60)
    watched.beats.clear()
    step = max(5.0, every / 30)
    seen = watched.spend(max(6 * every, 300), step)

    first = next(place for place, notes in enumerate(seen) if notes)
    assert step * first >= max(3 * every, 60) - step
    assert step * first <= max(3 * every, 60) + 130 + 2 * step
    assert len(seen[-1]) == 1


def test_each_missed_task_is_noted(watched):
    watched.past("shop.tick", 30)
    watched.past("shop.tock", 60)
    watched.beats.clear()

    assert [note.split()[1] for note in watched.spend(400)[-1]] == ["shop.tick", "shop.tock"]


def test_where_another_task_of_beat_comes_on_its_schedule_has_changed(watched):
    watched.past("shop.tick", 30)
    watched.past("shop.tock", 60)
    del watched.beats["shop.tick"]

    assert not any(watched.spend(600))


def test_what_is_sent_and_not_received_is_not_missed(watched, clock):
    """Its queue may be long, or its time over before a worker takes it."""
    watched.past("shop.tick", 30)
    watched.beats.clear()
    for turn in range(1, 12):
        at = NOW + 30 * turn
        watched.record(Task(f"p{turn}", PENDING, "shop.tick", None, "celery", at, sent_at=at))
        assert not any(watched.spend(30))


def test_while_messages_wait_nothing_is_noted_and_silence_counts_anew_after(watched):
    watched.past("shop.tick", 30)
    watched.beats.clear()
    watched.cluster.broker.lengths = {"celery": 3}
    assert not any(watched.spend(400))

    watched.cluster.broker.lengths = {"celery": 0}
    seen = watched.spend(130)
    assert not any(seen[:17])
    assert seen[-1]


def test_a_worker_that_was_silent_meanwhile_is_waited_for(watched, clock):
    watched.past("shop.tick", 30)
    watched.beats.clear()
    watched.spend(20)
    watched.frozen_at = clock()
    assert not any(watched.spend(200))

    watched.frozen_at = None
    seen = watched.spend(130)
    assert not any(seen[:17])
    assert seen[-1]


def test_what_rests_as_long_each_day_is_not_missed(watched, clock):
    """A crontab of some hours: the note comes once it rests for longer than ever."""
    for day in (2, 1):
        watched.record(*(run(NOW - day * 86400 - 600 * turn) for turn in range(40)))
    watched.past("shop.tick", 600)
    watched.beats.clear()
    rest = 86400 - 40 * 600

    assert not any(watched.spend(rest - 3600, 300))
    assert watched.spend(4 * 3600, 300)[-1]


def test_what_comes_by_chance_is_never_missed(watched):
    """Of many names, all of which stop at once."""
    chance = random.Random(3)
    for number in range(60):
        at, tasks = NOW, []
        for _ in range(60):
            at -= chance.expovariate(1 / chance.choice([10, 60, 300]))
            tasks.append(run(at, f"shop.task{number}"))
        watched.record(*tasks)

    assert not any(watched.spend(1500, 15))


def test_a_store_that_cannot_be_read_notes_nothing(watched, monkeypatch):
    watched.past("shop.tick", 30)
    watched.beats.clear()
    assert watched.spend(300)[-1]

    def away(*_):
        message = "the store is away"
        raise UnreachableError(message)

    monkeypatch.setattr(watched.watch._arrivals, "lately", away)
    assert watched.spend(60)[-1] == ()


def test_the_keeper_shows_it_and_does_nothing(watched, journal):
    watched.past("shop.tick", 30)
    watched.beats.clear()
    watch = watched.watch
    rules = Rules(limits=Limits(), policy=lambda: Policy(mode=Mode.AUTO), cycle_s=0.01)
    keeper = Keeper(watched.cluster.gatherer, journal, rules, holder="one", aides=Aides(beat=watch))
    watched.cluster.control.alive, watched.cluster.control.kinds = {NODE}, {f"{NODE}#7": PREFORK}
    for _ in range(60):
        watched.clock.pass_(5)
        watched.observe()
        keeper.cycle()
        watched.settle()

    assert journal.board(CLUSTER).notes == (f"no shop.tick since 14:13:20 UTC: {NOTE}",)
    assert journal.board(CLUSTER).sentence == "1 healthy"
    assert journal.incidents(CLUSTER, open_only=False, limit=10) == []
