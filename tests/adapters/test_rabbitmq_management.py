"""What RabbitMQ's management API adds to AMQP, on a real RabbitMQ with real workers, and what is left when it fails."""

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import amqp
import pytest
from celery import Celery

import harness
from adapters.rabbitmq_worker import worker_running
from celeriac.adapters.amqp_client import connect
from celeriac.adapters.rabbitmq_broker import Management, RabbitBroker, requests_for
from celeriac.adapters.rabbitmq_broker import requests as module
from celeriac.core.diagnose import diagnose
from celeriac.core.errors import MissingError, RefusedError, UnreachableError
from celeriac.core.model import Inspection, Verdict
from celeriac.core.readings import Known
from celeriac.core.work import Waiting
from core.builders import LIMITS, NOW, seen, stream, worker

COUNTED_S = 10
"""So long RabbitMQ may take to count anew on a busy machine; it does each second here."""

NODE = "worker@g1"


@pytest.fixture
def ask(rabbitmq_vhost):
    """Make brokers with a management API; their connections are dropped when the test ends."""
    made = []

    def asking(management, url=rabbitmq_vhost, **options):
        one = Management(requests_for(management, url, timeout=1.0), **options)
        made.append(RabbitBroker(url, management=one))
        return made[-1]

    yield asking
    for one in made:
        one.close()


@pytest.fixture
def broker(rabbitmq_server, ask, monkeypatch):
    monkeypatch.setattr("celeriac.adapters.rabbitmq_broker.management.FRESH_S", 0.2)
    return ask(rabbitmq_server.management_url())


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


def put(channel, queue, number, **properties):
    channel.queue_declare(queue, durable=True, auto_delete=False)
    for _ in range(number):
        channel.basic_publish(amqp.Message("[]", **properties), routing_key=queue)


def consume(channel, *queues, exclusive=False):
    for queue in queues:
        channel.queue_declare(queue, durable=not exclusive, exclusive=exclusive, auto_delete=False)
        channel.basic_consume(queue, callback=lambda message: None)


def state(broker, queue, *named):
    return next((one for one in broker.queues(named) if one.name == queue), None)


def taking(broker, node=NODE, asked=True):
    found = broker.clients([node] if asked else []).by_node.get(node)
    return found.taking if found else None


def eventually(condition, what):
    harness.wait_until(condition, COUNTED_S, what, every=0.1)


# Queues


def test_what_is_on_its_way_is_told(broker, channel):
    """AMQP tells only what waits."""
    put(channel, "orders", 5)
    channel.basic_qos(0, 2, False)
    consume(channel, "orders")
    eventually(lambda: state(broker, "orders", "orders").unacked == 2, "two are given out")
    orders = state(broker, "orders", "orders")

    assert (orders.ready, orders.unacked, orders.consumers) == ({0: 3}, 2, 1)
    assert orders.unknown == {
        "oldest_task": "AMQP shows no message without taking it",
        "oldest_sent_at": "the message that is taken next carries no time",
    }


def test_queues_that_nobody_named_are_listed(broker, channel, open_channel):
    """All that hold messages or have consumers; those for events, remote control and replies are no work."""
    put(channel, "reports", 3)
    put(channel, "empty", 0)
    other = open_channel()
    consume(other, "consumed", "celeryev.9d8f", "celeriac.events.orders.1", "2b.reply.celery.pidbox")
    consume(other, "0e8ad9c4-7b3f-4d8e-9f64-6d1f0c9f2a11")
    consume(other, "mine", exclusive=True)
    consume(other, f"{NODE}.celery.pidbox", exclusive=True)
    eventually(lambda: {one.name for one in broker.queues([])} == {"reports", "consumed"}, "both are listed")

    assert state(broker, "reports").ready == {0: 3}
    assert state(broker, "consumed").consumers == 1


def test_the_time_of_the_oldest_message_is_told_where_it_carries_one(broker, channel):
    """As `message_interceptors.incoming.set_header_timestamp` has RabbitMQ stamp it."""
    put(channel, "orders", 1, timestamp=1_790_000_000)

    eventually(lambda: state(broker, "orders", "orders").oldest_sent_at == 1_790_000_000, "it is told")
    assert "oldest_sent_at" not in state(broker, "orders", "orders").unknown


def test_of_a_queue_that_is_not_there_nothing_is_on_its_way(broker):
    """It is not listed, and that is said."""
    nowhere = state(broker, "nowhere", "nowhere")

    assert (nowhere.ready, nowhere.unacked, nowhere.consumers) == ({0: 0}, None, 0)
    assert "does not list this queue" in nowhere.unknown["unacked"]


