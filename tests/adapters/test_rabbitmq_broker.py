"""What a real RabbitMQ tells of workers and queues over AMQP: who is connected, and how much waits."""

import contextlib
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import amqp
import pytest
from celery import Celery

import harness
from adapters.broker_talk import depths
from adapters.rabbitmq_worker import HEARTBEAT_S, worker_running
from celeriac.adapters.amqp_client import connect
from celeriac.adapters.control import CeleryControl
from celeriac.adapters.rabbitmq_broker import RabbitBroker
from celeriac.adapters.rabbitmq_broker import broker as module
from celeriac.core.diagnose import diagnose
from celeriac.core.errors import PortError, RefusedError, UnreachableError
from celeriac.core.model import Verdict
from celeriac.core.readings import Known
from core.builders import LIMITS, NOW, finding, unmapped, worker

LIMIT = 2.0


@pytest.fixture
def ask():
    """Make brokers whose connections are dropped when the test ends."""
    made = []

    def asking(url, timeout=LIMIT):
        made.append(RabbitBroker(url, timeout=timeout))
        return made[-1]

    yield asking
    for one in made:
        one.close()


@pytest.fixture
def broker(rabbitmq_vhost, ask):
    return ask(rabbitmq_vhost)


@pytest.fixture
def open_channel(rabbitmq_vhost):
    """Open channels, each on a connection of its own."""
    opened = []

    def opening():
        opened.append(connect(rabbitmq_vhost, timeout=10, name="test"))
        return opened[-1].channel()

    yield opening
    for connection in opened:
        connection.collect()


@pytest.fixture
def channel(open_channel):
    return open_channel()


def refused(call, kind=PortError):
    begun = time.monotonic()
    with pytest.raises(kind) as caught:
        call()
    assert time.monotonic() - begun < 2 * LIMIT
    return str(caught.value)


def pidbox(channel, node, *, consumed=True, **options):
    name = f"{node}.celery.pidbox"
    channel.queue_declare(name, auto_delete=False, **options)
    if consumed:
        channel.basic_consume(name, no_ack=True, callback=lambda message: None)


def put(channel, queue, number):
    channel.queue_declare(queue, durable=True, auto_delete=False)
    for _ in range(number):
        channel.basic_publish(amqp.Message("[]"), routing_key=queue)


# Workers


def test_a_node_without_a_remote_control_queue_is_not_there(broker):
    """Nor is anybody else, and asking for nobody asks nothing."""
    assert broker.clients(["worker@g1", "worker@g2"]).by_node == {}
    assert broker.clients([]).by_node == {}


@pytest.mark.parametrize("exclusive", [True, False])
def test_who_consumes_its_remote_control_queue_is_there(broker, open_channel, exclusive):
    """Exclusive or not, as `control_queue_exclusive` has it; it goes with its connection."""
    mine = open_channel()
    pidbox(mine, "worker@g1", exclusive=exclusive)
    found = broker.clients(["worker@g0", "worker@g1"]).by_node
    assert list(found) == ["worker@g1"]
    assert (found["worker@g1"].connections, found["worker@g1"].listening) == (1, True)

    mine.connection.collect()
    harness.wait_until(lambda: broker.clients(["worker@g1"]).by_node == {}, 5, "it is gone")


def test_a_remote_control_queue_that_nobody_consumes_is_nobody(broker, channel):
    """It outlives its worker by some seconds."""
    pidbox(channel, "worker@g1", consumed=False)

    assert broker.clients(["worker@g1"]).by_node == {}


def test_who_is_there_is_not_convicted_and_who_is_gone_is(broker, channel):
    """A connection tells nothing of what the worker does with it, so only its absence is a proof."""
    silent = worker(silent=300)
    pidbox(channel, silent.node)
    there, gone = ({silent.node: broker.clients([silent.node]).by_node[silent.node]}, {})

    assert finding(silent, consumers=Known(there, NOW)).verdict is Verdict.HEALTHY
    assert finding(silent, consumers=Known(gone, NOW)).verdict is Verdict.HUNG
    assert diagnose(unmapped(silent, consumers=Known(there, NOW)), LIMITS)[0].verdict is Verdict.HEALTHY
    assert diagnose(unmapped(silent, consumers=Known(gone, NOW)), LIMITS)[0].verdict is Verdict.CRASHED


# Queues


def test_depths_count_what_waits(broker, channel):
    """A queue that nobody knows is empty; what is on its way to a consumer does not wait."""
    put(channel, "orders", 5)
    put(channel, "reports", 2)
    assert channel.basic_get("reports") is not None

    assert depths(broker, ["orders", "reports", "nowhere"]) == {"orders": 5, "reports": 1, "nowhere": 0}


