"""Verdicts where a signal has two meanings: connections as RabbitMQ shows them, and a goodbye that heartbeats follow."""

import pytest

from celeriac.core.diagnose import diagnose
from celeriac.core.incident import RemedyKind
from celeriac.core.model import Consumer, Verdict
from celeriac.core.readings import Known
from core.builders import LIMITS, NOW, finding, seen, stream, worker

HEALTHY, HUNG, BLIND = Verdict.HEALTHY, Verdict.HUNG, Verdict.BLIND
NOTHING, RESTART = RemedyKind.NONE, RemedyKind.RESTART_INSTANCE

# RabbitMQ ------------------------------------------------------------------------------------------------------------

RABBIT = stream(reader="rabbitmq")
GONE = worker(silent=31)


@pytest.mark.parametrize(
    ("what", "approval"),
    [
        (seen(GONE, heard=RABBIT, consumer=None, lingering=frozenset({GONE.key})), None),
        (seen(GONE, heard=RABBIT, consumer=None), "it may be ending its last tasks"),
        (seen(GONE, consumer=None), None),  # on Redis a draining worker keeps connections
    ],
)
def test_on_rabbitmq_a_missing_connection_proves_a_freeze_only_if_it_outlasted_the_heartbeats(what, approval):
    """A warm shutdown ends the remote-control queue at once, while the last tasks still run: never restart that."""
    (found,) = diagnose(what, LIMITS)

    assert (found.verdict, found.remedy) == (HUNG, RESTART)
    assert (approval in found.approval) if approval else found.approval is None


def test_on_rabbitmq_a_worker_without_remote_control_is_told_so():
    (found,) = diagnose(seen(worker(silent=31), heard=RABBIT, consumer=None, named=False), LIMITS)

    assert found.verdict is BLIND
    assert "worker_enable_remote_control" in found.notes[0]


THERE = Consumer(1, fetching=True, idle_s=0.0)
"""A connection as AMQP shows it."""


@pytest.mark.parametrize(
    ("silent", "pool", "verdict", "remedy"),
    [
        (20, "prefork", HEALTHY, NOTHING),
        (35, "prefork", BLIND, NOTHING),
        (599, "prefork", BLIND, NOTHING),
        (601, "prefork", HUNG, RESTART),
        (35, "gevent", Verdict.BUSY, NOTHING),
        (601, "gevent", HUNG, RESTART),
    ],
)
def test_on_rabbitmq_a_connection_that_is_there_is_no_sign_of_life(silent, pool, verdict, remedy):
    """RabbitMQ ends it after two missed heartbeats of AMQP, if the worker uses any; gevent has none."""
    found = finding(worker(silent=silent), consumer=THERE, heard=RABBIT, pool=pool)

    assert (found.verdict, found.suspect, found.remedy) == (verdict, True, remedy)
    assert bool(found.approval) == (verdict is HUNG)
    assert ("RabbitMQ still holds its connection" in "; ".join(found.notes)) == (verdict is BLIND)


# Draining aloud ------------------------------------------------------------------------------------------------------


def leaver(ago=30.0, **fields):
    """Return a worker that said goodbye so many seconds ago and has sent heartbeats since."""
    return worker(goodbye=(1, NOW - ago), offline_at=NOW - ago, **{"sent": (2, NOW), **fields})


MUTE = {worker().node: Known(value=False, at=NOW)}


@pytest.mark.parametrize(
    ("look", "verdict", "doubt"),
    [
        (seen(leaver(), pings=MUTE), Verdict.DRAINING, False),
        (seen(leaver()), HEALTHY, True),
        (seen(leaver(), answered={worker().node: NOW - 5}), HEALTHY, False),
        (seen(leaver(), pings=MUTE, answered={worker().node: NOW - 29}), Verdict.DRAINING, False),
        (seen(leaver(hello=(2, NOW)), pings=MUTE), HEALTHY, False),
        (seen(leaver(1801), pings=MUTE), HUNG, False),
    ],
    ids=["no answer", "not asked", "it answered since", "it answered as it left", "it is back", "for too long"],
)
def test_a_worker_that_beats_on_after_its_goodbye_drains_if_it_hears_us_no_more(look, verdict, doubt):
    """Gevent pools of Celery 5.7 do; but a goodbye may also be that of a connection that broke."""
    found = diagnose(look, LIMITS)[0]

    assert (found.verdict, found.doubt) == (verdict, doubt), found.notes