# Who takes what


def test_a_worker_is_known_by_the_connection_of_its_remote_control(broker, open_channel):
    """Also one that was not asked for; what another connection consumes is not its own."""
    mine, others = open_channel(), open_channel()
    consume(mine, f"{NODE}.celery.pidbox", "celeryev.1")
    consume(mine.connection.channel(), "orders", "reports")
    consume(others, "orders", "invoices")
    eventually(lambda: (one := taking(broker)) and one.queues == ("orders", "reports"), "its queues are told")

    assert taking(broker, asked=False).queues == ("orders", "reports")
    assert broker.clients([]).takers["orders"] == 2
    assert broker.clients([NODE]).unread is None


def test_for_how_long_it_was_so_begins_anew_with_each_change(rabbitmq_server, ask, channel, clock, monkeypatch):
    """A fact that lasts is no matter of statistics that lag."""
    monkeypatch.setattr("celeriac.adapters.rabbitmq_broker.management.FRESH_S", 0.0)
    broker = ask(rabbitmq_server.management_url(), monotonic=clock)
    consume(channel, f"{NODE}.celery.pidbox", "orders")
    eventually(lambda: (one := taking(broker)) and one.queues == ("orders",), "it is listed")
    clock.now += 12
    assert taking(broker).lasting_s == 12
    consume(channel, "reports")
    eventually(lambda: taking(broker).queues == ("orders", "reports"), "the new one is listed")
    assert taking(broker).lasting_s == 0


def test_a_worker_that_is_gone_by_amqp_is_gone(broker, open_channel):
    """The list of the management API may still have it."""
    consume(open_channel(), "orders")
    mine = open_channel()
    consume(mine, f"{NODE}.celery.pidbox")
    eventually(lambda: taking(broker) is not None, "it is listed")
    mine.connection.collect()

    eventually(lambda: NODE not in broker.clients([NODE]).by_node, "it is gone")


def test_whom_rabbitmq_gives_nothing_just_now_is_told(broker, open_channel):
    """Its prefetch is used up, or another is the single active consumer: then it is no wonder that it takes nothing."""
    other, mine = open_channel(), open_channel()
    put(other, "orders", 9)
    other.queue_declare("single", durable=True, auto_delete=False, arguments={"x-single-active-consumer": True})
    other.basic_consume("single", callback=lambda message: None)
    mine.queue_declare(f"{NODE}.celery.pidbox", auto_delete=False)
    mine.basic_consume(f"{NODE}.celery.pidbox", no_ack=True, callback=lambda message: None)
    tasks = mine.connection.channel()
    tasks.basic_qos(0, 4, a_global=True)
    for queue in ("orders", "single"):
        tasks.basic_consume(queue, callback=lambda message: None)
    eventually(lambda: (one := taking(broker)) and len(one.held) == 2, "both are held")

    assert taking(broker).unacked == 4
    assert taking(broker).held == {
        "orders": "it has 4 messages unacknowledged, and RabbitMQ gives it 4 at most",
        "single": "another is the single active consumer of single (its own is waiting)",
    }


@pytest.mark.live
@pytest.mark.parametrize("pool", ["prefork", "solo", "threads"])
def test_a_real_worker_consumes_over_the_connection_of_its_remote_control(tmp_path, broker, rabbitmq_vhost, pool):
    """With each pool that is no green one. A canceled queue is seen within seconds, whatever the worker says."""
    with (
        worker_running(tmp_path, rabbitmq_vhost, pool, "-P", pool) as (node, _),
        Celery("producer", broker=rabbitmq_vhost, set_as_current=False) as app,
    ):
        eventually(lambda: (one := taking(broker, node)) and one.queues == ("small",), "it consumes its queue")
        assert broker.clients([node]).takers["small"] == state(broker, "small", "small").consumers == 1
        app.control.cancel_consumer("small", destination=[node])
        eventually(lambda: taking(broker, node).queues == (), "it consumes nothing")
        assert broker.clients([node]).takers.get("small", 0) == state(broker, "small", "small").consumers == 0
        app.control.add_consumer("small", destination=[node])
        eventually(lambda: taking(broker, node).queues == ("small",), "it consumes its queue again")
        if pool == "prefork":
            for _ in range(9):
                app.send_task("small.nap", [30], queue="small")
            eventually(lambda: (taking(broker, node).unacked or 0) >= 4, "messages are given to it")


