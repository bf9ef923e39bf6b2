"""A rolling restart as keepers make it, with a real journal: one is killed in between, and no instance is restarted twice."""

import pytest

from app.virtual import Cluster, alive
from celeriac.app.heal import Keeper, Rules
from celeriac.core.incident import IncidentState, RemedyKind, RemedyState
from celeriac.core.limits import Limits, Policy
from celeriac.core.model import Place, Pool
from core.builders import APP, CLUSTER, PLATFORM, instance, order

WHOLE = Place(CLUSTER, PLATFORM, APP)


class Bench:
    """Two healthy workers whose app a person wants to be restarted, on a platform that does so at once."""

    def __init__(self, clock, history, journal):
        self.clock, self.journal = clock, journal
        self.cluster = Cluster(clock, history)
        self.platform, self.control = self.cluster.platform, self.cluster.control
        self.platform.instances = {index: instance(index) for index in range(2)}
        self.keepers = []
        self.another()

    def another(self, reached=lambda _: None):
        """Let another keeper go on."""
        rules = Rules(limits=Limits(), policy=Policy, cycle_s=0.01)
        self.keepers.append(Keeper(self.cluster.another(), self.journal, rules, holder="one", reached=reached))

    def turn(self):
        """Run one cycle; each instance has a worker of its own that is well."""
        self.clock.pass_(2)
        nodes = {index: f"celery@{one.guid}" for index, one in self.platform.instances.items()}
        self.control.alive = set(nodes.values())
        self.control.kinds = {f"{node}#7": Pool("prefork", 4, ("celery",)) for node in nodes.values()}
        self.cluster.observe(*(alive(self.clock, index, node=node, active=0) for index, node in nodes.items()))
        self.keepers[-1].cycle()

    def turns(self, number):
        for _ in range(number):
            self.turn()

    def ordered(self):
        """Let a person order it, once the keeper has looked around."""
        self.turns(2)
        fields = {"guid": None, "node": None, "pid": None, "incident": None, "place": WHOLE}
        self.journal.submit(order(kind=RemedyKind.RESTART_APP, now=self.clock(), **fields))

    def incidents(self):
        return {one.place.name: one for one in self.journal.incidents(CLUSTER, open_only=False, limit=9)}


@pytest.fixture
def bench(clock, history, journal):
    one = Bench(clock, history, journal)
    yield one
    for keeper in one.keepers:
        keeper._gatherer.close()
    one.cluster.gatherer.close()


def test_one_after_the_other(bench):
    bench.ordered()
    bench.turns(30)

    assert bench.platform.restarted == ["guid-0-1", "guid-1-1"]
    assert {one.state for one in bench.incidents().values()} == {IncidentState.RESOLVED}
    kinds = [one.kind for one in bench.incidents()[APP].steps]
    assert kinds == ["opened", "turn", "proven", "turn", "proven", "resolved"]
    assert bench.journal.remedy("order").state is RemedyState.VERIFIED


@pytest.mark.parametrize("point", ["journalled", "acted", "verifying"])
def test_the_next_keeper_goes_on(bench, point):
    def killed(reached):
        if reached == point:
            raise KeyboardInterrupt

    bench.another(killed)
    bench.ordered()
    with pytest.raises(KeyboardInterrupt):
        bench.turns(30)
    bench.another()
    bench.turns(60)

    assert bench.platform.restarted == ["guid-0-1", "guid-1-1"]
    assert bench.journal.remedy("order").state is RemedyState.VERIFIED
