"""Orders for a whole app as keepers make them, with a real journal: all instances restarted at once, and scaling."""

import pytest
from msgspec.structs import replace

from app.virtual import Cluster, alive
from celeriac.app.heal import Keeper, Rules
from celeriac.core.errors import RefusedError, UnreachableError
from celeriac.core.incident import IncidentState, RemedyKind, RemedyState, Scale, Strategy
from celeriac.core.ledger import RUNNING
from celeriac.core.limits import Limits, Policy
from celeriac.core.model import InstanceState, Place, Pool
from celeriac.core.places import MISSING
from celeriac.core.repair import Repair, RepairKind
from core.builders import APP, CLUSTER, PLATFORM, instance, order

WHOLE = Place(CLUSTER, PLATFORM, APP)
NODES = [f"celery@guid-{index}-1" for index in range(3)]


class Bench:
    """Three healthy workers of one app, on a platform that obeys at once; a worker runs one task until told otherwise."""

    def __init__(self, clock, history, journal):
        self.clock, self.journal = clock, journal
        self.cluster = Cluster(clock, history)
        self.platform, self.control = self.cluster.platform, self.cluster.control
        self.platform.instances = {index: instance(index) for index in range(3)}
        self.active, self.busy, self.silent, self.policy, self.keepers = 1, None, set(), Policy(), []
        self.another()

    def another(self, reached=lambda _: None):
        """Let another keeper go on."""
        rules = Rules(limits=Limits(), policy=lambda: self.policy, cycle_s=0.01)
        self.keepers.append(Keeper(self.cluster.another(), self.journal, rules, holder="one", reached=reached))

    def turns(self, number=1):
        """Run so many cycles; each running instance has a worker of its own, but for the silent ones."""
        for _ in range(number):
            self.clock.pass_(2)
            there = [(index, one) for index, one in self.platform.instances.items() if index not in self.silent]
            nodes = {i: f"celery@{one.guid}" for i, one in there if one.state is InstanceState.RUNNING}
            self.control.alive = set(nodes.values())
            self.control.kinds = {f"{node}#7": Pool("prefork", 4, ("celery",)) for node in nodes.values()}
            spoke = [alive(self.clock, i, node=node, active=self._active(i)) for i, node in nodes.items()]
            self.cluster.observe(*spoke)
            self.keepers[-1].cycle()

    def _active(self, index):
        return self.active if self.busy is None else int(index in self.busy)

    def ordered(self, **fields):
        """Let a person order it, once the keeper has looked around."""
        self.turns(2)
        fields = {"guid": None, "node": None, "pid": None, "incident": None, "place": WHOLE, **fields}
        self.journal.submit(order(now=self.clock(), **fields))
        return self

    def restart(self):
        return self.ordered(kind=RemedyKind.RESTART_APP, strategy=Strategy.ALL_AT_ONCE)

    def scale(self, wanted, **fields):
        return self.ordered(kind=RemedyKind.SCALE, scale=Scale("worker", 0, wanted, **fields))

    def killed_at(self, point, order):
        """Let a keeper be killed at this point of what was ordered, and another one go on."""

        def kill(reached):
            if reached == point:
                raise KeyboardInterrupt

        self.another(kill)
        order()
        with pytest.raises(KeyboardInterrupt):
            self.turns(10)
        self.another()

    @property
    def remedy(self):
        return self.journal.remedy("order")

    @property
    def story(self):
        return self.of(APP)

    def of(self, name):
        found = self.journal.incidents(CLUSTER, open_only=False, limit=99)
        return next(one for one in found if one.place.name == name)

    def asked(self, what):
        return self.platform.asked.count(what)


@pytest.fixture
def bench(clock, history, journal):
    one = Bench(clock, history, journal)
    yield one
    for keeper in one.keepers:
        keeper._gatherer.close()
    one.cluster.gatherer.close()


# All at once -----------------------------------------------------------------------------------------------------------


def test_all_are_restarted_in_one_order_and_each_is_proven(bench):
    bench.restart().turns(12)

    assert (bench.asked("restart app"), bench.asked("restart")) == (1, 0)
    assert (bench.remedy.state, bench.story.state) == (RemedyState.VERIFIED, IncidentState.RESOLVED)
    assert bench.story.steps[-1].text.startswith("all 3 instances run anew")
    for index in range(3):
        assert [one.kind for one in bench.of(f"{APP}/{index}").steps] == ["opened", "acted", "resolved"][1:]


def test_one_that_does_not_come_back_is_named(bench):
    bench.restart().turns(2)
    bench.silent = {1}
    bench.turns(200)

    assert (bench.remedy.state, bench.story.state) == (RemedyState.UNVERIFIED, IncidentState.ESCALATED)
    assert bench.story.steps[-1].text == "2 of 3 instances are proven to work; not proven: orders-worker/1"
    assert bench.asked("restart app") == 1


