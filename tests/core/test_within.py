"""What a grant may be given on: nothing, anywhere, that its giver does not have."""

from hypothesis import given
from hypothesis import strategies as st

from celeriac.core.access import Actor, Grant, Right, Role, within

CLUSTERS, APPS = ("east", "west"), ("shop", "mail")


def some(names):
    return st.lists(st.sampled_from(names), unique=True, max_size=2).map(tuple)


grants = st.builds(Grant, st.sampled_from(list(Role)), some(CLUSTERS), some(APPS), st.booleans())
held = st.lists(grants, max_size=3).map(tuple)


def rights(*of):
    """Return all that somebody may, place by place, also in places that no grant names."""
    actor = Actor("one", of)
    places = [(cluster, app) for cluster in (None, *CLUSTERS, "north") for app in (None, *APPS, "other")]
    return {(right, *place) for right in Right for place in places if actor.may(right, *place)}


@given(grants, held)
def test_what_is_within_gives_nothing_that_is_not_held(asked, held):
    if within(asked, held):
        assert rights(asked) <= rights(*held)


@given(grants, held)
def test_payloads_are_given_on_by_those_alone_who_have_them_by_the_grant(asked, held):
    if within(asked, held) and asked.payloads:
        assert any(one.payloads for one in held)


@given(grants, held)
def test_what_is_held_first_may_be_given_on(first, others):
    assert within(first, (first, *others))


@given(grants)
def test_who_has_nothing_gives_nothing(asked):
    assert not within(asked, ())


def test_a_stronger_grant_behind_a_weaker_one_does_not_hold_for_the_weaker_ones_places():
    own = (Grant(Role.VIEWER, ("east",)), Grant(Role.ADMIN))

    assert not within(Grant(Role.ADMIN), own)
    assert not within(Grant(Role.OPERATOR, ("east", "west")), own)
    assert within(Grant(Role.ADMIN, ("west",)), own)
    assert within(Grant(Role.VIEWER), own)
