"""One budget of requests for all polls of a foundation: polls take turns, what people order passes, a limit is minded."""

import time

import pytest

from adapters.faulty_foundation import Answer
from celeriac.adapters.cloudfoundry.budget import Budget
from celeriac.core.errors import SparedError

PATH = "/v3/apps"
EMPTY = {"resources": [], "pagination": {"next": None}}


def spend(budget, requests):
    for _ in range(requests):
        budget.count()


def polled(budget, key, requests=2):
    try:
        with budget.poll(key):
            spend(budget, requests)
    except SparedError:
        return False
    return True


def test_suspicion_may_go_faster_for_minutes(clock):
    """Thirty a minute: for ten minutes twice as many pass before a poll has to wait."""
    budget = Budget(30, clock)

    for _ in range(600):
        assert polled(budget, "a", 1)
        clock.now += 1


@pytest.mark.parametrize("pollers", [1, 3, 10])
def test_a_used_up_budget_gives_each_poll_its_turn(clock, pollers):
    """No poll starves, and together they send what is allowed: n polls of 2 requests come every 4 n seconds at 30 a minute."""
    budget, keys = Budget(30, clock), [f"space-{n}" for n in range(pollers)]
    for key in keys:
        polled(budget, key)
    spend(budget, 800)
    passed = dict.fromkeys(keys, 0)

    for _ in range(1200):
        for key in keys:
            passed[key] += polled(budget, key)
        clock.now += 1

    assert set(passed.values()) <= set(range(1200 // (4 * pollers) - 2, 1200 // (4 * pollers) + 3))


def test_a_poll_that_waits_is_told_for_how_long(clock):
    """The error says when its turn comes, and asking then is right."""
    budget = Budget(30, clock)
    polled(budget, "a")
    spend(budget, 800)

    with pytest.raises(SparedError, match="keep within the request budget") as caught, budget.poll("a"):
        pass
    clock.now += caught.value.after_s
    assert polled(budget, "a")


def test_orders_and_reads_outside_of_polls_always_pass_and_count(foundation, connect):
    """An empty budget refuses no order, nor the reading right before it; later polls pay for them."""
    foundation.script(PATH, EMPTY)
    session = connect(foundation.url)
    session.budget = Budget(2)
    session.get(PATH)

    for _ in range(40):
        session.get(PATH)
        session.order("POST", PATH)
    with session.budget.poll("a"):
        session.get(PATH)
    with pytest.raises(SparedError), session.budget.poll("a"):
        session.get(PATH)
    assert len(foundation.asked(PATH)) == 82


def test_what_the_foundation_says_is_left_is_minded(foundation, connect):
    """With a tenth of its own limit left, polls take turns though our bucket is full."""
    left = {"X-RateLimit-Limit": "2000", "X-RateLimit-Remaining": "200", "X-RateLimit-Reset": str(time.time() + 1800)}
    foundation.script(PATH, Answer(200, EMPTY, left))
    session = connect(foundation.url)
    session.budget = Budget(30)
    for _ in range(2):
        session.get(PATH)

    with session.budget.poll("a"):
        session.get(PATH)
    with pytest.raises(SparedError) as caught, session.budget.poll("a"):
        session.get(PATH)
    assert 5 < caught.value.after_s < 20


def test_discovery_login_and_logs_are_not_in_the_budget(foundation, connect):
    """Cloud Foundry's limit counts requests to the API alone."""
    foundation.script(PATH, EMPTY)
    foundation.script("/api/v1/read/a", {"envelopes": {"batch": []}})
    session, counted = connect(foundation.url), []
    session.budget.count = lambda: counted.append(1)

    session.get(PATH)
    session.get_from(session.link("log_cache"), "/api/v1/read/a")

    assert len(counted) == 1