def test_what_amqp_cannot_tell_of_a_queue_is_said(broker, channel):
    """The number of consumers it can."""
    put(channel, "orders", 3)
    channel.basic_qos(0, 1, False)
    channel.basic_consume("orders", callback=lambda message: None)
    orders, nowhere = broker.queues(["orders", "nowhere"])

    assert (orders.name, orders.ready, orders.depth, orders.consumers) == ("orders", {0: 2}, 2, 1)
    assert (nowhere.ready, nowhere.consumers) == ({0: 0}, 0)
    assert (orders.unacked, orders.oldest_task, orders.oldest_sent_at) == (None, None, None)
    assert set(orders.unknown) == {"unacked", "oldest_task", "oldest_sent_at"}


def test_somebody_elses_exclusive_queue_is_left_out(broker, channel):
    """RabbitMQ tells nobody but its owner."""
    channel.queue_declare("mine", exclusive=True)
    put(channel, "orders", 1)

    assert depths(broker, ["mine", "orders"]) == {"orders": 1}
    assert [one.name for one in broker.queues(["mine", "orders"])] == ["orders"]


def test_looking_takes_no_message(broker, channel):
    """Nothing of production is delivered to us, not even to be put back."""
    put(channel, "orders", 3)
    for _ in range(3):
        broker.queues(["orders"])
        depths(broker, ["orders"])
    found = [channel.basic_get("orders", no_ack=True) for _ in range(3)]

    assert [one.delivery_info["redelivered"] for one in found] == [False] * 3


# The connection


def test_a_connection_that_was_closed_meanwhile_is_made_anew(broker, channel, rabbitmq_server):
    """Between two looks the broker may have restarted: that is no error of the second."""
    put(channel, "orders", 2)
    assert depths(broker, ["orders"]) == {"orders": 2}
    rabbitmq_server.evaluate("[exit(Pid, kill) || Pid <- rabbit_networking:connections()].")
    harness.wait_until(
        lambda: rabbitmq_server.evaluate("length(rabbit_networking:connections()).") == "0", 5, "all are closed"
    )

    assert depths(broker, ["orders"]) == {"orders": 2}


def test_one_connection_serves_all(broker, channel, rabbitmq_server):
    """Also after queues that are missing, and for threads that ask at once."""
    put(channel, "orders", 2)
    pidbox(channel, "worker@g", exclusive=True)
    before = int(rabbitmq_server.evaluate("length(rabbit_networking:connections())."))
    with ThreadPoolExecutor(4) as threads:
        waiting = [threads.submit(depths, broker, ["nowhere", "orders"]) for _ in range(10)]
        nodes = [threads.submit(broker.clients, ["worker@x", "worker@g"]) for _ in range(10)]

    assert [one.result() for one in waiting] == [{"nowhere": 0, "orders": 2}] * 10
    assert [list(one.result().by_node) for one in nodes] == [["worker@g"]] * 10
    assert int(rabbitmq_server.evaluate("length(rabbit_networking:connections()).")) == before + 1


def test_a_broker_that_stands_still_is_unreachable_within_the_time_limit(broker, rabbitmq_server):
    """On the connection that is there, and on a new one."""
    assert depths(broker, ["orders"]) == {"orders": 0}
    harness.freeze(rabbitmq_server.child.pid)
    try:
        for _ in range(2):
            assert refused(lambda: depths(broker, ["orders"]), UnreachableError) == "RabbitMQ does not answer in time"
    finally:
        os.kill(rabbitmq_server.child.pid, signal.SIGCONT)

    assert depths(broker, ["orders"]) == {"orders": 0}


def test_half_an_answer_is_none(rabbitmq_vhost, ask):
    """A node that was not asked for must not seem to be gone."""
    broker = ask(rabbitmq_vhost, 0.3)
    depths(broker, [])
    said = refused(lambda: broker.clients([f"worker@{number}" for number in range(20_000)]).by_node, UnreachableError)

    assert "of 20000 queues in 0.3 s" in said or "in time" in said
    assert depths(broker, ["orders"]) == {"orders": 0}


def test_queues_of_each_kind_among_each_other_are_told_apart(broker, channel):
    """After a missing one, and after somebody's own, the next are asked for again: none is skipped or mixed up."""
    expected = {}
    for number in range(60):
        name, kind = f"orders-{number}", number * number % 7
        if kind == 1:
            channel.queue_declare(name, exclusive=True)
        elif kind == 2:
            expected[name] = 0  # it is missing
        else:
            put(channel, name, number % 5)
            expected[name] = number % 5

    assert depths(broker, [f"orders-{number}" for number in range(60)]) == expected


def test_a_long_way_to_the_broker_delays_many_queues_no_more_than_few(broker, channel, monkeypatch):
    """Questions do not wait for one another's answers."""
    for number in range(40):
        put(channel, f"orders-{number}", 0)
    waits = []
    real = module._declare
    monkeypatch.setattr(module, "_declare", lambda *asked: waits.append(asked) or real(*asked))

    assert len(broker.queues([f"orders-{number}" for number in range(40)])) == 40
    assert len(waits) == 2