@pytest.mark.parametrize("point", ["journalled", "acted", "verifying"])
def test_the_next_keeper_goes_on_and_restarts_once(bench, point):
    bench.killed_at(point, bench.restart)
    bench.turns(40)

    assert bench.asked("restart app") == 1
    assert bench.remedy.state is RemedyState.VERIFIED


def test_an_unclear_answer_is_repeated_only_if_nothing_changed(bench):
    bench.platform.answer = UnreachableError("502")
    bench.restart().turns(30)
    assert (bench.asked("restart app"), bench.remedy.state) == (1, RemedyState.VERIFIED)


def test_without_an_effect_it_is_repeated_and_given_up(bench):
    bench.platform.answer, bench.platform.takes_effect = UnreachableError("502"), False
    bench.restart().turns(120)

    assert (bench.asked("restart app"), bench.remedy.state) == (Limits().attempts_at_most, RemedyState.REFUSED)
    assert bench.remedy.note == "no clear answer to 3 attempts, and the same instances still run"


def test_an_app_that_somebody_starts_meanwhile_is_left_alone(bench):
    def somebody(reached):
        if reached == "journalled":
            bench.platform.instances = {index: instance(index, life=9) for index in range(3)}

    bench.another(somebody)
    bench.restart().turns(1)
    assert bench.asked("restart app") == 0
    assert "somebody has started it anew" in bench.story.steps[-1].text


def test_a_no_is_told_with_its_reason(bench):
    bench.platform.answer, bench.platform.takes_effect = RefusedError("no such right"), False
    bench.restart().turns(3)
    assert (bench.remedy.state, bench.remedy.note) == (RemedyState.REFUSED, "no such right")


def test_it_is_not_sent_again_after_hours(bench):
    """It was ordered at two, the answer was lost, and the pause ends at ten: what was meant for then is not done now."""
    bench.platform.answer, bench.platform.takes_effect = UnreachableError("502"), False
    bench.restart().turns(1)
    bench.policy = Policy(paused="ana looks")
    bench.clock.pass_(8 * 3600)
    bench.policy = Policy()
    bench.turns(60)

    assert (bench.asked("restart app"), bench.remedy.state) == (1, RemedyState.LAPSED)
    assert bench.remedy.note == "not sent: the order is older than 15 min by now"


def test_what_was_under_way_for_one_worker_ends_with_the_restart_of_all(bench):
    """Else it would fill the app's budget for ever."""
    bench.platform.answer, bench.platform.takes_effect = UnreachableError("502"), False
    bench.restart().turns(1)
    one = instance(1)
    bench.platform.answer, bench.platform.takes_effect = None, True
    one = order(1, id="single", guid=one.guid, node=NODES[1], pid=7, incident=None, kind=RemedyKind.RECYCLE)
    bench.journal.submit(replace(one, asked_at=bench.clock()))
    bench.turns(2)
    assert bench.journal.remedy("single").state is RemedyState.INTENDED
    bench.turns(60)

    assert bench.remedy.state is RemedyState.VERIFIED
    assert bench.journal.remedy("single").state not in RUNNING


def test_an_app_that_goes_from_sight_ends_it_without_a_proof(bench):
    bench.restart().turns(1)
    bench.platform.instances, bench.platform.state = {}, MISSING
    bench.turns(400)
    bench.clock.pass_(600)
    bench.turns(3)

    assert (bench.remedy.state, bench.remedy.note) == (
        RemedyState.UNVERIFIED,
        "the platform does not show its app any more",
    )


# Scaling ---------------------------------------------------------------------------------------------------------------


def test_more_are_proven(bench):
    bench.scale(5).turns(3)
    assert bench.platform.scaled == [5]
    bench.turns(10)

    assert (bench.remedy.state, bench.story.state) == (RemedyState.VERIFIED, IncidentState.RESOLVED)
    assert bench.story.steps[-1].text == "5 instances of worker are there, and each new one is proven to work"


def test_one_that_has_no_room_is_told_in_the_platforms_words(bench):
    bench.scale(4).turns(2)
    bench.platform.instances[3] = instance(3, state=InstanceState.DOWN, details="insufficient resources: memory")
    bench.turns(130)

    assert (bench.remedy.state, bench.story.state) == (RemedyState.UNVERIFIED, IncidentState.ESCALATED)
    assert bench.story.steps[-1].text == "not proven in time: index 3 is DOWN: insufficient resources: memory"

    bench.turns(60)
    assert bench.story.state is IncidentState.ESCALATED, "it is as ill as it was"
    bench.platform.instances[3] = instance(3)
    bench.turns(60)
    assert bench.story.state is IncidentState.RESOLVED


