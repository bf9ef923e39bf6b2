"""A keeper on the emulated Cloud Foundry, through the real adapter; workers are stand-ins that beat in the store.

The clock is the test's, and the foundation's too, so that minutes pass at once and each clock may be set wrong.
"""

import os
import re
import signal
from collections.abc import Callable

import harness
from app.virtual import PREFORK, Clock, MemoryBroker, MemoryControl
from celeriac.adapters.cloudfoundry import CloudFoundry, Credentials, Session
from celeriac.adapters.sql.recorder import SqlRecorder
from celeriac.app.gather import Gatherer, Sources
from celeriac.app.heal import Keeper, Rules
from celeriac.core.limits import Limits, Policy
from celeriac.core.model import Consumer, Mode
from celeriac.core.redact import Redaction
from celeriac.emulator import AppConfig, Emulator, EmulatorConfig, Fault, ProcessConfig, UserConfig
from celeriac.emulator.audit import Party
from celeriac.emulator.cloud_controller import Scaling
from celeriac.ports import Batch
from core.builders import APP, CLUSTER, stream, worker

REQUEST = re.compile(r", request [0-9a-f:-]+\)")


class Foundation:
    """Two instances of one app in the emulator, a keeper in mode auto with a real store, and everything else in memory."""

    def __init__(self, store, **settings) -> None:
        self.clock = Clock()
        process = ProcessConfig("exec sleep 1000", instances=settings.pop("instances", 2))
        config = EmulatorConfig(
            apps=(AppConfig(APP, (process,)),), users=(UserConfig("ada", "secret"),), grace_seconds=1.0, **settings
        )
        self.emulator = Emulator(config, true_time=self.clock)
        self.session = Session(
            self.emulator.url,
            Credentials("platform.cf", username="ada", password="secret"),
            timeout=0.5,
            monotonic=self.clock,
            sleep=lambda _: None,
        )
        self.cloud = CloudFoundry("cf", self.session, org="demo", space="dev", selectors=[APP])
        self.history, self.journal = store.history(CLUSTER), store.journal()
        self.recorder = SqlRecorder(self.history._database, Redaction())
        self.broker, self.control = MemoryBroker(), MemoryControl()
        self.born: dict[str, float] = {}
        self.frozen: dict[str, float] = {}
        self.reached: Callable[[str], None] = lambda _: None
        self.keeper, self.gatherer = self.hire()

    def __enter__(self) -> "Foundation":
        self.emulator.start()
        self.runs(len(self.slots()))
        return self

    def __exit__(self, *_: object) -> None:
        self.gatherer.close()
        self.emulator.stop()
        self.session.close()

    def hire(self) -> tuple[Keeper, Gatherer]:
        sources = Sources(
            history=self.history,
            broker=self.broker,
            control=self.control,
            hands=self.control,
            records=self.cloud,
            platform=self.cloud,
        )
        gatherer = Gatherer(CLUSTER, sources, Limits(), self.clock)
        rules = Rules(limits=Limits(), policy=lambda: Policy(mode=Mode.AUTO, budget_share=1.0), cycle_s=0.01)
        keeper = Keeper(gatherer, self.journal, rules, holder="first", reached=self._reach)
        return keeper, gatherer

    def _reach(self, point: str) -> None:
        self.reached(point)

    # What is wrong, and with whom

    def wrong(self, *faults: Fault) -> None:
        """Put these faults in force, and no others."""
        self.emulator.foundation.faults.put(*faults)

    def freeze(self, index: int = 0) -> None:
        """Let the worker of this index say nothing any more."""
        self.frozen[self.slots()[index].instance_guid] = self.clock()

    def kill(self, index: int = 0) -> None:
        """Kill an instance, and wait until Diego knows."""
        before = self.slots()[index]
        os.kill(before.pid, signal.SIGKILL)
        harness.wait_until(lambda: self.slots()[index].instance_guid != before.instance_guid, 10, "it has crashed")

    def crash(self, index: int = 0) -> None:
        """Kill an instance; Diego starts it anew at once, the first two times."""
        self.kill(index)
        self.runs(len(self.slots()))

    def scale(self, instances: int) -> None:
        """Have somebody else scale the app."""
        controller = self.emulator.foundation.controller
        controller.scale(controller.processes()[0], Scaling(instances=instances), Party("bo-guid", "user", "bo"))

    def begin_anew(self) -> None:
        """Have another keeper take over, which remembers no look."""
        self.gatherer.close()
        self.keeper, self.gatherer = self.hire()

    def slots(self):
        controller = self.emulator.foundation.controller
        return controller.observe(controller.processes()[0]).slots

    def runs(self, number: int) -> None:
        """Wait until so many instances run; Diego's clock is not the test's, so it is told to look."""

        def running() -> bool:
            self.emulator.foundation.diego.converge()
            return [one.state for one in self.slots().values()].count("RUNNING") == number

        harness.wait_until(running, 10, f"{number} instances run", dump=self.slots)

    # What happens

    def turns(self, number: int, after: float = 2.0) -> None:
        """Run so many cycles; before each time passes, and whoever runs and is not frozen beats."""
        for _ in range(number):
            self.clock.pass_(after)
            self._observe()
            self.keeper.cycle()

    def until(self, condition, at_most: int, why: str):
        """Run cycles until something is so."""
        for _ in range(at_most):
            self.turns(1)
            if found := condition():
                return found
        raise AssertionError(f"{why}: {self.told()}, {self.board.sentence}, {self.incidents}")

    def _observe(self) -> None:
        now, lives, alive = self.clock(), [], set()
        for index, slot in self.slots().items():
            if slot.state != "RUNNING":
                continue
            node = f"celery@{slot.instance_guid}"
            born = now - self.born.setdefault(slot.instance_guid, now - 20)
            silent = now - self.frozen.get(slot.instance_guid, now - 0.5)
            lives.append(worker(index, node=node, silent=silent, now=now, born=max(born, silent)))
            if slot.instance_guid not in self.frozen:
                alive.add(node)
        self.control.alive = alive
        self.control.kinds |= {f"{one.node}#7": PREFORK for one in lives}
        self.broker.there = {one.node: _connections(one.node in alive) for one in lives}
        self.recorder.record(Batch(stream(now=now), incarnations=lives))

    # What people see

    @property
    def board(self):
        return self.journal.board(CLUSTER)

    @property
    def incidents(self):
        return self.journal.incidents(CLUSTER, open_only=False, limit=50)

    @property
    def remedies(self):
        return self.journal.book(CLUSTER, 0.0).remedies

    def told(self) -> tuple[str, ...]:
        """Return what people are told of the cluster beside its workers, without what differs each time."""
        said = (*self.board.problems, *self.board.notes)
        return tuple(REQUEST.sub(")", one).replace(self.emulator.url, "URL") for one in said)

    def finding(self, index: int = 0):
        return next(one for one in self.board.findings if one.place.index == index)

    def restarts(self) -> int:
        """Return how many instances anybody had restarted through the API."""
        events = self.emulator.foundation.audit.events()
        return sum(one.type == "audit.app.process.terminate_instance" for one in events)

    def verdicts(self) -> list[str]:
        return [one.verdict.value for one in self.board.findings]


def _connections(fetching: bool) -> Consumer:
    return Consumer(10, fetching=fetching, idle_s=0.0 if fetching else 30.0)
