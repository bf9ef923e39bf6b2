"""What a real Redis tells of real workers: who fetches, who stands still, who is gone."""

import os
import signal

import pytest
import redis

import harness
from adapters.broker_talk import depths, producer
from celeriac.adapters.control import CeleryControl
from celeriac.adapters.redis_broker import RedisBroker

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def seen(workers):
    """Tell what the broker sees of a node."""
    broker = RedisBroker(workers.redis.url, timeout=1)
    return lambda node: broker.clients(()).by_node.get(node)  # noqa: PLW0108 (it is asked anew each time)


def until(condition, within, why, seen):
    return harness.wait_until(
        condition, within, why, dump=lambda: seen.__closure__[0].cell_contents.clients(()).by_node, every=0.1
    )


def test_an_idle_worker_fetches(workers, seen):
    """It sits in a blocking BRPOP, and all its connections carry its name; the prefork children's do too."""
    node, child = workers.start("idle", "-c", "2")
    found = until(lambda: (one := seen(node)) and one.fetching and one, 10, "it fetches", seen)

    assert found.connections >= 3
    assert found.idle_s <= 5
    with harness.lasting(3) as over:
        while not over():
            assert seen(node).fetching  # also between two BRPOPs
    child.stop(10)
    until(lambda: seen(node) is None, 5, "its connections are gone", seen)


def test_a_frozen_worker_stops_fetching_and_keeps_its_connections(workers, seen):
    """Within seconds of SIGSTOP nobody of it waits for messages any more; after SIGCONT it fetches again."""
    node, child = workers.start("frozen", "-c", "1")
    until(lambda: (one := seen(node)) and one.fetching, 10, "it fetches", seen)
    harness.freeze(child.pid)

    found = until(lambda: (one := seen(node)) and not one.fetching and one, 8, "it does not fetch", seen)
    assert found.connections >= 2
    os.kill(child.pid, signal.SIGCONT)
    until(lambda: seen(node).fetching, 8, "it fetches again", seen)


def test_a_killed_worker_is_gone(workers, seen):
    """The kernel closes its connections; a sibling's stay."""
    node, child = workers.start("killed", "-c", "1")
    sibling, _ = workers.start("sibling", "-c", "1")
    until(lambda: seen(node) and seen(sibling), 10, "both are there", seen)
    child.kill()

    until(lambda: seen(node) is None, 5, "it is gone", seen)
    assert seen(sibling).fetching


def test_a_worker_whose_slots_are_full_does_not_fetch_and_answers(workers, seen):
    """With long tasks in every slot and a full prefetch it looks like a frozen one here: only its ping tells them apart."""
    node, _ = workers.start("full", "-c", "1", "--prefetch-multiplier", "2", queues="reports")
    with producer(workers.redis.url) as app:
        for _ in range(5):
            app.send_task("reports.render", [60], queue="reports")
    found = until(lambda: (one := seen(node)) and not one.fetching and one, 12, "it does not fetch", seen)

    assert found.connections >= 2
    assert CeleryControl(workers.redis.url).ping([node]) == {node}
    left = depths(RedisBroker(workers.redis.url), ["reports"])["reports"]
    assert 1 <= left <= 3


def test_a_frozen_worker_still_listens(workers, seen):
    """SIGSTOP ends no subscription: it is not mistaken for a worker that shuts down."""
    node, child = workers.start("still", "-c", "1")
    until(lambda: (one := seen(node)) and one.listening, 10, "it listens", seen)
    harness.freeze(child.pid)

    until(lambda: not seen(node).fetching, 8, "it does not fetch", seen)
    with harness.lasting(3) as over:
        while not over():
            assert seen(node).listening
    os.kill(child.pid, signal.SIGCONT)


def test_a_worker_that_shuts_down_warmly_does_not_listen(workers, seen):
    """While its last task runs it has connections, hears no events and answers no ping."""
    node, child = workers.start("leaving", "-c", "1", queues="winding")
    control = CeleryControl(workers.redis.url)
    with producer(workers.redis.url) as app:
        app.send_task("reports.render", [15], queue="winding")
        harness.wait_until(lambda: (app.control.inspect([node]).active() or {}).get(node), 10, "the task runs")
    assert seen(node).listening
    child.terminate()

    found = until(lambda: (one := seen(node)) and not one.listening and one, 8, "it does not listen", seen)
    assert found.connections >= 1
    assert control.ping([node]) == frozenset()
    assert child.poll() is None
    left = seen(node)
    assert (left.connections >= 1, left.listening) == (True, False)


def test_what_others_publish_is_no_life_of_a_frozen_worker(workers, seen):
    """Redis counts what it sends to a subscriber as that connection's life; a frozen worker's idle time grows all the same."""
    node, child = workers.start("chilled", "-c", "1")
    until(lambda: (one := seen(node)) and one.listening, 10, "it listens", seen)
    harness.freeze(child.pid)

    with producer(workers.redis.url) as app, redis.Redis(port=workers.redis.port) as look:

        def subscribed():
            return [one for one in look.client_list() if node in one["name"] and "P" in one["flags"]]

        with app.connection_for_write() as connection, app.events.Dispatcher(connection, "other@g") as others:

            def idle():
                others.send("worker-heartbeat", freq=2.0)
                return seen(node).idle_s >= 7

            harness.wait_until(idle, 15, "it is idle", dump=look.client_list, every=0.2)
            assert min(float(one["idle"]) for one in subscribed()) <= 2
    os.kill(child.pid, signal.SIGCONT)
