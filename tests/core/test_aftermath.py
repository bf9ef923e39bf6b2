"""Of which crashes evidence is kept, and of which lives: the first of an incident, and once more in a loop."""

import pytest

from celeriac.core import story
from celeriac.core.aftermath import LATE_S, Occasion, dead
from celeriac.core.incident import IncidentState
from celeriac.core.model import InstanceState, Verdict
from celeriac.core.readings import Unknown
from celeriac.core.snapshot import Lived
from core.builders import LIMITS, NOW, but, crash, finding, guid, incident, instance, place, seen, unmapped, worker

DEAD = worker(silent=10)
LIFE = (DEAD.node, 7)


def crashed(*, ago=5.0, before=None, life=1):
    """Return the incident that the platform's word opened or went on with, so many seconds ago."""
    return story.crashed(crash(life=life, ago=ago), finding(worker(silent=10)), before, NOW - ago, LIMITS)


def kept(one, occasion=Occasion.CRASH):
    return story.told(one, NOW, "evidence", f"kept {occasion}: logs: 3")


def look(*workers, **fields):
    return seen(*(workers or (DEAD,)), instances=[instance(life=2)], crashes=[crash()], **fields)


def test_what_is_left_of_a_crashed_worker_is_its_index_and_its_ended_life():
    found = dead(crashed(), look())

    assert (found.occasion, found.instance, found.lives) == (Occasion.CRASH, instance(life=2), (LIFE,))


def test_the_last_words_of_it_are_waited_for():
    assert dead(crashed(ago=2), look()) is None


def test_what_is_long_past_is_not_kept_under_the_name_of_the_crash():
    assert dead(crashed(ago=LATE_S + 1), look()) is None


def test_it_is_kept_once():
    assert dead(kept(crashed()), look()) is None
    assert dead(kept(crashed(before=kept(crashed(ago=60)), life=2)), look()) is None


def test_that_it_could_not_be_kept_is_told_once_too():
    assert dead(story.told(crashed(), NOW, "evidence", "not kept after the crash: the disk is full"), look()) is None


def test_what_was_kept_before_a_kill_is_not_that_of_the_crash():
    assert dead(story.told(crashed(), NOW, "evidence", "kept before the kill: logs: 3"), look())


def looping(before):
    return but(before, verdict=Verdict.CRASH_LOOPING, state=IncidentState.ESCALATED)


def test_in_a_loop_it_is_kept_once_more():
    assert dead(looping(kept(crashed())), look()).occasion is Occasion.LOOP
    assert dead(looping(kept(kept(crashed()), Occasion.LOOP)), look()) is None


def test_crashes_that_escalate_without_proof_in_between_are_a_loop_too():
    again = but(crashed(before=kept(crashed(ago=60)), life=2), state=IncidentState.ESCALATED)

    assert dead(again, look()).occasion is Occasion.LOOP


def test_one_crash_that_is_never_proven_well_is_no_loop():
    assert dead(but(kept(crashed()), state=IncidentState.ESCALATED), look()) is None


def test_an_index_that_is_crashed_and_has_no_guid_stands_for_the_one_that_was_heard_there():
    opened = but(crashed(), guid="")
    there = seen(DEAD, instances=[instance(state=InstanceState.CRASHED)], lived=(Lived(guid(), place(), NOW),))

    assert dead(opened, there).lives == (LIFE,)


def test_a_life_that_was_never_heard_leaves_the_platforms_word():
    assert dead(crashed(life=3), look()).lives == ()


def test_without_a_platform_its_tasks_are_left():
    mine = but(place(node=DEAD.node), platform=None, app=None, process=None, index=None)
    opened = story.told(incident(verdict=Verdict.CRASHED, guid=None, place=mine), NOW - 5, "opened", "crashed")
    found = dead(opened, unmapped(DEAD, worker(silent=1, pid=8, born=2)))

    assert (found.instance, found.lives) == (None, (LIFE,))


def test_a_platform_that_cannot_be_read_is_waited_for_a_while():
    away = seen(DEAD, platform=Unknown("down"))

    assert dead(crashed(ago=20), away) is None
    assert dead(crashed(ago=90), away).instance is None


@pytest.mark.parametrize("verdict", [Verdict.HUNG, Verdict.DEAF])
def test_other_incidents_are_no_crashes(verdict):
    opened = story.told(incident(verdict=verdict), NOW - 5, "opened", "hung")

    assert dead(opened, look()) is None
