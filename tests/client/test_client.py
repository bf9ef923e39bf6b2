"""The typed client against a real console, and what it says when there is none."""

import datetime as dt
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

import harness
from celeriac.access_ports import BreakGlassUse
from celeriac.client import Celeriac, ClientError
from web import samples


@pytest.fixture
def client(console) -> Iterator[Celeriac]:
    with Celeriac(console.url) as connected:
        yield connected


def test_it_reads_every_noun(client):
    assert [one.mode for one in client.clusters()] == ["approve", "observe"]
    assert len(client.workers()) == 7
    assert [one.name for one in client.workers("billing")] == ["celery@billing-1"]
    assert client.apps()[0].instances[2].verdict == "hung"
    assert [one.id for one in client.incidents(open=True)] == ["inc-crashed", "inc-hung"]
    assert client.incident("inc-past").state == "resolved"


def test_a_worker_by_a_name_with_a_slash(client):
    one = client.worker("orders-worker/2")

    assert (one.verdict, one.instance.guid, one.id) == ("hung", samples.GUID.format(2), client.worker(one.node).id)
    assert client.worker("orders-worker/2", "orders") == one


def test_times_are_aware(client):
    assert client.incident("inc-hung").opened_at.utcoffset() == dt.timedelta(0)


def test_tasks_by_page_and_filter(client):
    first = client.tasks(limit=40)
    second = client.tasks(limit=40, cursor=first.next)

    assert (len(first.items), len(second.items), second.next) == (40, 20, None)
    assert {one.state for one in client.tasks(state="FAILURE").items} == {"FAILURE"}
    assert {one.state for one in client.tasks(state=("FAILURE", "RETRY")).items} == {"FAILURE", "RETRY"}
    assert client.task(first.items[0].uuid) == first.items[0]
    assert client.tasks(limit=40, cursor=second.previous).items == first.items


def test_tasks_within_a_time(client):
    newest, oldest = (client.tasks(limit=10).items[at].sent_at for at in (0, 9))

    assert len(client.tasks(since=oldest, until=newest).items) == 9
    assert len(client.tasks(since=oldest.timestamp(), until=newest.timestamp()).items) == 9


def test_tasks_in_numbers(client):
    week = dt.timedelta(days=7)
    since = dt.datetime.fromtimestamp(samples.NOW, dt.UTC) - week

    assert client.facets(state="SUCCESS").states == {"SUCCESS": 30}
    assert sum(sum(one.counts.values()) for one in client.histogram(since=since, buckets=10).items) == 60
    assert sum(one.counts.get("FAILURE", 0) for one in client.counts(since=since, step_s=86_400).items) == 6
    found = client.durations(since=since, name="shop.stock.reserve", buckets=True, series=True)
    assert found.items[0].runtime.number == sum(one.number for one in found.items[0].runtime.buckets) == 6
    assert found.series[-1].wait.number == 12


def test_the_audit_trail_and_break_glass_sign_ons(client, world):
    world.break_glass.used(BreakGlassUse("use-1", samples.NOW, "emergency", "10.1.2.3"))
    client.restart("orders-worker/0")
    (one,) = client.audit(actor="someone on this machine", since=samples.NOW - 60, until=samples.NOW + 60).items

    assert (one.action, one.target, one.outcome, one.at.timestamp()) == (
        "restart",
        "orders-worker/0",
        "ordered",
        samples.NOW,
    )
    assert b"orders-worker/0" in b"".join(client.export_audit("json", action="restart"))
    assert client.break_glass()[0].seen_at is None
    assert client.see_break_glass("use-1").seen_by == "someone on this machine"
    with pytest.raises(ClientError, match="no cursor of the audit trail"):
        client.audit(cursor="x")
    with pytest.raises(ClientError, match="since must be before until"):
        list(client.export_audit(since=9, until=8))


