"""Remote control among answers of odd shapes: they are skipped or read as unknown, and hide nobody else's."""

import contextlib
import threading
import time

import pytest
from kombu import Connection
from kombu.pidbox import Mailbox

from celeriac.adapters.control import CeleryControl
from celeriac.core.errors import MissingError, UnreachableError
from celeriac.core.model import Inspection, Pool

GOOD, ODD = "worker@good", "worker@odd"
PONG = {"ok": "pong"}
STATS = {"pid": 7, "pool": {"implementation": "celery.concurrency.prefork:TaskPool", "max-concurrency": 2}}
QUEUES = [{"name": "orders", "exchange": {}}]
ALL = {"active_queues": QUEUES, "stats": STATS, "reserved": [{"id": "a"}], "registered": ["shop.pay"]}
"""What a worker answers when it is inspected."""

TOLD = Inspection(("orders",), 1, None, limited=False)


class FakeWorker:
    """A node that answers remote control with whatever it is told to; an exception is raised by its handler."""

    def __init__(self, url, node, answers, *, after=()):
        self.answered = {name: threading.Event() for name in answers}
        self._answers, self._after = answers, after
        self._stopping = threading.Event()
        self._connection = Connection(url)
        handlers = {name: lambda _, name=name, **__: self._answer(name) for name in answers}
        mailbox = Mailbox("celery", type="fanout", accept=["json"], connection=self._connection)
        self._node = mailbox.Node(node, handlers=handlers, channel=self._connection.channel())
        self._consumer = self._node.listen(callback=self._handle)
        with contextlib.suppress(TimeoutError):  # subscribes
            self._connection.drain_events(timeout=0.01)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self):
        self._stopping.set()
        self._thread.join(10)
        self._connection.release()

    def _serve(self):
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                self._connection.drain_events(timeout=0.02)

    def _handle(self, body, message):
        self._node.handle_message(body, message)
        if body["method"] in self.answered:
            self.answered[body["method"]].set()

    def _answer(self, name):
        for other in self._after:
            other.answered[name].wait(5)
        answer = self._answers[name]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def worker(redis_server):
    """Start fake workers that end with the test."""
    with contextlib.ExitStack() as stack:

        def started(node, *, after=(), **answers):
            one = FakeWorker(redis_server.url, node, answers, after=after)
            stack.callback(one.close)
            return one

        yield started


@pytest.fixture
def control(redis_server):
    return CeleryControl(redis_server.url, wait=0.6)


def beside(worker, command, odd, good):
    """Start a worker that answers oddly, and one that answers well when the odd one has answered."""
    first = worker(ODD, **{command: odd})
    worker(GOOD, after=[first], **{command: good})
    return first


ERROR = {"error": "KeyError('x')"}


@pytest.mark.parametrize(
    "odd", ["pong", None, 5, [], ["pong"], {}, {"ok": 1}, {"ok": "well"}, ERROR, RuntimeError("no")], ids=repr
)
def test_a_ping_that_is_answered_oddly_is_not_answered(worker, control, odd):
    """Only `{"ok": "pong"}` is life; another node's answer counts."""
    first = beside(worker, "ping", odd, PONG)

    assert control.ping([ODD, GOOD]) == {GOOD}
    assert first.answered["ping"].is_set()


@pytest.mark.parametrize(
    "odd",
    [None, "queues", {}, ERROR, [{}], [*QUEUES, {"exchange": {}}], [{"name": 5}], ["orders"], KeyError()],
    ids=repr,
)
def test_queues_without_names_are_skipped(worker, control, odd):
    """A node whose list cannot be read has not answered; it does not look like one that consumes nothing."""
    first = worker(ODD, **(ALL | {"active_queues": odd}))
    worker(GOOD, **ALL)

    assert control.inspect([ODD, GOOD]) == {GOOD: TOLD}
    assert first.answered["active_queues"].is_set()


@pytest.mark.parametrize("command", ["stats", "reserved", "registered"])
@pytest.mark.parametrize("odd", [None, 5, {}, {"a": 1}, ERROR, KeyError()], ids=repr)
def test_one_that_does_not_tell_all_has_told_nothing(worker, control, command, odd):
    """Half of it would look like an empty worker."""
    worker(ODD, **(ALL | {command: odd}))
    worker(GOOD, **ALL)

    assert control.inspect([ODD, GOOD]) == {GOOD: TOLD}


