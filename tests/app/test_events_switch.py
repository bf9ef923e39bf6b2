"""Turning task events on: each life of a worker is asked once, by whichever keeper, and the trail says what came of it."""

import threading
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from app.virtual import Clock
from celeriac.adapters.sql.audit import SqlAudit
from celeriac.adapters.sql.database import Database
from celeriac.app.events_switch import AN_HOUR, AT_ONCE, TRIES, EventsSwitch
from celeriac.app.heal import Aides, Keeper, Rules
from celeriac.core.errors import UnreachableError
from celeriac.core.limits import Limits, Policy
from celeriac.core.memory import Book
from celeriac.core.readings import Unknown
from celeriac.ports import AuditFilter
from core.builders import CLUSTER, NOW, seen, stream, worker

ENABLED = "task events enabled"


@dataclass
class Control:
    """Remote control, as far as it turns events on."""

    answers: dict[str, str] = field(default_factory=dict)
    away: Exception | None = None
    asked: list[set[str]] = field(default_factory=list)

    def enable_events(self, nodes) -> dict[str, str]:
        if nodes:
            self.asked.append(set(nodes))
        if nodes and self.away:
            raise self.away
        return {node: self.answers[node] for node in nodes if node in self.answers}


class Desk:
    """A keeper's switch with a real trail, and a clock that only tests move."""

    def __init__(self, audit):
        self.clock, self.control, self.audit, self.switches = Clock(), Control(), audit, []
        self.another()

    def another(self, audit=None):
        """Let another keeper take over."""
        self.switch = EventsSwitch(CLUSTER, self.control, audit or self.audit, self.clock)
        self.switches.append(self.switch)

    def consider(self, *workers, after=2.0, **fields):
        """Look at these workers as they are now, and wait until what follows is done."""
        self.clock.pass_(after)
        self.switch.consider(seen(*workers, heard=stream(now=NOW), **fields))
        if self.switch._asking:
            self.switch._asking.result(5)

    @property
    def told(self):
        """Return what was audited, oldest first."""
        return [(one.target, one.detail) for one in reversed(self.audit.entries(AuditFilter(99, CLUSTER)))]


@pytest.fixture
def audit(tmp_path):
    database = Database(tmp_path / "control.db", "control")
    database.migrate()
    yield SqlAudit(database)
    database.close()


@pytest.fixture
def desk(audit):
    one = Desk(audit)
    yield one
    for switch in one.switches:
        switch.close()


def mute(index=0, **fields):
    return worker(index, **{"mute": True, **fields})


MUTE = mute()
KEY = MUTE.key


def test_a_worker_without_task_events_is_asked_and_its_answer_is_in_the_trail(desk):
    desk.control.answers = {MUTE.node: ENABLED}
    desk.consider(MUTE, worker(1))

    assert desk.control.asked == [{MUTE.node}]
    (entry,) = desk.audit.entries(AuditFilter(9, CLUSTER))
    assert (entry.actor, entry.action, entry.target) == ("celeriac", "enable_events", KEY)
    assert (entry.detail, entry.at, entry.cluster) == (ENABLED, desk.clock(), CLUSTER)


@pytest.mark.parametrize("answers", [{MUTE.node: ENABLED}, {}], ids=["answered", "not answered"])
def test_once_is_once(desk, answers):
    """Whatever it answered, and also for the next keeper."""
    desk.control.answers = answers
    for _ in range(3):
        desk.consider(MUTE, after=1000)
    desk.another()
    desk.consider(MUTE)

    assert desk.control.asked == [{MUTE.node}]
    assert desk.told == [(KEY, answers.get(MUTE.node, "no answer"))]


def test_another_life_with_the_same_name_and_pid_is_asked_again(desk):
    """In a container the pid is the same each time."""
    desk.consider(MUTE)
    desk.consider(mute(born=-10, silent=-12))

    assert len(desk.control.asked) == 2


def test_two_processes_with_one_name_and_one_pid_are_not_asked_for_ever(desk):
    """Each word of the one ends the life of the other: three times an hour are enough to reach both."""
    for beat in range(600):
        desk.consider(mute(born=-beat - 2, silent=-beat - 3), after=1)
    within_minutes = len(desk.control.asked)
    desk.consider(mute(born=-5000, silent=-5001), after=3600)

    assert (within_minutes, len(desk.control.asked)) == (AN_HOUR, AN_HOUR + 1)