def test_a_worker_whose_consumer_is_gone_is_deaf_and_its_sibling_is_not(rabbitmq_server, ask, open_channel, clock):
    """It says that it consumes, and holds what it got before: over AMQP alone it could not be told."""
    broker = ask(rabbitmq_server.management_url(), monotonic=clock)
    put(open_channel(), "celery", 3)
    deaf, well = (worker(index, active=0, last_start_at=NOW - 90) for index in range(2))
    consume(open_channel(), f"{deaf.node}.celery.pidbox")
    sibling = open_channel()
    sibling.basic_qos(0, 1, a_global=False)
    consume(sibling, f"{well.node}.celery.pidbox", "celery")

    def verdicts():
        clock.now += 20
        clients = broker.clients([deaf.node, well.node])
        counted = state(broker, "celery", "celery")
        holds = Known(Inspection(("celery",), reserved=2), NOW)
        found = diagnose(
            seen(
                deaf,
                well,
                heard=stream(reader="rabbitmq"),
                consumers=Known(clients.by_node, NOW),
                takers=clients.takers,
                waiting={"celery": Waiting(counted.depth, NOW - 90, counted.unacked, counted.consumers)},
                inspected={deaf.node: holds, well.node: holds},
            ),
            LIMITS,
        )
        return {one.node: one.verdict for one in found}

    eventually(lambda: verdicts() == {deaf.node: Verdict.DEAF, well.node: Verdict.HEALTHY}, "one is deaf")


# What is left when it fails


def fallen_back(broker, channel, kind=None):
    """Return why, once it is proven that AMQP serves on."""
    put(channel, "orders", 2)
    consume(channel, f"{NODE}.celery.pidbox", exclusive=True)
    clients, orders = broker.clients([NODE]), state(broker, "orders", "orders")
    assert (list(clients.by_node), clients.by_node[NODE].taking, clients.takers) == ([NODE], None, None)
    assert (orders.depth, orders.consumers, orders.unacked) == (2, 0, None)
    assert orders.unknown["unacked"] == orders.unknown["oldest_sent_at"] == clients.unread
    if kind:
        with pytest.raises(kind):
            broker._management.takers()
    return clients.unread


def test_a_wrong_password_says_so_and_shows_no_secret(rabbitmq_server, ask, channel):
    """Celeriac goes on with AMQP."""
    why = fallen_back(ask(rabbitmq_server.management_url("guest:wrong-secret")), channel, RefusedError)

    assert why.startswith("RabbitMQ's management API refuses: Login failed (401)")
    assert "secret" not in why


def test_a_user_without_the_tag_is_told_what_it_needs(rabbitmq_server, ask, channel):
    """Workers' users have none."""
    rabbitmq_server.evaluate('rabbit_auth_backend_internal:add_user(<<"plain">>, <<"plain">>, <<"test">>).')
    why = fallen_back(ask(rabbitmq_server.management_url("plain:plain")), channel, RefusedError)

    assert "its user needs the tag `monitoring`, or `management` if it is the workers' own" in why


@pytest.mark.parametrize("tag", ["management", "monitoring"])
def test_a_user_of_its_own_sees_who_consumes_with_the_tag_monitoring_alone(
    rabbitmq_server, ask, rabbitmq_vhost, channel, tag
):
    """With the tag `management` it sees the queues, and the consumers of its own connections only; that is said."""
    vhost = rabbitmq_vhost.rpartition("/")[2]
    rabbitmq_server.evaluate(
        f'rabbit_auth_backend_internal:add_user(<<"{tag}">>, <<"pw">>, <<"test">>), '
        f'rabbit_auth_backend_internal:set_tags(<<"{tag}">>, [{tag}], <<"test">>), '
        f'rabbit_auth_backend_internal:set_permissions(<<"{tag}">>, <<"{vhost}">>, <<>>, <<>>, <<>>, <<"test">>).'
    )
    broker = ask(rabbitmq_server.management_url(f"{tag}:pw"))
    put(channel, "orders", 2)
    consume(channel, f"{NODE}.celery.pidbox", "orders")
    eventually(lambda: state(broker, "orders", "orders").unacked == 2, "the queue is counted")
    if tag == "monitoring":
        eventually(lambda: (one := taking(broker)) and (one.queues, one.unacked) == (("orders",), 2), "it is told")
    else:
        clients = broker.clients([NODE])
        assert (clients.by_node[NODE].taking, clients.takers) == (None, {})
        assert clients.unread.endswith("its user needs the tag `monitoring`, or `management` if it is the workers' own")


