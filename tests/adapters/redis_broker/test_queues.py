"""What a real Redis tells of queues: which there are, what waits in each, and what is not acknowledged."""

import json

import pytest
from kombu import Connection, Exchange, Queue

import harness
from adapters.broker_talk import producer
from adapters.redis_broker.taking import taken
from celeriac.adapters.kombu_events import KombuEvents
from celeriac.adapters.redis_broker import RedisBroker
from celeriac.adapters.redis_broker import broker as module
from celeriac.adapters.redis_broker.broker import MOST_UNACKED


def seen_of(broker, name, *named):
    return {one.name: one for one in broker.queues(named or [name])}[name]


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


def test_large_messages_without_acknowledgement_are_not_read(broker, look):
    """Few of them may be more than Redis should send us every few seconds; what is not read costs nothing."""
    message = json.dumps([{"body": "x" * 200_000}, "", "orders"])
    look.hset("unacked", mapping={str(number): message for number in range(30)})
    assert seen_of(broker, "orders").unacked == 30

    look.hset("unacked", mapping={f"one more {number}": message for number in range(20)})
    before = sent(look)
    found = seen_of(broker, "orders")
    assert found.unacked is None
    assert found.unknown["unacked"] == "the unacknowledged messages are more than 8 MB in all"
    assert sent(look) - before < 100_000


def test_one_large_message_among_many_small_ones_counts(broker, look):
    """All of those that would be read are measured, not some."""
    small, large = (json.dumps([{"body": "x" * size}, "", "orders"]) for size in (0, 9 << 20))
    look.hset("unacked", mapping={str(number): small for number in range(MOST_UNACKED - 1)})
    assert seen_of(broker, "orders").unacked == MOST_UNACKED - 1

    look.hset("unacked", "large", large)
    assert "8 MB" in seen_of(broker, "orders").unknown["unacked"]


def sent(look):
    """Return how many bytes Redis has sent to anybody."""
    return look.info("stats")["total_net_output_bytes"]


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
    ("forbidden", "part"),
    [
        ("-llen", "ready"),
        ("-lindex", "oldest_task"),
        ("-hlen", "unacked"),
        ("-memory", "unacked"),
        ("-hvals", "unacked"),
    ],
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