def test_all_that_are_due_are_asked_together_within_a_bound(desk):
    crowd = [mute(index) for index in range(AT_ONCE + 3)]
    for _ in range(3):
        desk.consider(*crowd)

    assert [len(nodes) for nodes in desk.control.asked] == [AT_ONCE, 3]
    assert len(desk.told) == AT_ONCE + 3


def test_while_the_stream_is_not_trusted_nobody_is_asked(desk):
    desk.switch.consider(seen(MUTE, heard=Unknown("the observer has said nothing for 9 s")))

    assert desk.switch._asking is None


def test_a_question_that_cannot_be_sent_is_tried_a_few_times_and_then_the_trail_says_why(desk):
    """Each try is some time after the one before."""
    desk.control.away = UnreachableError("remote control: refused")
    for _ in range(100):
        desk.consider(MUTE, after=10)
    waits = len(desk.control.asked)
    desk.control.away = None
    desk.consider(MUTE, after=1000)

    assert waits == len(desk.control.asked) == TRIES
    assert desk.told == [(KEY, "could not be asked: remote control: refused")]


def test_a_question_that_gets_through_at_last_is_the_only_one_in_the_trail(desk):
    desk.control.away = UnreachableError("remote control: refused")
    desk.consider(MUTE)
    desk.control.away, desk.control.answers = None, {MUTE.node: ENABLED}
    desk.consider(MUTE)
    assert len(desk.control.asked) == 1

    desk.consider(MUTE, after=1000)
    assert desk.told == [(KEY, ENABLED)]


class LostTrail:
    """A trail that cannot be read, or only not be written."""

    def __init__(self, *, readable):
        self.readable = readable

    def entries(self, *_, **__):
        if not self.readable:
            raise UnreachableError("the store is away")
        return []

    def note(self, _):
        raise UnreachableError("the store is away")


def test_without_the_trail_nobody_is_asked(desk):
    """It would not be known whether they had been."""
    desk.another(LostTrail(readable=False))
    desk.consider(MUTE)
    desk.consider(MUTE, after=1000)

    assert desk.control.asked == []


def test_what_the_trail_cannot_take_is_not_said_again(desk):
    desk.another(LostTrail(readable=True))
    desk.consider(MUTE)
    desk.consider(MUTE, after=1000)

    assert len(desk.control.asked) == 1


def test_a_defect_ends_nothing(desk):
    desk.control.away = TypeError("nonsense")
    desk.consider(MUTE)
    desk.control.away = None
    desk.consider(MUTE, after=1000)

    assert desk.told == [(KEY, "no answer")]


def test_while_a_question_is_under_way_nothing_is_waited_for(desk):
    """A worker that does not answer delays no cycle, and no second question is sent beside the first."""
    asked, go = threading.Event(), threading.Event()

    def slow(_):
        asked.set()
        assert go.wait(5)
        return {}

    desk.control.enable_events = slow
    look = seen(MUTE)
    desk.switch.consider(look)
    assert asked.wait(5)
    first = desk.switch._asking
    desk.switch.consider(look)
    assert desk.switch._asking is first
    go.set()
    first.result(5)

    assert desk.told == [(KEY, "no answer")]


# The keeper ----------------------------------------------------------------------------------------------------------


class Shift:
    """A keeper that sees one worker without task events, with a journal in memory."""

    def __init__(self, desk, *, lease=True, paused=None):
        self.considered, look = [], seen(MUTE)
        gatherer = SimpleNamespace(platform=None, cluster=CLUSTER, clock=desk.clock, learned={}, lived=())
        gatherer.look = lambda _: look
        journal = SimpleNamespace(hold_lease=lambda *_: lease, book=lambda *_: Book(), commit=lambda *_: None)
        switch = SimpleNamespace(consider=self.considered.append)
        rules = Rules(Limits(), lambda: Policy(paused=paused))
        self.keeper = Keeper(gatherer, journal, rules, holder="me", aides=Aides(switch=switch))


def test_a_keeper_hands_over_what_it_saw(desk):
    shift = Shift(desk)
    shift.keeper.cycle()

    assert [[one.key for one in look.incarnations] for look in shift.considered] == [[KEY]]


@pytest.mark.parametrize("fields", [{"lease": False}, {"paused": "maintenance"}], ids=repr)
def test_a_keeper_that_stands_by_or_is_paused_has_nobody_asked(desk, fields):
    shift = Shift(desk, **fields)
    shift.keeper.cycle()

    assert shift.considered == []
