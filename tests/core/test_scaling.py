"""Why an order to scale an app, or to restart all of it at once, does not begin; and which changes it explains."""

import pytest

from celeriac.core.at_once import generation
from celeriac.core.changes import Change
from celeriac.core.incident import IncidentState, RemedyKind, RemedyState, Scale, Strategy
from celeriac.core.ledger import Ledger
from celeriac.core.model import InstanceState, Place, Process
from celeriac.core.places import MISSING
from celeriac.core.readings import Known, Unknown
from core.builders import (
    APP,
    AUTO,
    CLUSTER,
    NOTHING,
    NOW,
    PLATFORM,
    app,
    but,
    change,
    incident,
    instance,
    order,
    place,
    plan_for,
    said_goodbye,
    seen,
    stream,
    worker,
)

WHOLE = Place(CLUSTER, PLATFORM, APP)
THREE = (worker(0), worker(1), worker(2))
NOBODY = {"incident": None, "guid": None, "node": None, "pid": None, "place": WHOLE}


def scaled(wanted=2, *, process="worker", drain=True, **fields):
    fields = {"kind": RemedyKind.SCALE, "scale": Scale(process, 0, wanted, drain), **NOBODY, **fields}
    return but(NOTHING, remedies=(order(**fields),))


def restarted(**fields):
    fields = {"kind": RemedyKind.RESTART_APP, "strategy": Strategy.ALL_AT_ONCE, **NOBODY, **fields}
    return but(NOTHING, remedies=(order(**fields),))


def note_of(look, past, policy=AUTO):
    """Return why the order lapsed at once, None if it did not."""
    plan = plan_for(look, past, policy)
    (told,) = [one for one in plan.remedies if one.id == "order"]
    if told.state is RemedyState.INTENDED:
        return None
    assert plan.acts == ()
    return told.note


DEPLOYING = seen(*THREE, changes=[change("has a deployment under way, begun", active=True)])
DRAINING = seen(*THREE[:2], said_goodbye(5, index=2))


@pytest.mark.parametrize(
    ("look", "past", "why"),
    [
        (seen(*THREE), scaled(2), None),
        (seen(*THREE), scaled(4), None),
        (seen(*THREE), scaled(0), None),
        (seen(*THREE), scaled(3), "3 instances of it are wanted already"),
        (seen(*THREE), scaled(2, process="beat"), "it has no process beat"),
        (DEPLOYING, scaled(4), "it has a deployment under way: scale it when that is over"),
        (seen(*THREE, changes=Unknown("403", NOW)), scaled(4), "whether a deployment is under way is not known: 403"),
        (DRAINING, scaled(2), "orders-worker/2 is draining and cannot be drained: wait, or order it without draining"),
        (DRAINING, scaled(2, drain=False), None),
        (
            seen(*THREE[:2], but(THREE[2], beats=0, last_heartbeat_at=None)),
            scaled(2),
            "orders-worker/2 cannot be drained: it sends no heartbeats, so that it cannot be seen when it is idle: wait, or",
        ),
        (seen(*THREE, heard=stream(echo=20)), scaled(4), "blind: "),
        (seen(*THREE, platform=Unknown("502", NOW)), scaled(4), "the platform does not show it now"),
        (seen(*THREE), scaled(4, ago=901), "it is older than 15 min"),
    ],
)
def test_when_scaling_begins(look, past, why):
    note = note_of(look, past)
    assert (note is None) if why is None else (note is not None and note.startswith(why))


def test_one_that_has_no_room_can_be_taken_back_at_once():
    """There is nothing to drain where nothing runs."""
    nowhere = instance(2, state=InstanceState.DOWN, details="insufficient resources: memory")
    look = seen(*THREE[:2], instances=[instance(0), instance(1), nowhere])
    assert note_of(look, scaled(2)) is None


@pytest.mark.parametrize("past", [scaled(2), restarted()])
def test_an_instance_that_is_being_restarted_is_waited_for(past):
    busy = incident(2, state=IncidentState.VERIFYING)
    note = note_of(seen(*THREE), but(past, incidents=(busy,)))
    assert note is not None
    assert note.startswith("orders-worker/2 is being restarted")


@pytest.mark.parametrize("past", [scaled(1), restarted()])
def test_what_a_person_holds_is_neither_restarted_nor_stopped_with_the_others(past):
    held = incident(1, held_by="bo", held_why="I look")
    note = note_of(seen(*THREE), but(past, incidents=(held,)))
    assert note == "bo holds the incident of orders-worker/1: release it first"


@pytest.mark.parametrize("past", [scaled(2), restarted()])
@pytest.mark.parametrize("state", [None, InstanceState.UNKNOWN])
def test_an_app_that_is_gone_or_only_as_last_known_takes_no_order(past, state):
    shown = app(state=MISSING) if state is None else app(*(instance(n, state=state) for n in range(3)))
    assert note_of(seen(*THREE, platform=Known((shown,), NOW)), past) == "the platform does not show it now"


def test_a_pause_comes_first():
    for past in (scaled(2), restarted()):
        assert note_of(seen(*THREE), past, but(AUTO, paused="ana looks")) == "paused: ana looks"


def test_the_generation_is_the_version_where_the_platform_tells_one():
    plain = app(instance(0), instance(1))
    told = but(plain, processes=(Process("worker", 2, version="v1"),))
    assert generation(plain) == "guid-0-1 guid-1-1"
    assert generation(told) == generation(but(told, instances=(instance(0, life=2), instance(1)))) == "worker v1"


def done(past, **fields):
    (asked,) = past.remedies
    return Ledger((but(asked, state=RemedyState.ACTED, attempts=1, acted_at=NOW - 5, **fields),))


def test_the_changes_that_an_order_explains():
    one = change("restarted instance 1", index=1, own=True, ago=4)
    app_wide = change("restarted the app", own=True, ago=4)
    of_process = but(change("scaled process worker to 2", own=True, ago=4), process="worker")

    def explained(ledger) -> list[Change]:
        return [each for each in (one, app_wide, of_process) if ledger.explains(each)]

    assert explained(done(scaled(2))) == [of_process]
    assert explained(done(restarted())) == [app_wide]
    assert explained(done(restarted(strategy=Strategy.ROLLING))) == []
    assert not done(scaled(2)).explains(but(of_process, own=False))


def test_scaling_fills_no_budget_of_restarts():
    ledger = done(scaled(2))
    assert (ledger.under_way(), ledger.running((PLATFORM, APP))) == (0, 0)
    assert ledger.last_at(place(0)) is None
