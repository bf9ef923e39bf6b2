"""`[history]`: how long things are kept, as the settings say it."""

import pytest

from celeriac.core.retention import DAY_S
from celeriac.settings.history import HistorySettings


@pytest.mark.parametrize(
    ("given", "success", "failure"),
    [
        ({}, 14, 30),
        ({"days": 7}, 7, 30),
        ({"days": 60}, 60, 60),
        ({"days": 60, "days_by_state": {"FAILURE": 20}}, 60, 20),
        ({"days": 60, "days_by_state": {}}, 60, 60),
        ({"days": 60, "days_by_state": {"REVOKED": 1}}, 60, 60),
    ],
)
def test_failures_are_kept_no_shorter_than_other_tasks_unless_it_is_said(given, success, failure):
    """They are what people look for."""
    retention = HistorySettings(**given).retention()

    assert retention.age_of("SUCCESS") == success * DAY_S
    assert retention.age_of("FAILURE") == failure * DAY_S


@pytest.mark.parametrize("days", [-1, "many"])
def test_a_wrong_number_of_days_is_named_alone(days):
    """What follows from it is no second mistake."""
    with pytest.raises(ValueError, match="1 validation error") as caught:
        HistorySettings(days=days)
    assert caught.value.errors()[0]["loc"] == ("days",)


def test_everything_is_given_in_seconds_and_bytes():
    """As the store counts."""
    retention = HistorySettings(most_gb=2.5, minute_days=1, hour_days=2, queue_days=3).retention()

    assert retention.most_bytes == 2_500_000_000
    assert [retention.minutes_s, retention.hours_s, retention.samples_s] == [DAY_S, 2 * DAY_S, 3 * DAY_S]


def test_a_state_that_celery_does_not_have_is_refused_with_those_that_there_are():
    """Its tasks would be kept as long as all others, and nobody would know why."""
    with pytest.raises(ValueError, match=r"'FAILED', which Celery does not have; there are: .*FAILURE"):
        HistorySettings(days_by_state={"FAILED": 3})
