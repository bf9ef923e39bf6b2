"""Evidence before a kill: all sources at once, each failure noted, none able to delay the restart."""

import threading
import time

import pytest
from msgspec.structs import replace

from app.virtual import MemoryBroker
from celeriac.adapters.sql.recorder import SqlRecorder
from celeriac.app.preserve import Preserver, Witnesses
from celeriac.core.casualties import Whereabouts
from celeriac.core.errors import MissingError, UnreachableError
from celeriac.core.exhibits import EACH_AT_MOST, LONGEST_LINE, Line
from celeriac.core.redact import Payloads, Redaction
from celeriac.core.tasks import Task
from celeriac.ports import Batch
from core.builders import CLUSTER, NOW, plan_for, seen, stream, worker

ACT = plan_for(seen(worker(silent=40))).acts[0]
NODE = ACT.remedy.node


class Witness:
    """A worker and its platform; what is an exception is raised, what is an event is waited for."""

    def __init__(self):
        self.said = {
            "logs": (Line("ready.", NOW), Line("stuck", NOW)),
            "events": (Line("audit.app.restart by ada", NOW),),
            "tasks": (Line("t1 work active"),),
            "stats": (Line("pid: 7"),),
        }

    def logs(self, instance, limit):
        return self._say("logs")[-limit:]

    def events(self, instance, since):
        return self._say("events")

    def tasks(self, node):
        return self._say("tasks")

    def stats(self, node):
        return self._say("stats")

    def _say(self, what):
        said = self.said[what]
        if isinstance(said, threading.Event):
            said.wait(20)
            return ()
        if isinstance(said, Exception):
            raise said
        return said


class Room:
    """Everything that evidence is made of."""

    def __init__(self, store, clock):
        self.witness, self.broker, self.store = Witness(), MemoryBroker(), store
        SqlRecorder(store.history(CLUSTER)._database, Redaction()).record(
            Batch(
                stream(),
                [
                    Task(id, "STARTED", "work", NODE, None, NOW, None, NOW, NOW, state_at=NOW, pid=7)
                    for id in ("t1", "t2")
                ],
            )
        )
        self.broker.held = Whereabouts(frozenset(["t2"]))
        self.renewed = 0
        witnesses = Witnesses(store.tasks(CLUSTER), self.witness, self.broker, self.witness)
        redaction = Redaction(Payloads.REDACTED)
        self.preserver = Preserver(witnesses, store.casebook(), redaction, clock)

    def preserve(self, within=10.0, act=ACT):
        return self.preserver.preserve(act, within, self._renew)

    def _renew(self):
        self.renewed += 1

    @property
    def kept(self):
        return {one.source: one for one in self.store.casebook().kept(ACT.incident.id).exhibits}

    def texts(self, source):
        return [line.text for line in self.kept[source].lines]


@pytest.fixture
def room(store, clock):
    one = Room(store, clock)
    yield one
    for said in one.witness.said.values():
        if isinstance(said, threading.Event):
            said.set()
    one.preserver.close()


def test_all_that_is_known_of_the_worker_is_kept(room):
    text = room.preserve()

    assert room.texts("logs") == ["ready.", "stuck"]
    assert room.texts("platform events") == ["audit.app.restart by ada"]
    assert room.texts("tasks it has") == ["t1 work active"]
    assert room.texts("stats") == ["pid: 7"]
    assert sorted(room.texts("tasks by its events")) == ["t1 work STARTED", "t2 work STARTED"]
    assert room.texts("unacked") == ["t2"]
    assert text.startswith("kept before the kill: logs: 2; ")


@pytest.mark.parametrize(
    ("failure", "why"),
    [
        (UnreachableError("log-cache is down"), "log-cache is down"),
        (ValueError("nonsense"), "a defect in reading it: ValueError: nonsense"),
    ],
)
def test_a_source_that_fails_is_noted_and_stops_no_other(room, failure, why):
    room.witness.said["logs"] = failure
    text = room.preserve()

    assert (room.kept["logs"].lines, room.kept["logs"].why) == ((), why)
    assert room.texts("stats") == ["pid: 7"]
    assert f"logs: {why}" in text


def test_a_source_that_does_not_answer_is_given_up_in_time(room):
    room.witness.said["logs"] = threading.Event()
    begun = time.monotonic()
    room.preserve(within=1.2)

    assert time.monotonic() - begun < 5
    assert room.kept["logs"].why == "no answer within 1 s"
    assert room.texts("stats") == ["pid: 7"]
    assert room.renewed >= 1, "the lease is renewed meanwhile"


def test_without_time_nothing_is_asked(room):
    assert room.preserve(within=0.0) is None
    assert room.store.casebook().kept(ACT.incident.id) is None


def test_a_worker_that_does_not_answer_leaves_what_its_events_told(room):
    room.witness.said["tasks"] = MissingError("it does not answer remote control")
    room.preserve()

    assert room.kept["tasks it has"].why == "it does not answer remote control"
    assert len(room.texts("tasks by its events")) == 2


def test_what_the_broker_cannot_show_is_said(room):
    room.broker.held = Whereabouts(unknown="RabbitMQ shows no message")
    room.preserve()

    assert room.kept["unacked"].why == "RabbitMQ shows no message"


def test_secrets_are_not_kept_and_long_lines_are_cut(room):
    room.witness.said["logs"] = (
        Line("login password='hunter2' failed"),
        Line("amqp://guest:hunter2@rabbit/ is away"),
        Line("x" * 10_000),
    )
    room.preserve()

    assert "hunter2" not in "".join(room.texts("logs"))
    assert len(room.texts("logs")[2]) == LONGEST_LINE + len("...")


def test_no_part_of_a_password_is_kept_before_the_cut(room):
    before = "x" * (LONGEST_LINE - len("amqp://shop:hun") - 1) + " "
    room.witness.said["logs"] = (Line(f"{before}amqp://shop:hunter2@rabbitmq.internal", NOW),)
    room.preserve()
    assert room.texts("logs") == [f"{before}amqp://shop:***..."]


def test_of_very_many_lines_the_newest_are_kept(room):
    room.witness.said["tasks"] = tuple(Line(f"t{number}") for number in range(EACH_AT_MOST + 5))
    room.preserve()

    assert room.texts("tasks it has")[-1] == f"t{EACH_AT_MOST + 4}"
    assert room.kept["tasks it has"].why == "5 more are left out"


def test_a_worker_that_was_never_heard_leaves_the_platforms_word(room):
    nobody = replace(ACT, remedy=replace(ACT.remedy, node=None, pid=None))
    room.preserve(act=nobody)

    assert room.kept.keys() == {"logs", "platform events"}


def test_a_store_that_takes_nothing_stops_no_restart(room, monkeypatch):
    def away(*_):
        raise UnreachableError("the disk is full")

    monkeypatch.setattr(type(room.store.casebook()), "keep", away)

    assert room.preserve() == "not kept before the kill: the disk is full"
