"""Celery's remote control through a real Redis: who answers, what pools they are, and how long silence is waited for."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from celery import Celery

import harness
from celeriac.adapters.control import CeleryControl
from celeriac.core.errors import MissingError, RefusedError, UnreachableError
from celeriac.core.model import Inspection, Pool
from celeriac.core.repair import Repair, RepairKind

WAIT, LIMIT = 0.4, 0.5
CALLS = [CeleryControl.ping, CeleryControl.pools, CeleryControl.inspect, CeleryControl.enable_events]


@pytest.fixture
def control(redis_server):
    return CeleryControl(redis_server.url, wait=WAIT, timeout=LIMIT)


def timed(call):
    begun = time.monotonic()
    answer = call()
    return time.monotonic() - begun, answer


def failing(call, kind=UnreachableError):
    begun = time.monotonic()
    with pytest.raises(kind, match=r"^remote control: " if kind is UnreachableError else None) as caught:
        call()
    return time.monotonic() - begun, str(caught.value)


@pytest.mark.parametrize("call", CALLS)
def test_nobody_asked_is_nobody_answers(free_port, call):
    """Without a node to ask nothing is sent: not even a connection is made."""
    assert not call(CeleryControl(f"redis://127.0.0.1:{free_port()}/0"), [])


@pytest.mark.parametrize("call", CALLS)
def test_nodes_that_do_not_exist_are_waited_for_once(control, call):
    """The wait is for all answers together, not for each node."""
    took, answer = timed(lambda: call(control, ["worker@x", "worker@y", "worker@z"]))

    assert not answer
    assert took < 3 * WAIT + 0.5  # `pools` asks two questions


@pytest.mark.parametrize("call", CALLS)
def test_a_redis_that_is_gone_is_unreachable_each_time(control, redis_server, call, tmp_path):
    """The first, second and third question fail as the port promises; after a restart the next one works."""
    call(control, ["worker@x"])
    redis_server.child.kill()
    redis_server.child.wait(5)

    for _ in range(3):
        took, _ = failing(lambda: call(control, ["worker@x"]))
        assert took < 1
    with harness.redis_running(tmp_path / "again", port=redis_server.port):
        assert not call(control, ["worker@x"])


@pytest.mark.parametrize("connected", [True, False])
def test_a_redis_that_stands_still_is_unreachable_within_the_time_limit(control, redis_server, connected):
    """Each question is given up; afterwards the next one works."""
    if connected:
        control.ping(["worker@x"])
    harness.freeze(redis_server.child.pid)
    try:
        for _ in range(3):
            took, _ = failing(lambda: control.ping(["worker@x"]))
            assert took < 6 * LIMIT + 2
    finally:
        os.kill(redis_server.child.pid, signal.SIGCONT)
    assert control.ping(["worker@x"]) == frozenset()


def test_a_wrong_password_says_so(redis_server):
    """The error tells what Redis said and shows no secret."""
    with redis.Redis(port=redis_server.port) as admin:
        admin.config_set("requirepass", "right-secret")
    control = CeleryControl(f"redis://:wrong-secret@127.0.0.1:{redis_server.port}/0", wait=WAIT, timeout=LIMIT)

    for _ in range(2):
        _, said = failing(lambda: control.ping(["worker@x"]))
        assert "invalid username-password pair" in said
        assert "secret" not in said


def test_asking_leaves_no_queue_in_redis(control, redis_server):
    """No reply queue and no binding stays; the one key left is Kombu's own list of when bindings end."""
    control.ping(["worker@x"])
    control.inspect(["worker@x"])

    with redis.Redis(port=redis_server.port) as look:
        assert set(look.keys()) <= {b"_kombu.binding_deadlines"}


# With real workers


@pytest.fixture(scope="module")
def pair(workers):
    """Two workers: a prefork one with two queues and a solo one."""
    prefork, _ = workers.start("prefork", "-c", "3", queues="orders,reports")
    solo, child = workers.start("solo", "-P", "solo", queues="orders")
    return prefork, solo, child


@pytest.fixture
def asking(workers):
    return CeleryControl(workers.redis.url)


@pytest.mark.live
def test_those_who_are_asked_and_alive_answer(pair, asking):
    """A ping goes to the named nodes only; all have answered long before the wait is over."""
    prefork, solo, _ = pair

    assert asking.ping([prefork]) == {prefork}
    took, answered = timed(lambda: asking.ping([prefork, solo]))
    assert answered == {prefork, solo}
    assert took < 1
    assert asking.ping([prefork, "worker@nobody"]) == {prefork}


@pytest.mark.live
def test_pools_are_recognised(pair, asking, workers):
    """Kind, slots and queues, by the key of the incarnation that said so."""
    prefork, solo, child = pair
    found = asking.pools([prefork, solo, "worker@nobody"])

    assert found.pop(f"{solo}#{child.pid}") == Pool("solo", 1, ("orders",))
    ((key, pool),) = found.items()
    assert key.startswith(f"{prefork}#")
    assert (pool.kind, pool.concurrency, set(pool.queues), pool.named) == ("prefork", 3, {"orders", "reports"}, False)


