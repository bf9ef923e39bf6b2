"""Our own reader on a real Redis: every body once and in order, from Celery itself and from workers."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from celery import Celery

import harness
from adapters.broker_talk import LIFE, Heard, bodies, clocks, echo, producer
from adapters.redis_events.inside import LIMIT, drains, mine, waiting
from adapters.redis_messages import CHANNEL
from celeriac.adapters.redis_events.envelope import sealed
from celeriac.adapters.redis_events.subscription import AT_ONCE
from celeriac.core.events import decode
from celeriac.ports import Condition


def test_our_own_event_comes_back(redis_server, listen):
    """What is sent is received again as JSON bytes, in order."""
    stream = listen(redis_server.url)
    for number in range(3):
        stream.send(echo(number))

    assert [json.loads(body) for body in bodies(stream, 3)] == [echo(number) for number in range(3)]


def test_the_database_of_the_url_is_part_of_the_channel(redis_server, listen):
    """Redis's pub/sub ignores the database, and Kombu writes it into the channel."""
    url = redis_server.url[:-1]
    three, four = listen(f"{url}3"), listen(f"{url}4")
    four.send(echo(4))
    three.send(echo(3))

    assert clocks(bodies(three, 1)) == [3]
    assert clocks(bodies(four, 1)) == [4]


def test_silence_is_an_empty_list_after_the_time_asked_for(redis_server, listen):
    """No event is no error, and neither is the answer to our own PING."""
    stream = listen(redis_server.url)
    begun = time.monotonic()

    assert stream.receive(3 * LIMIT) == []
    assert 3 * LIMIT - 0.05 < time.monotonic() - begun < 3
    assert stream.condition() == Condition("redis")


def test_what_came_is_handed_over_at_once(redis_server, listen):
    """`within` is the longest wait, not a pause."""
    stream = listen(redis_server.url)
    stream.send(echo(1))
    begun = time.monotonic()

    assert len(stream.receive(10)) == 1
    assert time.monotonic() - begun < 2


def test_a_flood_comes_whole_in_order_and_in_parts(redis_server, listen, look):
    """No more is handed over at once than the caller can fold between two flushes."""
    stream = listen(redis_server.url)
    text = "x" * 1000
    with look.pipeline(transaction=False) as pipe:
        for number in range(5000):
            pipe.publish(CHANNEL, sealed(echo(number, args=text), "x"))
        assert set(pipe.execute()) == {1}
    waiting(stream, 2 * AT_ONCE)
    found = []
    while len(found) < 5000:
        part = stream.receive(5)
        assert 0 < sum(map(len, part)) <= AT_ONCE
        found += part

    assert clocks(found) == list(range(5000))
    assert stream.condition() == Condition("redis")


def test_two_observers_do_not_disturb_each_other(redis_server, listen):
    """Each gets every event, also after the other has gone."""
    one, two = listen(redis_server.url), listen(redis_server.url)
    one.send(echo(1))
    assert [clocks(bodies(stream, 1)) for stream in (one, two)] == [[1], [1]]

    one.close()
    two.send(echo(2))
    assert clocks(bodies(two, 1)) == [2]


def test_a_closed_stream_leaves_nothing_behind(redis_server, listen, look):
    """Neither a key nor a connection nor a thread of ours stays; closing twice is no error."""
    stream = listen(redis_server.url)
    stream.send(echo(1))
    assert (len(mine(look)), len(drains())) == (2, 1)
    bodies(stream, 1)
    stream.close()
    stream.close()

    assert drains() == []
    harness.wait_until(lambda: not mine(look), 5, "its connections are gone", dump=look.client_list)
    assert look.keys() == []


def test_a_closed_stream_connects_again(redis_server, listen):
    stream = listen(redis_server.url)
    stream.close()
    assert stream.receive(0.01) == []
    stream.send(echo(1))

    assert clocks(bodies(stream, 1)) == [1]
    assert stream.condition().cuts == 0


def test_celery_reads_what_we_send(redis_server, listen):
    """Our envelope is Kombu's: any receiver of events understands it."""
    stream, heard = listen(redis_server.url), []
    with (
        Celery("monitor", broker=redis_server.url, set_as_current=False) as app,
        app.connection() as connection,
        ThreadPoolExecutor(1) as thread,
        redis.Redis(port=redis_server.port) as look,
    ):
        receiver = app.events.Receiver(connection, handlers={"*": heard.append})
        ended = thread.submit(receiver.capture, timeout=10, wakeup=False)
        harness.wait_until(lambda: sum("P" in one["flags"] for one in look.client_list()) == 2, 10, "Celery listens")
        stream.send(echo(1))
        harness.wait_until(lambda: heard, 10, "Celery hears it")
        receiver.should_stop = True
        ended.result(10)

    assert {key: heard[0][key] for key in echo(1)} | {"clock": 1} == echo(1)


def test_a_dispatcher_of_celery_is_read(redis_server, listen):
    """Single events and the lists of a buffered group, as a worker sends them."""
    stream = listen(redis_server.url)
    with (
        Celery("worker", broker=redis_server.url, set_as_current=False) as app,
        app.connection_for_write() as connection,
        app.events.Dispatcher(connection, "w@h", buffer_group={"task"}) as dispatcher,
    ):
        dispatcher.send("worker-heartbeat", freq=2.0)
        for uuid in ("a", "b", "c"):
            dispatcher.send("task-received", uuid=uuid, name="orders.price")
        dispatcher.flush()
        events, malformed = decode(bodies(stream, 2))

    assert malformed == 0
    assert [(one.type, one.hostname, one.uuid) for one in events] == [
        ("worker-heartbeat", "w@h", None), *(("task-received", "w@h", uuid) for uuid in "abc"),
    ]  # fmt: skip


@pytest.mark.live
def test_heartbeats_and_task_events_are_read(workers, listen):
    """A worker's beats and every step of a task are bytes that the core decodes."""
    node, child = workers.start("read", "-c", "1")
    heard = Heard(listen(workers.redis.url))
    with producer(workers.redis.url, task_send_sent_event=True) as app:
        sent = app.send_task("orders.price", [6], queue="orders").id

    heard.wait_for(*LIFE)
    assert heard.of_tasks() == {sent}
    assert {one.pid for one in heard.events if one.hostname == node} == {child.pid}
    child.terminate()
    heard.wait_for("worker-offline")
