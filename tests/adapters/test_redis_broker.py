"""What a real Redis tells of real workers: who fetches, who stands still, who is gone, and how much waits."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from celery import Celery

import harness
from celeriac.adapters.control import CeleryControl
from celeriac.adapters.redis_broker import RedisBroker, connections
from celeriac.adapters.redis_broker.broker import MOST_UNACKED
from celeriac.adapters.redis_broker.keys import STEPS, lists
from celeriac.core.errors import RefusedError, UnreachableError


@pytest.fixture
def broker(redis_server):
    return RedisBroker(redis_server.url, timeout=0.5)


def timed(call, kind=UnreachableError):
    begun = time.monotonic()
    with pytest.raises(kind) as caught:
        call()
    return time.monotonic() - begun, str(caught.value)


def producer(url):
    return Celery("producer", broker=url, set_as_current=False)


def test_an_idle_redis_has_no_workers(broker):
    """Our own connections and nameless ones are nobody's."""
    assert broker.consumers(()) == {}


def test_connections_are_grouped_by_the_node_in_their_name(broker, redis_server):
    """The node name is found inside a longer name; connections without one are left out."""
    names = ["worker@g1", "cs:worker@g1:3", "worker@g2", "someone-else", "@", ""]
    clients = [redis.Redis(port=redis_server.port, client_name=name) for name in names]
    for client in clients:
        client.ping()

    assert {node: one.connections for node, one in broker.consumers(()).items()} == {"worker@g1": 2, "worker@g2": 1}
    for client in clients:
        client.close()


def test_who_waits_in_a_brpop_fetches_however_long(broker, redis_server, monkeypatch):
    """Redis flags a client that is blocked; one whose BRPOP has just ended counts as fetching for some seconds more."""
    client = redis.Redis(port=redis_server.port, client_name="worker@g")

    def fetching():
        return (one := broker.consumers(()).get("worker@g")) and one.fetching

    with client, redis.Redis(port=redis_server.port) as other, ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(client.brpop, "queue", 30)
        monkeypatch.setattr(connections, "FRESH_S", 0.0)
        harness.wait_until(fetching, 5, "it is blocked")
        other.lpush("queue", "x")
        waiting.result()
        assert not fetching()
        monkeypatch.undo()
        assert fetching()
        client.ping()
        assert not fetching()


def test_depths_count_every_priority(broker, redis_server):
    """Celery's own messages of each priority step are counted; a queue that nobody knows is empty."""
    with producer(redis_server.url) as app:
        for priority in (0, 3, 6, 9, 9):
            app.send_task("orders.price", [1], queue="orders", priority=priority)
        app.send_task("reports.render", [1], queue="reports")

    assert broker.depths(["orders", "reports", "nobody's"]) == {"orders": 5, "reports": 1, "nobody's": 0}
    assert broker.depths([]) == {}
    lengths = redis.Redis(port=redis_server.port)
    assert [lengths.llen(key) for key in lists("orders")] == [1, 1, 1, 2]
    lengths.close()


@pytest.mark.parametrize("call", QUESTIONS)
def test_a_redis_that_is_gone_is_unreachable_and_may_come_back(broker, redis_server, call, tmp_path):
    """The error comes at once, and the next call after a restart on the same port works."""
    call(broker)
    redis_server.child.stop(5)
    took, said = timed(lambda: call(broker))
    assert took < 1
    assert said.startswith("Redis: ")
    with harness.redis_running(tmp_path / "again", port=redis_server.port):
        call(broker)


@pytest.mark.parametrize("call", QUESTIONS)
@pytest.mark.parametrize("connected", [True, False])
def test_a_redis_that_stands_still_is_unreachable_within_the_time_limit(broker, redis_server, call, connected):
    """Neither an open nor a new connection blocks for longer; afterwards all is well."""
    if connected:
        call(broker)
    harness.freeze(redis_server.child.pid)
    took, said = timed(lambda: call(broker))
    os.kill(redis_server.child.pid, signal.SIGCONT)

    assert took < 1.5
    assert "Timeout" in said
    call(broker)