PREFORK = {"implementation": "celery.concurrency.prefork:TaskPool"}


@pytest.mark.parametrize(
    ("pool", "processes"),
    [
        (PREFORK | {"processes": [1, 2]}, 2),
        (PREFORK | {"processes": []}, 0),
        (PREFORK | {"processes": "N/A"}, None),
        ({"implementation": "celery.concurrency.solo:TaskPool", "processes": [7]}, None),
        ("N/A", None),
    ],
    ids=repr,
)
def test_only_a_prefork_pool_has_processes(worker, control, pool, processes):
    """Other pools tell their own process, or nothing."""
    worker(GOOD, **(ALL | {"stats": {"pid": 7, "pool": pool}}))

    assert control.inspect([GOOD])[GOOD].processes == processes


BOUND = ALL | {"stats": STATS | {"prefetch_count": 8}}


def test_what_is_kept_for_later_is_counted(worker, control):
    """Tasks with an ETA are in no other list, and take up the prefetch."""
    worker(GOOD, **BOUND, scheduled=[{"eta": "2026-11-28T11:00:00", "request": request(f"t{n}")} for n in range(8)])
    told = control.inspect([GOOD])[GOOD]

    assert (told.prefetch, told.later, told.reserved) == (8, 8, 1)


@pytest.mark.parametrize("odd", [None, 5, {}, ERROR, KeyError()], ids=repr)
def test_one_that_does_not_tell_what_it_keeps_for_later_has_told_the_rest(worker, control, odd):
    """It is not known, which is not none."""
    worker(GOOD, **BOUND, scheduled=odd)
    told = control.inspect([GOOD])[GOOD]

    assert (told.queues, told.prefetch, told.later) == (("orders",), 8, None)


@pytest.mark.parametrize(
    ("prefetch", "told"), [(0, 0), (1001, 1001), ("N/A", None), (None, None), ([8], None)], ids=repr
)
def test_a_worker_without_a_small_bound_is_not_asked_for_all_that_it_keeps(worker, control, prefetch, told):
    """It might have to tell of a hundred thousand, each time that it is looked at."""
    one = worker(GOOD, **(ALL | {"stats": STATS | {"prefetch_count": prefetch}}), scheduled=[])
    said = control.inspect([GOOD])[GOOD]

    assert (said.prefetch, said.later) == (told, None)
    assert not one.answered["scheduled"].is_set()


@pytest.mark.parametrize(("tasks", "limited"), [([], False), (["a", "b [rate_limit=1/m]"], True), (["a [x=1]"], False)])
def test_a_rate_limit_is_read_beside_the_task(worker, control, tasks, limited):
    worker(GOOD, **(ALL | {"registered": tasks}))

    assert control.inspect([GOOD])[GOOD].limited is limited


@pytest.mark.parametrize(
    "odd", [None, "N/A", {}, ERROR, {"pid": 8}, {"pid": "8", "pool": {}}, {"pid": 8, "pool": None}]
)
def test_stats_without_pid_or_pool_are_skipped(worker, control, odd):
    """Without knowing which process says it nothing is learned."""
    first = beside(worker, "stats", odd, STATS)

    assert control.pools([ODD, GOOD]) == {f"{GOOD}#7": Pool("prefork", 2)}
    assert first.answered["stats"].is_set()


@pytest.mark.parametrize(
    "pool",
    ["N/A", {}, {"implementation": None}, {"implementation": "odd"}, {"implementation": [], "max-concurrency": "many"}],
    ids=repr,
)
def test_a_pool_that_does_not_say_what_it_is_is_unknown(worker, control, pool):
    """Its process is known all the same, and so are its queues."""
    worker(ODD, stats={"pid": 8, "pool": pool}, active_queues=QUEUES)
    worker(GOOD, stats=STATS, active_queues=None)

    found = control.pools([ODD, GOOD])

    assert found == {f"{ODD}#8": Pool("unknown", None, ("orders",)), f"{GOOD}#7": Pool("prefork", 2)}


