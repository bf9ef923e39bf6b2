"""What a real Redis tells of real workers: who fetches, who stands still, who is gone, and how much waits."""

import contextlib
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from celery import Celery
from kombu import Connection, Consumer, Exchange, Queue

import harness
from adapters.redis_guarded import MASTER, sentinel_running
from celeriac.adapters.control import CeleryControl
from celeriac.adapters.kombu_events import KombuEvents
from celeriac.adapters.redis_broker import RedisBroker, connections
from celeriac.adapters.redis_broker import broker as module
from celeriac.adapters.redis_broker.broker import MOST_UNACKED
from celeriac.adapters.redis_broker.keys import lists
from celeriac.core.errors import RefusedError, UnreachableError


@pytest.fixture
def broker(redis_server):
    return RedisBroker(redis_server.url, timeout=0.5)


QUESTIONS = {
    "consumers": lambda broker: broker.consumers(()),
    "depths": lambda broker: broker.depths(["orders"]),
    "queues": lambda broker: broker.queues(["orders"]),
}


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


@pytest.mark.parametrize("call", QUESTIONS.values(), ids=QUESTIONS)
def test_a_redis_that_is_gone_is_unreachable_and_may_come_back(broker, redis_server, call, tmp_path):
    """The error comes at once, and the next call after a restart on the same port works."""
    call(broker)
    redis_server.child.stop(5)
    took, said = timed(lambda: call(broker))
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
    """No question makes a key."""
    for ask in QUESTIONS.values():
        ask(broker)

    with redis.Redis(port=redis_server.port) as look:
        assert look.keys() == []


# Queues


@pytest.fixture
def look(redis_server):
    with redis.Redis(port=redis_server.port) as client:
        yield client


def seen_of(broker, name, *named):
    return {one.name: one for one in broker.queues(named or [name])}[name]


@contextlib.contextmanager
def taken(url, number, *queues):
    """Take so many messages from these queues, and acknowledge none while the block runs."""
    messages = []
    with Connection(url) as connection, connection.channel() as channel:
        consumer = Consumer(channel, queues, on_message=messages.append, auto_declare=True)
        with consumer:
            while len(messages) < number:
                connection.drain_events(timeout=5)
            yield messages


def test_a_queue_shows_its_messages_by_priority_and_the_next_one(broker, redis_server):
    """The oldest message of priority 0 is taken first, however old those of the other steps are."""
    with producer(redis_server.url) as app:
        sent = [app.send_task("orders.price", [1], queue="orders", priority=each).id for each in (9, 6, 9, 0, 0, 3)]
    found = seen_of(broker, "orders")

    assert found.ready == {0: 2, 3: 1, 6: 1, 9: 2}
    assert found.depth == 6
    assert found.oldest_task == sent[3]
    assert (found.unacked, found.consumers, found.oldest_sent_at) == (0, None, None)
    assert found.unknown == {"consumers": "Redis does not tell who consumes a queue"}


def test_a_queue_without_priority_0_shows_the_next_step(broker, redis_server):
    with producer(redis_server.url) as app:
        sent = [app.send_task("orders.price", [1], queue="orders", priority=each).id for each in (9, 6, 6)]
    found = seen_of(broker, "orders")

    assert (found.ready, found.oldest_task) == ({0: 0, 6: 2, 9: 1}, sent[1])


def test_a_queue_that_nobody_knows_is_empty(broker):
    (found,) = broker.queues(["nobody's"])

    assert (found.ready, found.depth, found.unacked, found.oldest_task) == ({0: 0}, 0, 0, None)


def test_queues_of_celery_are_listed_without_those_of_remote_control_and_events(broker, redis_server, look):
    """Kombu's binding tables name them; who asks by name gets them first and once."""
    with producer(redis_server.url) as app:
        for queue in ("orders", "reports"):
            app.send_task("orders.price", [1], queue=queue)
        for table, queue in (("celery.pidbox", "w@h.celery.pidbox"), ("reply.celery.pidbox", "1.reply.celery.pidbox")):
            look.sadd(f"_kombu.binding.{table}", f"\x06\x16\x06\x16{queue}")
        events = KombuEvents(redis_server.url)
        events.receive(0.01)
        assert look.smembers("_kombu.binding.celeryev")
        found = [one.name for one in broker.queues(["reports", "mine"])]
        events.close()

    assert found == ["reports", "mine", "orders"]