def test_more_queues_than_can_be_asked_in_time_are_told_of_in_turns(rabbitmq_vhost, ask, channel):
    """What is not answered is unknown with the reason, and comes first at the next look."""
    names = [f"orders-{number:04}" for number in range(4000)]
    put(channel, names[-1], 3)
    broker = ask(rabbitmq_vhost, 0.4)
    depths(broker, [])
    found = broker.queues(names)
    known, unknown = [one for one in found if one.ready], [one for one in found if not one.ready]

    assert [one.name for one in found] == names
    assert known
    assert {frozenset(one.unknown) for one in unknown} == {
        frozenset({"ready", "consumers", "unacked", "oldest_task", "oldest_sent_at"})
    }
    assert (
        unknown[0].unknown["ready"]
        == f"RabbitMQ told of {len(known)} of 4000 queues in time; this one has its turn later"
    )
    again = broker.queues(names)
    assert (again[0].name, again[0].ready) == (unknown[0].name, {0: 0})
    assert {one.name for one in again} == set(names)
    harness.wait_until(lambda: 3 in {one.depth for one in broker.queues(names)}, 30, "the last one had its turn")


def test_a_wrong_login_says_so_and_shows_no_secret(rabbitmq_vhost, ask):
    """Another try would not help."""
    wrong = ask(rabbitmq_vhost.replace("guest:guest", "guest:wrong-secret"))
    said = refused(lambda: depths(wrong, ["orders"]), RefusedError)

    assert "Login was refused" in said
    assert "secret" not in said


def test_an_address_where_nobody_listens_is_unreachable_at_once(free_port, ask):
    """The keeper asks again with its next look."""
    nobody = ask(f"amqp://guest:guest@127.0.0.1:{free_port()}//")

    assert "refused" in refused(lambda: nobody.clients(["worker@g"]), UnreachableError)


def test_it_speaks_tls(rabbitmq_server, ask):
    """A kept connection is looked at before it is used, which TLS does its own way."""
    broker = ask(rabbitmq_server.tls_url(rabbitmq_server.fresh_vhost()))

    for _ in range(3):
        assert depths(broker, ["orders"]) == {"orders": 0}
        assert broker.clients(["worker@g"]).by_node == {}


# With real workers


@pytest.fixture
def start(tmp_path, rabbitmq_vhost):
    with contextlib.ExitStack() as stack:
        yield lambda name: stack.enter_context(worker_running(tmp_path, rabbitmq_vhost, name))


@pytest.mark.live
def test_a_killed_worker_is_gone_and_its_sibling_is_not(broker, start):
    """The kernel closes its connections at once."""
    (killed, child), (sibling, _) = start("killed"), start("sibling")
    both = [killed, sibling]
    harness.wait_until(lambda: set(broker.clients(both).by_node) == set(both), 10, "both are there")
    assert broker.queues(["small"])[0].consumers == 2
    child.kill()

    harness.wait_until(lambda: set(broker.clients(both).by_node) == {sibling}, 5, "one is gone")


@pytest.mark.live
def test_a_frozen_worker_is_gone_after_two_heartbeats(broker, start):
    """RabbitMQ ends a connection that has sent none; until then it is there. After SIGCONT the worker connects again."""
    node, child = start("frozen")
    harness.wait_until(lambda: broker.clients([node]).by_node, 10, "it is there")
    harness.freeze(child.pid)
    assert broker.clients([node]).by_node

    harness.wait_until(lambda: not broker.clients([node]).by_node, 5 * HEARTBEAT_S, "it is gone", every=0.2)
    assert child.poll() is None
    os.kill(child.pid, signal.SIGCONT)
    harness.wait_until(lambda: broker.clients([node]).by_node, 20, "it is there again", every=0.2)


@pytest.mark.live
def test_a_worker_that_shuts_down_warmly_is_gone_before_its_last_task_ends(rabbitmq_vhost, broker, start):
    """It ends its remote control first; that its other connections stay AMQP does not tell."""
    node, child = start("leaving")
    with Celery("producer", broker=rabbitmq_vhost, set_as_current=False) as app:
        app.send_task("small.nap", [30], queue="small")
        harness.wait_until(lambda: (app.control.inspect([node]).active() or {}).get(node), 10, "the task runs")
    assert broker.clients([node]).by_node
    child.terminate()

    harness.wait_until(lambda: not broker.clients([node]).by_node, 10, "its remote control is gone")
    assert CeleryControl(rabbitmq_vhost).ping([node]) == frozenset()
    assert child.poll() is None


def test_remote_control_checks_the_certificate_too(rabbitmq_server):
    """The options of the URL reach py-amqp in its own words."""
    nobody = CeleryControl(rabbitmq_server.tls_url(), wait=0.2).ping(["celery@nobody"])

    assert nobody == frozenset()
    with pytest.raises(UnreachableError):
        CeleryControl(rabbitmq_server.tls_url(host="127.0.0.1"), wait=0.2).ping(["celery@nobody"])