@pytest.mark.parametrize("odd", ["enabled", None, 5, [], {}, {"ok": ""}, {"ok": 1}, {"well": "done"}], ids=repr)
def test_a_worker_that_does_not_say_what_became_of_its_events_has_not_answered(worker, control, odd):
    """What cannot be read is no answer; a refusal is one."""
    worker(ODD, enable_events=odd)
    worker(GOOD, enable_events={"error": "event dispatcher unavailable"})

    assert control.enable_events([ODD, GOOD]) == {GOOD: "event dispatcher unavailable"}


@pytest.mark.parametrize("reply", [5, [], [{GOOD: PONG}], None, {}], ids=repr)
def test_a_reply_that_names_no_node_is_skipped(worker, control, reply):
    """What is no table of nodes is nobody's answer."""
    first = worker(ODD, ping=PONG)
    publish = first._node.reply
    first._node.reply = lambda _, **where: publish(reply, **where)
    worker(GOOD, after=[first], ping=PONG)

    assert control.ping([ODD, GOOD]) == {GOOD}
    assert first.answered["ping"].is_set()


def test_two_replies_of_one_name_hide_no_other_node(worker, control):
    """Two processes that share a name answer first: the third answer is still waited for, and each process is known."""
    good = ALL | {"ping": PONG}
    twins = [worker("worker@twin", **(good | {"stats": STATS | {"pid": pid}})) for pid in (1, 2)]
    worker(GOOD, after=twins, **good)
    nodes = ["worker@twin", GOOD]

    assert control.ping(nodes) == set(nodes)
    assert set(control.pools(nodes)) == {"worker@twin#1", "worker@twin#2", f"{GOOD}#7"}
    assert control.inspect(nodes) == dict.fromkeys(nodes, TOLD)


def test_the_odd_one_of_two_with_one_name_does_not_hide_the_other(worker, control):
    """Of two processes that share a name the readable answer counts, whichever comes first."""
    odd = worker(ODD, ping="pong")
    worker(ODD, after=[odd], ping=PONG)
    good = worker(GOOD, ping=PONG)
    worker(GOOD, after=[good], ping=ERROR)

    assert control.ping([ODD, GOOD]) == {ODD, GOOD}


def test_a_reply_in_a_form_that_is_not_accepted_is_a_port_error(worker, control):
    """What is not JSON is never opened; the sentence says what came, and the next question works."""
    one = worker(ODD, ping=PONG)
    publish = one._node.reply
    one._node.reply = lambda _, **where: publish("text", **where)

    with pytest.raises(UnreachableError, match=r"^remote control: .*content of type text/plain"):
        control.ping([ODD])
    one._node.reply = publish
    assert control.ping([ODD]) == {ODD}


def test_all_answers_end_the_wait(worker, redis_server):
    """When everybody who was asked has answered nothing more is waited for."""
    worker(GOOD, ping=PONG)
    begun = time.monotonic()

    assert CeleryControl(redis_server.url, wait=20).ping([GOOD]) == {GOOD}
    assert time.monotonic() - begun < 5


# What a worker says of itself


def request(id, **more):
    return {"id": id, "name": "orders.price", "args": ["secret"], "time_start": None, "acknowledged": False, **more}


def test_tasks_of_a_worker_are_told_without_what_they_carry(worker, control):
    worker(
        GOOD,
        active=[request("t1", time_start=1790000000.5, acknowledged=True, worker_pid=12)],
        reserved=[request("t2")],
        scheduled=[{"eta": "2026-11-28T11:00:00", "priority": 6, "request": request("t3", name=None)}],
    )
    found = control.tasks(GOOD)

    assert [one.text for one in found] == [
        "t1 orders.price active in process 12 acknowledged",
        "t2 orders.price reserved not acknowledged",
        "t3 unnamed scheduled for 2026-11-28T11:00:00 not acknowledged",
    ]
    assert found[0].at == 1790000000.5


def test_counters_are_told_without_the_brokers_address(worker, control):
    worker(GOOD, stats={**STATS, "total": {"orders.price": 3}, "broker": {"hostname": "redis", "userid": "me"}})
    texts = [one.text for one in control.stats(GOOD)]

    assert texts[0] == "pid: 7"
    assert "total: {'orders.price': 3}" in texts
    assert not any("redis" in text for text in texts)


@pytest.mark.parametrize("ask", [CeleryControl.tasks, CeleryControl.stats])
def test_a_worker_that_does_not_answer_is_missing(control, ask):
    with pytest.raises(MissingError, match="it does not answer remote control"):
        ask(control, GOOD)