def test_a_wrong_password_is_refused(redis_server):
    """It is an answer, so asking again does not help; the password is not shown."""
    with redis.Redis(port=redis_server.port) as admin:
        admin.config_set("requirepass", "right-secret")
    wrong = RedisBroker(f"redis://:wrong-secret@127.0.0.1:{redis_server.port}/0", timeout=0.5)
    none = RedisBroker(redis_server.url, timeout=0.5)
    right = RedisBroker(f"redis://:right-secret@127.0.0.1:{redis_server.port}/0", timeout=0.5)

    _, said = timed(lambda: wrong.consumers(()), RefusedError)
    assert said == "Redis refuses: invalid username-password pair or user is disabled."
    timed(lambda: none.consumers(()), RefusedError)
    assert right.consumers(()) == {}


def test_a_role_that_may_not_list_clients_is_refused(redis_server):
    """A restricted Redis user gets a sentence that names the command."""
    with redis.Redis(port=redis_server.port) as admin:
        if int(admin.info("server")["redis_version"].split(".")[0]) < 7:
            pytest.skip("before Redis 7 no subcommand could be forbidden alone")
        rights = {"commands": ["+@all", "-client|list"], "keys": ["*"], "channels": ["*"]}
        admin.acl_setuser("seer", enabled=True, passwords=["+x"], **rights)

    broker = RedisBroker(f"redis://seer:x@127.0.0.1:{redis_server.port}/0", timeout=0.5)
    _, said = timed(lambda: broker.consumers(()), RefusedError)
    assert "client|list" in said
    assert broker.depths(["orders"]) == {"orders": 0}


def test_reading_leaves_nothing_in_redis(broker, redis_server):
    """Neither question makes a key."""
    broker.consumers(())
    broker.depths(["orders"])

    with redis.Redis(port=redis_server.port) as look:
        assert look.keys() == []


# With real workers


@pytest.fixture(scope="module")
def seen(workers):
    """Tell what the broker sees of a node."""
    broker = RedisBroker(workers.redis.url, timeout=1)
    return lambda node: broker.consumers(()).get(node)


def until(condition, within, why, seen):
    return harness.wait_until(condition, within, why, dump=lambda: seen.__closure__[0].cell_contents.consumers(()), every=0.1)


@pytest.mark.live
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


@pytest.mark.live
def test_a_frozen_worker_stops_fetching_and_keeps_its_connections(workers, seen):
    """Within seconds of SIGSTOP nobody of it waits for messages any more; after SIGCONT it fetches again."""
    node, child = workers.start("frozen", "-c", "1")
    until(lambda: (one := seen(node)) and one.fetching, 10, "it fetches", seen)
    harness.freeze(child.pid)

    found = until(lambda: (one := seen(node)) and not one.fetching and one, 8, "it does not fetch", seen)
    assert found.connections >= 2
    os.kill(child.pid, signal.SIGCONT)
    until(lambda: seen(node).fetching, 8, "it fetches again", seen)


@pytest.mark.live
def test_a_killed_worker_is_gone(workers, seen):
    """The kernel closes its connections; a sibling's stay."""
    node, child = workers.start("killed", "-c", "1")
    sibling, _ = workers.start("sibling", "-c", "1")
    until(lambda: seen(node) and seen(sibling), 10, "both are there", seen)
    child.kill()

    until(lambda: seen(node) is None, 5, "it is gone", seen)
    assert seen(sibling).fetching


@pytest.mark.live
def test_a_worker_whose_slots_are_full_does_not_fetch_and_answers(workers, seen):
    """With long tasks in every slot and a full prefetch it looks like a frozen one here: only its ping tells them apart."""
    node, _ = workers.start("full", "-c", "1", "--prefetch-multiplier", "2", queues="reports")
    with producer(workers.redis.url) as app:
        for _ in range(5):
            app.send_task("reports.render", [60], queue="reports")
    found = until(lambda: (one := seen(node)) and not one.fetching and one, 12, "it does not fetch", seen)

    assert found.connections >= 2
    assert CeleryControl(workers.redis.url).ping([node]) == {node}
    left = RedisBroker(workers.redis.url).depths(["reports"])["reports"]
    assert 1 <= left <= 3


@pytest.mark.live
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


@pytest.mark.live
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


@pytest.mark.live
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
