"""The observer, told to stop: what was heard is stored, and nothing holds it up."""

import threading

import harness
from core.builders import NOW


def test_what_was_heard_last_is_stored_before_it_ends(stream, observer, history, clock):
    """Told to stop, it stores and lets the connection go."""
    stopping = threading.Event()
    running = threading.Thread(target=observer.run, args=(stopping,))
    running.start()
    try:
        harness.wait_until(lambda: clock() > NOW + 1, 10, "the observer works")
        stream.say("worker-heartbeat")
        harness.wait_until(lambda: not stream.waiting, 10, "the observer has taken it")
    finally:
        stopping.set()
        running.join(10)

    assert not running.is_alive()
    assert len(history.incarnations()) == 1
    assert stream.closed == 1


def test_a_stop_tries_again_where_the_store_was_away(stream, observer, shelf, tasks):
    """A batch that failed right before the end is not forgotten with it."""
    stream.say("task-received", uuid="t1")
    observer.step()
    shelf.away = True
    stream.say("task-received", uuid="t2")
    stopping = threading.Event()
    running = threading.Thread(target=observer.run, args=(stopping,))
    running.start()
    harness.wait_until(lambda: observer._store_failures, 10, "the store has refused")
    stopping.set()
    shelf.away = False
    running.join(10)

    assert {one.uuid for one in tasks()} == {"t1", "t2"}


def test_while_the_broker_is_away_it_can_be_stopped(stream, observer, history):
    """It does not spin, and ends at once."""
    stream.away = "Connection refused"
    stopping = threading.Event()
    running = threading.Thread(target=observer.run, args=(stopping,))
    running.start()
    harness.wait_until(lambda: stream.closed, 10, "the observer has noticed")
    stopping.set()
    running.join(10)

    assert not running.is_alive()
    assert history.stream().error == "Connection refused"
