"""What a real Redis tells of connections and lengths, and how it fails."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

import harness
from adapters.broker_talk import depths, failing, producer
from adapters.redis_guarded import MASTER, sentinel_running
from celeriac.adapters.redis_broker import RedisBroker, connections
from celeriac.adapters.redis_broker.keys import lists
from celeriac.core.errors import RefusedError
from celeriac.core.model import Nameless

QUESTIONS = {
    "consumers": lambda broker: broker.clients(()).by_node,
    "depths": lambda broker: depths(broker, ["orders"]),
    "queues": lambda broker: broker.queues(["orders"]),
}


def test_an_idle_redis_has_no_workers(broker):
    """Our own connections and nameless ones are nobody's."""
    assert broker.clients(()).by_node == {}


def test_connections_are_grouped_by_the_node_in_their_name(broker, redis_server):
    """The node name is found inside a longer name; connections without one are left out."""
    names = ["worker@g1", "cs:worker@g1:3", "worker@g2", "someone-else", "@", ""]
    clients = [redis.Redis(port=redis_server.port, client_name=name) for name in names]
    for client in clients:
        client.ping()

    assert {node: one.connections for node, one in broker.clients(()).by_node.items()} == {
        "worker@g1": 2,
        "worker@g2": 1,
    }
    for client in clients:
        client.close()


def test_connections_without_a_name_are_counted(broker, redis_server):
    """Who subscribes to patterns as Kombu does, and who fetches; who waits for one result is neither, nor are we."""
    port = redis_server.port
    with (
        redis.Redis(port=port) as client,
        client.pubsub() as pidbox,
        client.pubsub() as result,
        ThreadPoolExecutor(1) as thread,
    ):
        before = broker.clients(()).nameless
        pidbox.psubscribe("/0.celery.pidbox")
        result.subscribe("celery-task-meta-1")
        waiting = thread.submit(client.brpop, "queue", 5)
        expected = Nameless(before.subscribed + 1, before.fetching + 1)
        harness.wait_until(lambda: broker.clients(()).nameless == expected, 3, "both are there")
        client.lpush("queue", "x")
        waiting.result()


def test_who_waits_in_a_brpop_fetches_however_long(broker, redis_server, monkeypatch):
    """Redis flags a client that is blocked; one whose BRPOP has just ended counts as fetching for some seconds more."""
    client = redis.Redis(port=redis_server.port, client_name="worker@g")

    def fetching():
        return (one := broker.clients(()).by_node.get("worker@g")) and one.fetching

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

    assert depths(broker, ["orders", "reports", "nobody's"]) == {"orders": 5, "reports": 1, "nobody's": 0}
    assert depths(broker, []) == {}
    lengths = redis.Redis(port=redis_server.port)
    assert [lengths.llen(key) for key in lists("orders")] == [1, 1, 1, 2]
    lengths.close()


@pytest.mark.parametrize("call", QUESTIONS.values(), ids=QUESTIONS)
def test_a_redis_that_is_gone_is_unreachable_and_may_come_back(broker, redis_server, call, tmp_path):
    """The error comes at once, and the next call after a restart on the same port works."""
    call(broker)
    redis_server.child.stop(5)
    took, said = failing(lambda: call(broker))
    assert took < 1
    assert said.startswith("Redis: ")
    with harness.redis_running(tmp_path / "again", port=redis_server.port):
        call(broker)


@pytest.mark.parametrize("call", QUESTIONS.values(), ids=QUESTIONS)
@pytest.mark.parametrize("connected", [True, False])
def test_a_redis_that_stands_still_is_unreachable_within_the_time_limit(broker, redis_server, call, connected):
    """Neither an open nor a new connection blocks for longer; afterwards all is well."""
    if connected:
        call(broker)
    harness.freeze(redis_server.child.pid)
    took, said = failing(lambda: call(broker))
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

    _, said = failing(lambda: wrong.clients(()).by_node, RefusedError)
    assert said == "Redis refuses: invalid username-password pair or user is disabled."
    failing(lambda: none.clients(()).by_node, RefusedError)
    assert right.clients(()).by_node == {}


def test_a_role_that_may_not_list_clients_is_refused(redis_server):
    """A restricted Redis user gets a sentence that names the command."""
    with redis.Redis(port=redis_server.port) as admin:
        if int(admin.info("server")["redis_version"].split(".")[0]) < 7:
            pytest.skip("before Redis 7 no subcommand could be forbidden alone")
        rights = {"commands": ["+@all", "-client|list"], "keys": ["*"], "channels": ["*"]}
        admin.acl_setuser("seer", enabled=True, passwords=["+x"], **rights)

    broker = RedisBroker(f"redis://seer:x@127.0.0.1:{redis_server.port}/0", timeout=0.5)
    _, said = failing(lambda: broker.clients(()).by_node, RefusedError)
    assert "client|list" in said
    assert depths(broker, ["orders"]) == {"orders": 0}


def test_reading_leaves_nothing_in_redis(broker, redis_server):
    """No question makes a key."""
    for ask in QUESTIONS.values():
        ask(broker)

    with redis.Redis(port=redis_server.port) as look:
        assert look.keys() == []


def test_a_sentinel_tells_where_redis_is(redis_server, tmp_path):
    """Every question goes to the master; one name for another is unreachable."""
    with sentinel_running(tmp_path, redis_server) as guard, producer(redis_server.url) as app:
        app.send_task("orders.price", [1], queue="orders")
        broker = RedisBroker(f"{guard.url}/0?master_name={MASTER}", timeout=1)
        assert (depths(broker, ["orders"]), broker.queues(["orders"])[0].ready) == ({"orders": 1}, {0: 1})
        assert broker.clients(()).by_node == {}
        _, said = failing(lambda: depths(RedisBroker(f"{guard.url}/0?master_name=nobody", timeout=1), ["orders"]))

    assert "No master found for 'nobody'" in said