def test_a_large_database_is_scanned_a_part_at_each_call(broker, redis_server, look, monkeypatch):
    """No call looks at all keys, and after some of them every queue is found; one that is gone is forgotten."""
    monkeypatch.setattr(module, "SCANNED", 10)
    look.mset({f"celery-task-meta-{number}": "x" for number in range(500)})
    for name in ("orders", "reports", "mail"):
        look.sadd(f"_kombu.binding.{name}", f"{name}\x06\x16\x06\x16{name}")
    assert len(broker.queues([])) < 3
    found = set()
    harness.wait_until(
        lambda: found.update(one.name for one in broker.queues([])) or len(found) == 3,
        20,
        "all are found",
        dump=lambda: found,
    )

    look.delete("_kombu.binding.mail")
    assert "mail" not in {one.name for one in broker.queues([])}


def test_a_table_that_is_gone_makes_room_for_another(broker, look, monkeypatch):
    """No more tables are remembered than the bound, and none for longer than it is there."""
    monkeypatch.setattr(module, "MOST_TABLES", 1)
    for name in ("orders", "reports"):
        look.sadd(f"_kombu.binding.{name}", f"{name}\x06\x16\x06\x16{name}")
    (first,) = broker.queues([])
    look.delete(f"_kombu.binding.{first.name}")

    assert broker.queues([]) == ()
    assert [one.name for one in broker.queues([])] == list({"orders", "reports"} - {first.name})


def test_no_more_queues_are_listed_than_the_bound(broker, look, monkeypatch):
    monkeypatch.setattr(module, "MOST_QUEUES", 5)
    look.sadd("_kombu.binding.many", *(f"{name}\x06\x16\x06\x16queue{name}" for name in range(50)))

    found = [one.name for one in broker.queues(["mine"])]

    assert (found[0], len(found)) == ("mine", 5)


def test_messages_without_acknowledgement_count_for_their_queue(broker, redis_server):
    """The hash holds those of all queues together; exchange and routing key tell whose they are."""
    media = Queue("video", Exchange("media"), routing_key="media.video")
    with producer(redis_server.url) as app:
        for queue in ("orders", "orders", "reports", media):
            app.send_task("orders.price", [1], queue=queue)
    with taken(redis_server.url, 4, Queue("orders"), Queue("reports"), media):
        found = {one.name: (one.unacked, one.depth) for one in broker.queues(["idle"])}

    assert found == {"orders": (2, 0), "reports": (1, 0), "video": (1, 0), "idle": (0, 0)}


def test_messages_that_may_be_of_several_queues_are_counted_for_none(broker, redis_server):
    """A topic brings one message into two queues, and Redis keeps no queue's name with it."""
    topic = Exchange("news", type="topic")
    twins = [Queue("mail", topic, routing_key="news.#"), Queue("paper", topic, routing_key="news.*")]
    with Connection(redis_server.url) as connection, connection.Producer() as sender:
        sender.publish({}, exchange=topic, routing_key="news.today", declare=twins)
        with producer(redis_server.url) as app:
            app.send_task("orders.price", [1], queue="orders")
    with taken(redis_server.url, 3, *twins, Queue("orders")):
        found = {one.name: one for one in broker.queues([])}

    assert [found[name].unacked for name in ("mail", "paper", "orders")] == [None, None, 1]
    assert found["mail"].unknown["unacked"] == "several queues share the exchange of unacknowledged messages"


def test_too_many_messages_without_acknowledgement_are_not_read(broker, look):
    """The bound is on all of them; below it each is counted."""
    message = json.dumps([{"body": ""}, "", "orders"])
    look.hset("unacked", mapping={str(number): message for number in range(MOST_UNACKED)})
    assert seen_of(broker, "orders").unacked == MOST_UNACKED

    look.hset("unacked", "one more", message)
    found = seen_of(broker, "orders")
    assert found.unacked is None
    assert found.unknown["unacked"] == "more than 2,000 messages are unacknowledged in all"


