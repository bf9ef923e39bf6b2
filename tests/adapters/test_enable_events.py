"""Task events turned on from outside: what workers answer, and that events flow from then on."""

import time

import pytest
from celery import Celery

import harness
from celeriac.adapters.control import CeleryControl
from celeriac.adapters.kombu_events import KombuEvents
from celeriac.adapters.sql.audit import SqlAudit
from celeriac.adapters.sql.database import Database
from celeriac.app.events_switch import EventsSwitch
from celeriac.core.events import decode
from celeriac.core.fold import ClusterState
from celeriac.core.readings import Known
from celeriac.core.snapshot import Seen, Stream
from celeriac.ports import AuditFilter

WITHOUT_TASK_EVENTS = ("--", "worker.send_task_events=False")
ENABLED, ALREADY = "task events enabled", "task events already enabled"


class Listener:
    """A cluster's events as the observer hears them, and the tasks that a person sends."""

    def __init__(self, url):
        self._stream, self.state = KombuEvents(url), ClusterState()
        self.tasks: set[str] = set()
        self.app = Celery("person", broker=url, set_as_current=False)
        self.listen()

    def listen(self, within=0.1):
        events, _ = decode(self._stream.receive(within))
        self.state.fold(events, time.time())
        self.tasks.update(one.uuid for one in self.state.changes()[0])

    def send(self):
        """Send a task, and return its id."""
        return self.app.send_task("orders.price", [1], queue="orders").id

    def life(self, node):
        """Return what is known of a worker by now."""
        self.listen()
        return next((one for one in self.state.incarnations.values() if one.node == node), None)

    def seen(self):
        """Return a look at the cluster, as far as the switch cares."""
        now = time.time()
        return Seen("demo", now, Known(Stream(now), now), tuple(self.state.incarnations.values()))

    def close(self):
        self._stream.close()
        self.app.close()


@pytest.fixture
def listener(workers):
    one = Listener(workers.redis.url)
    yield one
    one.close()


@pytest.fixture
def audit(tmp_path):
    database = Database(tmp_path / "control.db", "control")
    database.migrate()
    yield SqlAudit(database)
    database.close()


@pytest.fixture
def switch(workers, audit):
    one = EventsSwitch("demo", CeleryControl(workers.redis.url), audit, time.time)
    yield one
    one.close()


@pytest.mark.live
def test_a_worker_without_task_events_is_found_asked_and_heard(workers, listener, switch, audit):
    """Its own counter gives it away; once asked it speaks of its tasks, and it is not asked again."""
    node, _ = workers.start("mute", "-c", "1", *WITHOUT_TASK_EVENTS)

    def mute():
        one = listener.life(node)
        if one and one.beats:
            listener.send()
        return one and one.mute

    harness.wait_until(mute, 20, "a heartbeat shows tasks of which nothing was heard", every=0.5)
    assert listener.tasks == set()

    def noted():
        switch.consider(listener.seen())
        listener.listen()
        return audit.entries(AuditFilter(9, "demo"))

    (entry,) = harness.wait_until(noted, 10, "the answer is in the trail")
    assert (entry.actor, entry.action, entry.detail) == ("celeriac", "enable_events", ENABLED)
    assert entry.target == listener.life(node).key

    task = listener.send()
    harness.wait_until(lambda: listener.life(node) and task in listener.tasks, 10, "the next task is heard of")
    harness.wait_until(lambda: not listener.life(node).mute, 10, "its heartbeat agrees with its events")
    switch.consider(listener.seen())
    assert audit.entries(AuditFilter(9, "demo")) == [entry]


@pytest.mark.live
def test_a_worker_that_sends_them_says_so_and_one_that_is_not_there_says_nothing(workers):
    node, _ = workers.start("loud", "-c", "1")

    assert CeleryControl(workers.redis.url).enable_events([node, "worker@nobody"]) == {node: ALREADY}
