"""A recycling as the keeper makes it: order by order, each for the very process, whichever keeper is at work."""

import pytest
from msgspec.structs import replace

from app.virtual import NODE, Cluster, alive
from celeriac.app.heal import Keeper, Rules
from celeriac.core.errors import MissingError, RefusedError
from celeriac.core.incident import IncidentState, Recycling, RemedyKind, RemedyState
from celeriac.core.limits import Limits, Policy
from celeriac.core.model import Mode, Pool
from celeriac.core.repair import Repair, RepairKind
from core.builders import CLUSTER, crash, instance, order


class Bench:
    """One healthy worker of two whose recycling a person has ordered, and a keeper with a real journal."""

    def __init__(self, clock, history, journal):
        self.clock, self.journal = clock, journal
        self.cluster = Cluster(clock, history)
        self.control, self.platform = self.cluster.control, self.cluster.platform
        self.platform.instances = {0: instance(0)}
        self.control.alive = {NODE}
        self.control.kinds = {f"{NODE}#7": Pool("prefork", 4, ("celery",))}
        self.keepers = [self.keeper()]

    def keeper(self):
        rules = Rules(limits=Limits(), policy=lambda: Policy(mode=Mode.AUTO), cycle_s=0.01)
        return Keeper(self.cluster.another(), self.journal, rules, holder="one")

    def another(self):
        """Let another keeper go on."""
        self.keepers.append(self.keeper())
        return self

    def turns(self, number=1, **fields):
        """Run so many cycles; the worker runs one task, unless told otherwise."""
        for _ in range(number):
            self.clock.pass_(2)
            self.cluster.observe(alive(self.clock, **{"active": 1, **fields}))
            self.keepers[-1].cycle()

    def until_it_drains(self):
        self.turns(2)
        asked = order(kind=RemedyKind.RECYCLE, incident=None, now=self.clock())
        self.journal.submit(asked)
        self.turns(3)
        assert self.control.cancelled == [(NODE, "celery")]

    @property
    def incident(self):
        (one,) = self.journal.incidents(CLUSTER, open_only=False, limit=9)
        return one

    @property
    def remedy(self):
        return self.journal.remedy("order")


@pytest.fixture
def bench(clock, history, journal):
    one = Bench(clock, history, journal)
    yield one
    for keeper in one.keepers:
        keeper._gatherer.close()
    one.cluster.gatherer.close()


def test_it_drains_ends_and_is_proven(bench):
    bench.until_it_drains()
    bench.turns(10)
    assert (bench.control.ended, bench.remedy.step) == ([], Recycling.DRAIN), "its task runs on"

    bench.turns(4, active=0)
    assert (bench.control.ended, bench.incident.state) == ([NODE], IncidentState.REMEDYING)

    bench.platform.instances = {0: instance(0, life=2)}
    bench.platform.crashed = (crash(text="APP/PROC/WORKER: Exited with status 0", now=bench.clock()),)
    next_node = bench.platform.instances[0].guid
    bench.control.alive = {f"celery@{next_node}"}
    bench.control.kinds = {f"celery@{next_node}#7": Pool("prefork", 4, ("celery",))}
    bench.turns(3, life=2, active=0)

    assert bench.incident.state is IncidentState.RESOLVED
    kinds = [one.kind for one in bench.incident.steps]
    assert kinds == ["opened", "intended", "drain", "told", "shutdown", "told", "acted", "resolved"]
    assert (bench.remedy.state, bench.incident.crashes) == (RemedyState.VERIFIED, ())
    assert (bench.platform.restarted, bench.control.mended) == ([], [])


def test_one_that_does_not_get_idle_goes_on_as_before(bench):
    bench.until_it_drains()
    bench.turns(151)

    assert bench.control.mended == [(NODE, Repair(RepairKind.ADD_CONSUMER, "celery"))]
    assert (bench.incident.state, bench.remedy.state) == (IncidentState.ESCALATED, RemedyState.LAPSED)
    assert "it was not idle within 300 s: 1 tasks under way" in bench.incident.steps[-1].text
    assert bench.control.ended == []


def test_a_pause_gives_its_queues_back(bench):
    """It would stand idle for as long as people look."""
    bench.until_it_drains()
    keeper = bench.keepers[-1]
    keeper._rules = replace(keeper._rules, policy=lambda: Policy(mode=Mode.AUTO, paused="ana looks"))
    bench.turns(5, active=0)

    assert bench.control.mended == [(NODE, Repair(RepairKind.ADD_CONSUMER, "celery"))]
    assert (bench.incident.state, bench.remedy.state) == (IncidentState.ESCALATED, RemedyState.LAPSED)
    assert bench.incident.steps[-1].text.startswith("not recycled: paused: ana looks; ")
    assert bench.control.ended == []


@pytest.mark.parametrize("point", ["journalled", "acted"])
def test_the_next_keeper_goes_on(bench, point):
    """Killed before or after the order to end: it is told again only if it goes on."""
    bench.until_it_drains()

    def killed(reached):
        if reached == point:
            raise KeyboardInterrupt

    bench.keepers[-1]._reached = killed
    with pytest.raises(KeyboardInterrupt):
        bench.turns(4, active=0)
    assert bench.control.ended == ([] if point == "journalled" else [NODE])
    assert bench.remedy.step is Recycling.SHUTDOWN

    bench.another().turns(4, active=0)
    assert len(bench.control.ended) == (0 if point == "journalled" else 1)
    bench.turns(5, active=0)
    assert len(bench.control.ended) == (1 if point == "journalled" else 2)


def test_another_process_is_told_nothing(bench):
    bench.until_it_drains()
    bench.control.kinds = {f"{NODE}#8": Pool("prefork", 4, ("celery",))}
    bench.turns(4, active=0)

    assert bench.control.ended == []
    assert "is not the process it was" in bench.incident.steps[-1].text


def test_what_it_refuses_is_taken_back(bench):
    bench.control.no_end = RefusedError("cancel_consumer is not allowed")
    bench.until_it_drains()
    bench.turns(1)

    assert bench.control.mended == [(NODE, Repair(RepairKind.ADD_CONSUMER, "celery"))]
    assert bench.incident.state is IncidentState.ESCALATED
    assert "cancel_consumer is not allowed" in bench.incident.steps[-1].text


def test_no_answer_is_no_refusal(bench):
    bench.control.no_end = MissingError("it does not answer")
    bench.until_it_drains()
    bench.control.no_end = None
    bench.turns(6)

    assert bench.control.cancelled == [(NODE, "celery")] * 2
    assert bench.incident.state is IncidentState.REMEDYING


def test_without_hands_a_person_is_called(bench):
    bench.keepers[-1]._gatherer.hands = None
    bench.turns(2)
    bench.journal.submit(order(kind=RemedyKind.RECYCLE, incident=None, now=bench.clock()))
    bench.turns(4)

    assert bench.incident.state is IncidentState.ESCALATED