def test_the_highest_are_drained_before(bench):
    bench.scale(1).turns(10)
    assert {node for node, _ in bench.control.cancelled} == set(NODES[1:])
    assert (bench.platform.scaled, bench.control.ended) == ([], []), "their tasks run on"

    bench.active = 0
    bench.turns(15)
    assert (bench.platform.scaled, bench.control.ended, bench.control.mended) == ([1], [], [])
    assert (bench.remedy.state, bench.story.steps[-1].text) == (RemedyState.VERIFIED, "1 instances of worker are there")
    assert bench.of(f"{APP}/2").state is IncidentState.RESOLVED


def test_another_worker_in_the_place_of_an_idle_one_is_not_cut_off(bench):
    """Index 2 was idle and crashed; its next life works, while index 1 still ends what it has."""
    bench.scale(1)
    bench.busy = {1}
    bench.turns(12)
    assert bench.platform.scaled == []
    bench.platform.instances[2] = instance(2, life=2)
    bench.turns(3)
    bench.busy, bench.active = set(), 0
    bench.turns(20)

    assert (bench.platform.scaled, bench.remedy.state) == ([], RemedyState.LAPSED)
    assert bench.remedy.note.startswith("nothing was scaled: orders-worker/2 could not be drained: ")
    assert bench.control.mended == [(NODES[1], Repair(RepairKind.ADD_CONSUMER, "celery"))]


def test_it_is_not_sent_again_to_workers_that_consume_again(bench):
    """The answer was lost, a pause gave them their queues back, and it ends."""
    bench.active = 0
    bench.platform.answer, bench.platform.takes_effect = UnreachableError("502"), False
    bench.scale(2).turns(8)
    assert bench.asked("scale") == 1
    bench.policy = Policy(paused="ana looks")
    bench.turns(5)
    bench.policy = Policy()
    bench.active = 1
    bench.turns(60)

    assert (bench.asked("scale"), bench.remedy.state) == (1, RemedyState.LAPSED)
    assert bench.remedy.note == "nothing was scaled: orders-worker/2 is not idle any more"


def test_what_somebody_scales_right_before_is_theirs(bench):
    """The look is some seconds old; what counts is what the platform says when it is told."""

    def somebody(reached):
        if reached == "journalled":
            bench.platform.instances = {index: instance(index) for index in range(6)}

    bench.another(somebody)
    bench.scale(2, drain=False).turns(2)
    assert (bench.platform.scaled, bench.remedy.state) == ([], RemedyState.REFUSED)
    assert bench.remedy.note == "not ordered: somebody has scaled it to 6 meanwhile"


def test_without_draining(bench):
    bench.scale(1, drain=False).turns(10)
    assert (bench.platform.scaled, bench.control.cancelled) == ([1], [])
    assert bench.remedy.state is RemedyState.VERIFIED


def test_tasks_that_do_not_end_stop_it_and_all_consume_again(bench):
    bench.scale(1).turns(170)

    again = Repair(RepairKind.ADD_CONSUMER, "celery")
    assert bench.platform.scaled == []
    assert sorted(bench.control.mended) == [(NODES[1], again), (NODES[2], again)]
    assert bench.remedy.state is RemedyState.LAPSED
    told = next(one.text for one in bench.story.steps if one.kind == "escalated")
    assert told.startswith("nothing was scaled: orders-worker/")
    assert "it was not idle within 300 s: 1 tasks under way" in told


def test_a_pause_gives_back_what_was_drained(bench):
    bench.scale(2).turns(6)
    bench.policy = Policy(paused="ana looks")
    bench.turns(5)

    assert (bench.platform.scaled, bench.control.mended) == (
        [],
        [(NODES[2], Repair(RepairKind.ADD_CONSUMER, "celery"))],
    )
    assert bench.remedy.note == "nothing was scaled: paused: ana looks"


def test_a_no_of_the_platform_gives_back_what_was_drained(bench):
    bench.active, bench.platform.takes_effect = 0, False
    bench.platform.answer = RefusedError("memory quota_exceeded")
    bench.scale(2).turns(15)

    assert (bench.remedy.state, bench.remedy.note) == (RemedyState.REFUSED, "memory quota_exceeded")
    assert bench.control.mended == [(NODES[2], Repair(RepairKind.ADD_CONSUMER, "celery"))]


def test_what_another_scales_is_left_to_it(bench):
    bench.platform.owner = "the autoscaler's policy"
    bench.scale(5).turns(3)
    assert (bench.platform.scaled, bench.remedy.state) == ([], RemedyState.REFUSED)
    assert bench.remedy.note == "not ordered: the autoscaler's policy scales it; change its limits there instead"


@pytest.mark.parametrize("point", ["journalled", "acted"])
def test_the_next_keeper_scales_once(bench, point):
    bench.killed_at(point, lambda: bench.scale(5))
    bench.turns(40)
    assert (bench.platform.scaled, bench.remedy.state) == ([5], RemedyState.VERIFIED)