@pytest.mark.live
def test_a_pool_of_threads_is_no_prefork_pool(workers, asking):
    """Silence of it means less; Celery's own module gives the name."""
    node, child = workers.start("threads", "-P", "threads", "-c", "2")

    assert asking.pools([node]) == {f"{node}#{child.pid}": Pool("thread", 2, ("orders",))}


@pytest.mark.live
def test_a_worker_that_consumes_nothing_says_so(workers, asking):
    """Answering with no queue is not the same as not answering."""
    node, _ = workers.start("deaf", "-c", "1")
    told = asking.inspect([node, "worker@nobody"])
    assert told == {node: Inspection(("orders",), 0, 1, limited=False, prefetch=4, later=0)}
    with Celery("person", broker=workers.redis.url, set_as_current=False) as app:
        app.control.cancel_consumer("orders", destination=[node], reply=True, timeout=5)

    assert asking.inspect([node]) == {node: Inspection((), 0, 1, limited=False, prefetch=4, later=0)}


@pytest.mark.live
def test_a_worker_whose_pool_has_shrunk_to_nothing_says_so_and_what_it_holds(workers, asking):
    """Its `max-concurrency` still tells the old number; a message that it took waits for ever."""
    node, _ = workers.start("shrunk", "-c", "1", queues="shrunk")
    with Celery("person", broker=workers.redis.url, set_as_current=False) as app:
        app.control.pool_shrink(1, destination=[node], reply=True, timeout=5)
        harness.wait_until(lambda: asking.inspect([node])[node].processes == 0, 10, "the pool is empty")
        app.send_task("reports.render", [0], queue="shrunk")

    harness.wait_until(
        lambda: asking.inspect([node]) == {node: Inspection(("shrunk",), 1, 0, limited=False, prefetch=4, later=0)},
        10,
        "it holds the message",
    )


@pytest.mark.live
def test_a_worker_that_keeps_all_its_messages_for_later_says_so(workers, asking):
    """Such tasks are neither active nor reserved; each raises the prefetch by one, up to `worker_eta_task_limit`.

    Then it takes nothing more, whatever waits, and is well.
    """
    node, _ = workers.start("later", "-c", "1", "--", "worker.eta_task_limit=6", queues="later")
    with Celery("producer", broker=workers.redis.url, set_as_current=False) as app:
        for countdown in (600,) * 6 + (0,) * 3:
            app.send_task("reports.render", [0], queue="later", countdown=countdown)

    harness.wait_until(
        lambda: asking.inspect([node]) == {node: Inspection(("later",), 0, 1, limited=False, prefetch=6, later=6)},
        10,
        "it keeps them",
    )
    with redis.Redis(port=workers.redis.port) as look:
        assert look.llen("later") == 3
    assert asking.running([node]) == {node: frozenset()}


@pytest.mark.live
def test_a_cancelled_queue_is_consumed_again(workers, asking):
    """The worker takes what has waited; nothing is restarted."""
    node, _ = workers.start("mended", "-c", "1", queues="mended")
    assert asking.cancel(node, "mended") == "no longer consuming from mended"
    harness.wait_until(lambda: asking.inspect([node])[node].queues == (), 10, "it consumes nothing")

    assert asking.repair(node, Repair(RepairKind.ADD_CONSUMER, "mended")) == "add consumer mended"
    harness.wait_until(lambda: asking.inspect([node])[node].queues == ("mended",), 10, "it consumes again")


@pytest.mark.live
def test_a_pool_grows_again(workers, asking):
    node, _ = workers.start("grown", "-c", "1", queues="grown")
    with Celery("person", broker=workers.redis.url, set_as_current=False) as app:
        app.control.pool_shrink(1, destination=[node], reply=True, timeout=5)
    harness.wait_until(lambda: asking.inspect([node])[node].processes == 0, 10, "the pool is empty")

    assert asking.repair(node, Repair(RepairKind.POOL_GROW, "2")) == "pool will grow"
    harness.wait_until(lambda: asking.inspect([node])[node].processes == 2, 10, "it has grown")


@pytest.mark.live
def test_a_stuck_task_is_ended_and_its_slot_is_free(workers, asking):
    """The process that runs it is killed; the main process starts another."""
    node, _ = workers.start("stuck", "-c", "1", queues="stuck")
    with Celery("producer", broker=workers.redis.url, set_as_current=False) as app:
        task = app.send_task("reports.render", [600], queue="stuck")
    harness.wait_until(lambda: asking.running([node]) == {node: {task.id}}, 10, "it runs")

    assert task.id in asking.repair(node, Repair(RepairKind.REVOKE, task.id))
    harness.wait_until(lambda: asking.running([node]) == {node: frozenset()}, 10, "its slot is free")
    harness.wait_until(lambda: asking.inspect([node])[node].processes == 1, 10, "another process is there")


