"""When crashes and changes happened by our clock, whatever the platform's says."""

import pytest

from celeriac.core.arrivals import LATE_S, Arrivals, clock_note, shown
from celeriac.core.model import InstanceState
from celeriac.core.readings import Known, Unknown
from core.builders import APP, NOW, PLATFORM, app, but, change, crash, instance

SHOWN = (PLATFORM, APP)
LOOKED = 10.0
"""Seconds since the look before."""


def arrivals():
    """Return what has read the app's crashes once, and found none."""
    one = Arrivals()
    one.dated((), {SHOWN}, NOW - LOOKED - 1, NOW - LOOKED)
    return one


def read(one, *told, asked_of=frozenset({SHOWN}), now=NOW):
    """Return how long ago each thing happened that an answer tells."""
    return [now - each.at for each in one.dated(told, asked_of, now - 1, now)]


def test_a_time_that_can_be_true_is_believed():
    """Clocks that agree change nothing, also where the platform is a little late to tell."""
    one = arrivals()

    assert read(one, crash(ago=5), crash(1, ago=LOOKED + LATE_S - 5)) == [5, LOOKED + LATE_S - 5]
    assert one.ahead_s == 0


@pytest.mark.parametrize("skew", [300, 3600, 86400])
def test_what_comes_from_the_future_happened_now(skew):
    """The platform's clock is ahead."""
    one = arrivals()

    assert read(one, crash(ago=2 - skew)) == [0]
    assert one.ahead_s == skew - 2


@pytest.mark.parametrize("skew", [300, 3600, 86400])
def test_what_was_not_there_before_is_no_older_than_the_look_before(skew):
    """The platform's clock is behind."""
    one = arrivals()

    assert read(one, crash(ago=2 + skew)) == [LOOKED + 1 + LATE_S]
    assert one.ahead_s == -(skew + 2 - LOOKED - 1 - LATE_S)


def test_what_was_read_once_keeps_its_time():
    one = arrivals()
    read(one, crash(ago=-300))

    assert read(one, crash(ago=-300), now=NOW + 100) == [100]


def test_the_first_answer_has_to_be_believed_but_for_the_future():
    """There may have been crashes before we were there."""
    assert read(Arrivals(), crash(ago=500), crash(1, ago=-300)) == [500, 0]


def test_an_app_that_comes_back_to_sight_may_bring_what_is_old():
    """Our role was gone for a while: its crashes meanwhile are as old as they say."""
    one = arrivals()
    read(one, asked_of=frozenset())

    assert read(one, crash(ago=500), asked_of=frozenset({SHOWN}), now=NOW + 10) == [510]
    assert one.ahead_s == 0


def test_while_it_is_not_known_what_was_asked_of_the_look_before_stands():
    """The platform answered about its events and not about its apps."""
    one = arrivals()
    read(one, asked_of=None)

    assert read(one, crash(ago=500), now=NOW + 10) == [10 + LOOKED + 1 + LATE_S]


def test_changes_are_dated_alike():
    one = arrivals()

    assert read(one, change(ago=-300)) == [0]


def test_the_last_thing_read_tells_how_wrong_the_clock_is():
    """A clock that is right again is believed."""
    one = arrivals()
    read(one, crash(ago=-300))
    read(one, crash(ago=-300), crash(1, ago=-5), now=NOW + 10)

    assert one.ahead_s == 0


def test_what_apps_are_shown():
    assert shown(None) == set()
    assert shown(Unknown("503")) is None
    assert shown(Known((app(), app(name="gone", state="MISSING")), NOW)) == {SHOWN}


def test_of_an_app_that_is_as_last_known_nothing_was_asked():
    """What its platform tells when it is back may be old."""
    unread = instance(state=InstanceState.UNKNOWN)
    assert shown(Known((app(unread, name="away"), app(instance())), NOW)) == {SHOWN}


def test_apps_of_one_name_on_two_platforms_are_two():
    one = arrivals()
    (elsewhere,) = one.dated((but(crash(ago=500), platform="green"),), {SHOWN}, NOW - 1, NOW)
    assert NOW - elsewhere.at == 500


@pytest.mark.parametrize(
    ("ahead", "note"),
    [
        (0.0, None),
        (-29.0, None),
        (
            299.4,
            "the platform's clock is at least 299 s ahead of ours: its events count from when they were first read",
        ),
        (-240.0, "the platform's clock is at least 240 s behind ours: its events count from when they were first read"),
    ],
)
def test_people_are_told(ahead, note):
    assert clock_note(ahead) == note
