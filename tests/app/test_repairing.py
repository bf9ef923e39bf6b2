"""A live repair as the keeper makes it: of the very process that lacks something, journalled first, proven afterwards."""

import pytest

from app.virtual import NODE, Cluster, alive
from celeriac.app.heal import Keeper, Rules
from celeriac.core.errors import MissingError, RefusedError, UnreachableError
from celeriac.core.incident import IncidentState, RemedyKind, RemedyState
from celeriac.core.limits import Limits, Policy
from celeriac.core.model import Inspection, Mode, Pool
from celeriac.core.repair import Repair, RepairKind
from core.builders import CLUSTER, instance

ADD = Repair(RepairKind.ADD_CONSUMER, "celery", ("celery",))


class Bench:
    """One worker that takes nothing while work waits, a keeper in mode auto that may repair it, a real journal."""

    def __init__(self, clock, history, journal):
        self.clock, self.journal = clock, journal
        self.cluster = Cluster(clock, history)
        self.cluster.broker.lengths, self.cluster.platform.instances = {"celery": 3}, {0: instance(0)}
        self.control = self.cluster.control
        self.control.alive, self.control.says = {NODE}, {NODE: Inspection()}
        self.control.kinds = {f"{NODE}#7": Pool("prefork", 4, ("celery",))}
        rules = Rules(limits=Limits(live_repair=("celery",)), policy=lambda: Policy(mode=Mode.AUTO), cycle_s=0.01)
        self.keeper = Keeper(self.cluster.another(), journal, rules, holder="first")

    def turns(self, number, **fields):
        """Run so many cycles; the worker says that it runs nothing, unless told otherwise."""
        for _ in range(number):
            self.clock.pass_(2)
            self.cluster.observe(alive(self.clock, **{"active": 0, **fields}))
            self.keeper.cycle()

    @property
    def incident(self):
        (one,) = self.journal.incidents(CLUSTER, open_only=False, limit=9)
        return one

    @property
    def remedies(self):
        return self.journal.book(CLUSTER, 0.0).remedies


@pytest.fixture
def bench(clock, history, journal):
    one = Bench(clock, history, journal)
    yield one
    one.keeper._gatherer.close()
    one.cluster.gatherer.close()


def test_a_cancelled_queue_is_consumed_again_and_proven(bench):
    bench.turns(40)
    assert bench.control.mended == [(NODE, ADD)]
    assert (bench.incident.state, bench.incident.remedy) == (IncidentState.VERIFYING, RemedyKind.LIVE_REPAIR)

    bench.cluster.broker.lengths = {"celery": 0}
    bench.turns(3, active=2, last_start_at=bench.clock())

    assert bench.incident.state is IncidentState.RESOLVED
    assert [one.kind for one in bench.incident.steps] == ["opened", "intended", "acted", "resolved"]
    assert bench.incident.steps[2].text == f"{NODE} says: add consumer; waiting for proof"
    assert [one.state for one in bench.remedies] == [RemedyState.VERIFIED]
    assert bench.cluster.platform.restarted == []


def test_another_process_is_not_touched(bench):
    """It may lack nothing, and is judged by itself."""
    bench.turns(10)
    bench.control.kinds = {f"{NODE}#8": Pool("prefork", 4, ("celery",))}
    bench.turns(28)

    assert bench.control.mended == []
    assert "is not the process it was" in bench.incident.steps[2].text


@pytest.mark.parametrize(
    ("no", "state"),
    [
        (UnreachableError("remote control: gone"), RemedyState.INTENDED),
        (MissingError("it does not answer"), RemedyState.INTENDED),
        (RefusedError("pool_grow is not supported"), RemedyState.REFUSED),
    ],
    ids=["unreachable", "no answer", "refused"],
)
def test_an_answer_that_is_no_yes_is_told(bench, no, state):
    """What is unclear is judged anew; a no is for a person."""
    bench.control.no = no
    bench.turns(33)

    assert len(bench.control.mended) == 1
    assert (bench.remedies[0].state, str(no) in bench.incident.steps[-1].text) == (state, True)


def test_without_hands_a_person_is_called(bench):
    bench.keeper._gatherer.hands = None
    bench.turns(40)

    assert bench.incident.state is IncidentState.ESCALATED