@pytest.mark.live
def test_a_worker_is_shut_down_warmly(workers, asking):
    node, child = workers.start("leaving", "-c", "1", queues="leaving")
    asking.shutdown(node)

    harness.wait_until(lambda: child.poll() is not None, 20, "it has ended")
    assert child.poll() == 0


def test_what_nobody_answers_is_missing(control):
    for call in (
        lambda: control.repair("worker@x", Repair(RepairKind.ADD_CONSUMER, "orders")),
        lambda: control.cancel("worker@x", "orders"),
    ):
        _, said = failing(call, MissingError)
        assert "worker@x does not answer" in said
    control.shutdown("worker@x")


@pytest.mark.live
def test_what_a_worker_refuses_says_why(workers, asking):
    """Its own words tell what to do instead."""
    node, _ = workers.start("scaling", "--autoscale=2,1", queues="scaling")

    _, said = failing(lambda: asking.repair(node, Repair(RepairKind.POOL_GROW, "1")), RefusedError)
    assert "pool_grow is not supported with autoscale" in said


@pytest.mark.live
def test_what_runs_is_told_by_its_id(workers, asking):
    """A worker's own word that a task still holds its slot."""
    node, _ = workers.start("runs", "-c", "1", queues="runs")
    with Celery("producer", broker=workers.redis.url, set_as_current=False) as app:
        task = app.send_task("reports.render", [4], queue="runs")

    harness.wait_until(lambda: asking.running([node, "worker@nobody"]) == {node: {task.id}}, 10, "it runs")
    harness.wait_until(lambda: asking.running([node]) == {node: frozenset()}, 10, "it has ended")


@pytest.mark.live
def test_a_rate_limit_is_told(workers, asking):
    """What such a limit holds back is in no list that a worker tells."""
    node, _ = workers.start("limited", "-c", "1")
    with Celery("person", broker=workers.redis.url, set_as_current=False) as app:
        app.control.rate_limit("reports.render", "1/m", destination=[node], reply=True, timeout=5)

    assert asking.inspect([node]) == {node: Inspection(("orders",), 0, 1, limited=True, prefetch=4, later=0)}


@pytest.mark.live
def test_everybody_is_discovered(pair, asking):
    """Whoever hears the question, named or not; it takes as long as is waited for one that does not answer."""
    prefork, solo, _ = pair
    took, found = timed(asking.discover)

    assert {prefork, solo} <= found
    assert 1.4 < took < 2.5


@pytest.mark.live
def test_a_frozen_worker_does_not_answer_and_costs_one_wait(workers, asking, pair):
    """Its sibling's answer is not lost; once thawed it answers again, and its late answers confuse nobody."""
    node, child = workers.start("iced", "-c", "1")
    assert asking.ping([node]) == {node}
    harness.freeze(child.pid)

    for _ in range(2):
        took, answered = timed(lambda: asking.ping([node, pair[0]]))
        assert answered == {pair[0]}
        assert 1.4 < took < 2.5
    assert asking.pools([node]) == {}
    assert asking.inspect([node]) == {}
    os.kill(child.pid, signal.SIGCONT)
    harness.wait_until(lambda: asking.ping([node]) == {node}, 10, "it answers again")
    assert asking.inspect([node])[node].queues == ("orders",)


@pytest.mark.live
def test_a_solo_worker_in_a_task_does_not_answer(workers, asking):
    """It looks like a frozen one until its task ends: why only prefork is convicted by silence alone."""
    node, _ = workers.start("busy", "-P", "solo", queues="slow")
    with Celery("producer", broker=workers.redis.url, set_as_current=False) as app:
        app.send_task("reports.render", [6], queue="slow")
    harness.wait_until(lambda: asking.ping([node]) == frozenset(), 10, "it is busy")

    harness.wait_until(lambda: asking.ping([node]) == {node}, 15, "it answers after the task")


@pytest.mark.live
def test_questions_of_several_threads_do_not_mix(pair, asking):
    """One look asks pings, pools and queues at the same time."""
    prefork, solo, _ = pair
    with ThreadPoolExecutor(9) as threads:
        pings = [threads.submit(asking.ping, [prefork, solo]) for _ in range(3)]
        pools = [threads.submit(asking.pools, [prefork]) for _ in range(3)]
        queues = [threads.submit(asking.inspect, [solo]) for _ in range(3)]

    assert [one.result() for one in pings] == [{prefork, solo}] * 3
    assert [[pool.kind for pool in one.result().values()] for one in pools] == [["prefork"]] * 3
    assert [one.result()[solo].queues for one in queues] == [("orders",)] * 3
