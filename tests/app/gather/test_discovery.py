"""Everybody is asked to answer every minute: who is found by it, and who is missed."""

from app.virtual import CALM, NODE, PREFORK, alive
from celeriac.core.diagnose import diagnose
from celeriac.core.incident import RemedyKind
from celeriac.core.limits import Limits
from celeriac.core.memory import Book
from celeriac.core.model import InstanceState, Pool, Verdict
from celeriac.core.readings import Known
from core.builders import guid, instance

SILENT = f"celery@{guid(1)}"
"""A worker without heartbeats, gossip and task events: nothing is heard of it."""


BOOK = Book(pools={**CALM.pools, f"{SILENT}#9": PREFORK})


def minutes(cluster, clock, number, *workers):
    """Let so many minutes pass; return the last look."""
    for _ in range(30 * number):
        look = cluster.look(*[one() for one in workers], book=BOOK)
    return look


def test_everybody_is_asked_once_a_minute(cluster, clock):
    cluster.control.alive = {NODE}
    minutes(cluster, clock, 5, lambda: alive(clock))

    assert 4 <= len(cluster.control.nodes("discover")) <= 5


def test_a_worker_that_says_nothing_is_found_and_watched(cluster, clock):
    """It is asked its pid, joins the others, and soon needs no ping of its own while it answers."""
    cluster.control.alive, cluster.control.kinds = {NODE, SILENT}, {f"{SILENT}#9": Pool("prefork", 2, ("celery",))}
    look = minutes(cluster, clock, 3, lambda: alive(clock))

    found = {one.node: one for one in diagnose(look, Limits())}
    assert (found[SILENT].verdict, found[SILENT].pid) == (Verdict.HEALTHY, 9)
    assert found[SILENT].notes == ("sends no heartbeats but answers a ping",)
    assert found[SILENT].place.index == 1
    assert sum(SILENT in nodes for nodes in cluster.control.nodes("ping")) < 5


def test_once_it_does_not_answer_it_is_suspect_and_a_person_decides(cluster, clock):
    """Silence may be its habit; that it answers no more is not."""
    cluster.control.alive, cluster.control.kinds = {NODE, SILENT}, {f"{SILENT}#9": PREFORK}
    minutes(cluster, clock, 3, lambda: alive(clock))
    cluster.control.alive = {NODE}
    look = minutes(cluster, clock, 2, lambda: alive(clock))

    suspect = next(one for one in diagnose(look, Limits()) if one.node == SILENT)
    assert suspect.suspect
    assert (suspect.verdict, suspect.remedy) == (Verdict.BLIND, RemedyKind.NONE), "of its connections nothing is known"
    assert look.pings[SILENT] == Known(value=False, at=look.at)


def test_one_that_beats_and_does_not_answer_is_in_doubt(cluster, clock):
    """Its remote control is dead, as that of a zombie is; it is asked again at each look until it answers."""
    cluster.control.alive = {NODE}
    look = minutes(cluster, clock, 2, lambda: alive(clock, active=0), lambda: alive(clock, 1, active=0))

    assert look.pings[SILENT] == Known(value=False, at=look.at)
    assert diagnose(look, Limits())[1].notes[0].startswith("it answers no ping")

    cluster.control.alive = {NODE, SILENT}
    cluster.look(alive(clock), alive(clock, 1))
    assert SILENT not in cluster.look(alive(clock), alive(clock, 1)).pings


def test_a_stranger_that_does_not_tell_its_pid_stays_one(cluster, clock):
    """Without it nothing could be told of its lives."""
    cluster.control.alive = {NODE, "celery@elsewhere"}
    look = minutes(cluster, clock, 3, lambda: alive(clock))

    assert {one.node for one in look.incarnations} == {NODE}


def test_one_that_speaks_at_last_is_what_its_events_tell(cluster, clock):
    """Events know more than an answer."""
    cluster.control.alive, cluster.control.kinds = {NODE, SILENT}, {f"{SILENT}#9": PREFORK}
    minutes(cluster, clock, 2, lambda: alive(clock))
    look = cluster.look(alive(clock), alive(clock, 1))

    assert [one.pid for one in look.incarnations if one.node == SILENT] == [7]


def test_one_that_is_gone_for_long_is_forgotten(cluster, clock):
    cluster.control.alive, cluster.control.kinds = {NODE, "celery@bare"}, {"celery@bare#9": PREFORK}
    minutes(cluster, clock, 2, lambda: alive(clock))
    cluster.control.alive = {NODE}
    clock.pass_(3700)
    look = cluster.looked(alive(clock))

    assert {one.node for one in look.incarnations} == {NODE}


def test_without_remote_control_nobody_is_missed(cluster, clock):
    """The question failed, and that is no answer of theirs."""
    cluster.control.away = "remote control: Connection refused"
    look = minutes(cluster, clock, 3, lambda: alive(clock))

    assert look.pings == {}
    assert cluster.platform.instances[0] == instance(0, state=InstanceState.RUNNING)