def test_queues_and_their_samples(client):
    reports = client.queues("orders")[0]

    assert (reports.name, reports.unconsumed, reports.ready) == ("reports", True, {0: 118})
    assert len(client.queue_samples(reports.id)) == len(client.queue_samples("reports")) == 6
    assert len(client.queue_samples("reports", since=samples.NOW - 1300)) == 3


def test_how_well_clusters_are_heard(client):
    orders, billing = client.observation()

    assert (orders.troubles, billing.tasks_lost) == ([], 2)
    assert orders.coverage[0].workers == [f"worker@{samples.GUID.format(0)}"]
    assert client.observation("billing") == [billing]


def test_orders_are_stored(client, world):
    for remedy in (
        client.restart("orders-worker/0"),
        client.recycle("orders-worker/0"),
        client.restart_app("orders-worker", "orders"),
        client.restart_app("orders-worker", strategy="all_at_once"),
        client.restart_instance("orders-worker", 2, "orders", process="worker"),
        client.scale("orders-worker", 9, drain=False),
        client.approve("inc-hung"),
    ):
        assert world.requests.asked[remedy.id].by_person
        assert client.remedy(remedy.id) == remedy


def test_a_problem_carries_title_detail_and_status(client):
    with pytest.raises(ClientError, match="No worker 'nope' is known") as caught:
        client.worker("nope")

    assert (caught.value.title, caught.value.status) == ("Not Found", 404)


def test_no_console_is_told_with_the_fix():
    url = f"http://127.0.0.1:{harness.free_port()}"

    with Celeriac(url) as client, pytest.raises(ClientError) as caught:
        client.workers()

    assert caught.value.status is None
    for words in (url, "celeriac serve", "--url", "CELERIAC_URL"):
        assert words in str(caught.value)


@pytest.mark.parametrize("url", ["nonsense", "http://[::1", "ftp://127.0.0.1", "http://127.0.0.1:many"])
def test_an_address_that_is_none_is_told(url):
    with pytest.raises(ClientError), Celeriac(url) as client:
        client.workers()


class Stranger(http.server.BaseHTTPRequestHandler):
    """Answers as some other program would."""

    def do_GET(self):
        self.send_response(200 if "workers" in self.path else 502)
        self.end_headers()
        self.wfile.write(b"<html>It works!</html>")

    def log_message(self, *args):
        pass


@pytest.fixture
def stranger() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_another_program_is_told_apart(stranger):
    with Celeriac(stranger) as client:
        with pytest.raises(ClientError, match="is not a Celeriac console of this version"):
            client.workers()
        with pytest.raises(ClientError, match="it said 502"):
            client.apps()


def test_it_stands_alone():
    program = "import sys, celeriac.client; print([name for name in sys.modules if name.startswith('celeriac')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    loaded = set(done.stdout.translate(str.maketrans("", "", "[]',\n")).split())

    assert loaded == {
        "celeriac",
        "celeriac.client",
        "celeriac.client.api",
        "celeriac.client.access",
        "celeriac.client.access_answers",
        "celeriac.client.answers",
        "celeriac.client.app_answers",
        "celeriac.client.apps",
        "celeriac.client.audit",
        "celeriac.client.audit_answers",
        "celeriac.client.capacity_answers",
        "celeriac.client.casebook_answers",
        "celeriac.client.checkup_answers",
        "celeriac.client.connection",
        "celeriac.client.orders",
        "celeriac.client.task_answers",
    }


def test_what_people_decide_themselves(client, world):
    """Each order comes back by its id; pauses stand until they are ended."""
    for order in (client.hold("inc-hung", "I look into it"), client.close_incident("inc-hung")):
        assert world.requests.said[order.id].actor == order.actor
        assert client.order(order.id) == order
    with pytest.raises(ClientError, match="nobody holds it"):
        client.release("inc-hung")

    paused = client.pause("we move", 60, "orders")
    assert client.pauses() == client.pauses("orders") == [paused]
    assert client.pauses("billing") == []
    assert client.resume("orders") == [paused]