def test_it_asks_as_the_brokers_own_user_unless_another_is_named(rabbitmq_server, ask, rabbitmq_vhost):
    """The vhost is the broker's too; one that is not there is said."""
    nowhere = ask(rabbitmq_server.management_url(), rabbitmq_server.url("no%2Fsuch"))

    assert ask(rabbitmq_server.management_url())._management.queues() == {}
    with pytest.raises(MissingError, match="knows no such virtual host"):
        nowhere._management.queues()
    with pytest.raises(RefusedError):
        ask(rabbitmq_server.management_url(), rabbitmq_vhost.replace("guest:guest", "guest:wrong"))._management.queues()


def test_it_is_asked_over_tls_with_the_authority_of_the_brokers_url(rabbitmq_server, ask, rabbitmq_vhost):
    """Without one a certificate that nobody known has signed is refused."""
    address = f"https://localhost:{rabbitmq_server.management_tls_port}"
    secure = rabbitmq_server.tls_url(rabbitmq_vhost.rpartition("/")[2])

    assert ask(address, secure)._management.queues() == {}
    with pytest.raises(UnreachableError, match="certificate verify failed"):
        ask(address)._management.queues()


def test_while_it_is_stopped_amqp_serves_and_afterwards_both(rabbitmq_server, ask, channel, monkeypatch):
    """As while a plugin is switched off."""
    monkeypatch.setattr(module, "FIRST_REST_S", 0.1)
    monkeypatch.setattr(module, "LONGEST_REST_S", 0.2)
    broker = ask(rabbitmq_server.management_url())
    assert broker.queues([]) == ()
    rabbitmq_server.evaluate("ok = application:stop(rabbitmq_management).")
    try:
        assert "refused" in fallen_back(broker, channel, UnreachableError)
    finally:
        rabbitmq_server.evaluate("ok = application:start(rabbitmq_management).")

    eventually(lambda: state(broker, "orders", "orders").unacked == 0, "it tells again")


class _Nonsense(BaseHTTPRequestHandler):
    """Answers as it is told, whatever is asked."""

    status, body, waits = 200, b"[]", threading.Event()
    asked = 0

    def do_GET(self):
        type(self).asked += 1
        if self.status == 0:
            self.waits.wait(20)
            return
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(self.body)

    def log_message(self, *what):
        pass


@pytest.fixture
def pretend():
    """Run something else at the address of the management API."""
    with contextlib.ExitStack() as stack:

        def pretending(status, body=b"[]"):
            waits = threading.Event()
            handler = type("Handler", (_Nonsense,), {"status": status, "body": body, "waits": waits})
            server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
            server.daemon_threads = True
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            stack.callback(waits.set)
            return f"http://127.0.0.1:{server.server_port}", handler

        yield pretending


NONSENSE = {
    "a page": (200, b"<html>Sign in</html>", "cannot be read; is there another program"),
    "another shape": (200, b'[{"queue": 7}]', "cannot be read"),
    "a server's error": (503, b"Service Unavailable", "management API fails: no reason given (503)"),
    "a redirect": (302, b"", "gives no answer: no reason given (302)"),
    "too much": (200, b"[" + b" " * 9_000_000 + b"]", "answers with more than 8 MB"),
    "silence": (0, b"", "does not answer within 1 s"),
}


@pytest.mark.parametrize(("status", "body", "said"), NONSENSE.values(), ids=NONSENSE)
def test_an_answer_that_is_none_says_so(ask, channel, pretend, status, body, said):
    """RabbitMQ with no plugin behind a proxy, or a proxy alone."""
    address, _ = pretend(status, body)

    assert said in fallen_back(ask(address), channel)


def test_after_a_failure_it_is_left_in_peace(pretend, rabbitmq_vhost, clock):
    """Each further failure makes the rest longer, up to a minute; meanwhile the same reason is given."""
    address, handler = pretend(500)
    requests = requests_for(address, rabbitmq_vhost)
    requests._monotonic = clock
    for asked in (1, 1, 1):
        with pytest.raises(UnreachableError, match="fails"):
            requests.get("/api/queues/VHOST", list)
        assert handler.asked == asked
    clock.now += 5
    for _ in range(2):
        with pytest.raises(UnreachableError, match="fails"):
            requests.get("/api/queues/VHOST", list)
    assert handler.asked == 2
    requests.close()