def test_a_time_in_the_message_is_told(broker, redis_server):
    """Celery writes none on Redis; other producers may."""
    with Connection(redis_server.url) as connection, connection.Producer() as sender:
        sender.publish(
            {}, routing_key="orders", headers={"id": "t1"}, timestamp=1_795_000_000, declare=[Queue("orders")]
        )

    assert (seen_of(broker, "orders").oldest_task, seen_of(broker, "orders").oldest_sent_at) == ("t1", 1_795_000_000.0)


@pytest.mark.parametrize("odd", ["", "{", "[]", '{"headers": 5, "properties": {}}', b"\xff\xfe", "[" * 5000])
def test_what_is_no_message_of_celery_is_counted_and_unread(broker, look, odd):
    """Anybody may push anything into a list, a hash or a set that Kombu uses."""
    look.lpush("orders", odd)
    look.hset("unacked", "tag", odd)
    look.sadd("_kombu.binding.orders", odd)
    found = seen_of(broker, "orders")

    assert (found.ready, found.oldest_task, found.unacked) == ({0: 1}, None, 0)
    assert found.unknown["oldest_task"] == "the next message names no task"


def test_keys_of_another_kind_are_a_reason(broker, look):
    """A string where Kombu has a list makes that queue's lengths unknown, and no other's."""
    look.set("orders", "x")
    look.set("unacked", "x")
    look.rpush("reports", "{}")
    orders, reports = broker.queues(["orders", "reports"])

    assert (orders.ready, reports.ready) == ({}, {0: 1})
    assert orders.unknown["ready"].startswith("Redis refuses: WRONGTYPE")
    assert reports.unknown["unacked"].startswith("Redis refuses: WRONGTYPE")


@pytest.mark.parametrize(
    ("forbidden", "part"), [("-llen", "ready"), ("-lindex", "oldest_task"), ("-hlen", "unacked"), ("-hvals", "unacked")]
)
def test_what_redis_refuses_to_tell_is_unknown_with_the_reason(redis_server, look, forbidden, part):
    """An ACL takes a part away, not the whole answer."""
    with producer(redis_server.url) as app:
        app.send_task("orders.price", [1], queue="orders")
    look.acl_setuser("seer", enabled=True, passwords=["+x"], commands=["+@all", forbidden], keys=["*"], channels=["*"])
    found = seen_of(RedisBroker(f"redis://seer:x@127.0.0.1:{redis_server.port}/0"), "orders")

    assert found.unknown[part].startswith("Redis refuses: ")
    assert forbidden[1:] in found.unknown[part]
    assert {"ready": found.depth, "oldest_task": found.oldest_task, "unacked": found.unacked}[part] in {None, 0}
    assert found.depth == (0 if part == "ready" else 1)


def test_a_role_that_may_not_scan_still_sees_the_queues_it_names(redis_server, look):
    with producer(redis_server.url) as app:
        app.send_task("orders.price", [1], queue="orders")
    look.acl_setuser("seer", enabled=True, passwords=["+x"], commands=["+@all", "-scan"], keys=["*"], channels=["*"])
    broker = RedisBroker(f"redis://seer:x@127.0.0.1:{redis_server.port}/0")

    assert broker.queues([]) == ()
    assert seen_of(broker, "orders").ready == {0: 1}


def test_a_sentinel_tells_where_redis_is(redis_server, tmp_path):
    """Every question goes to the master; one name for another is unreachable."""
    with sentinel_running(tmp_path, redis_server) as guard, producer(redis_server.url) as app:
        app.send_task("orders.price", [1], queue="orders")
        broker = RedisBroker(f"{guard.url}/0?master_name={MASTER}", timeout=1)
        assert (broker.depths(["orders"]), seen_of(broker, "orders").ready) == ({"orders": 1}, {0: 1})
        assert broker.consumers(()) == {}
        _, said = timed(lambda: RedisBroker(f"{guard.url}/0?master_name=nobody", timeout=1).depths(["orders"]))

    assert "No master found for 'nobody'" in said


# With real workers


@pytest.fixture(scope="module")
def seen(workers):
    """Tell what the broker sees of a node."""
    broker = RedisBroker(workers.redis.url, timeout=1)
    return lambda node: broker.consumers(()).get(node)


def until(condition, within, why, seen):
    return harness.wait_until(
        condition, within, why, dump=lambda: seen.__closure__[0].cell_contents.consumers(()), every=0.1
    )


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
