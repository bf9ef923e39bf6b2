"""`[heal]`: maintenance windows and who must stay well, as the settings say it."""

from datetime import datetime

import pytest
from pydantic import ValidationError

from celeriac.core.errors import SettingsError
from celeriac.core.model import Mode
from celeriac.settings.maintenance import MaintenanceSettings
from celeriac.settings.model import HealSettings
from celeriac.settings.sources import read


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


NIGHT = {"why": "backup", "days": ("sat",), "begins": "22:00", "ends": "04:00", "zone": "Europe/Berlin"}


@pytest.mark.parametrize(
    ("now", "inside"),
    [
        ("2026-11-28T21:59:59+01:00", False),
        ("2026-11-28T22:00:00+01:00", True),
        ("2026-11-29T03:59:59+01:00", True),
        ("2026-11-29T04:00:00+01:00", False),
        ("2026-11-29T22:30:00+01:00", False),
        ("2026-11-28T03:00:00+01:00", False),
        ("2026-11-28T21:30:00+00:00", True),
        ("2026-07-04T20:30:00+00:00", True),
        ("2026-07-04T19:30:00+00:00", False),
    ],
    ids=[
        "just before", "as it begins", "just before its end", "as it ends", "on the next evening", "on the same morning",
        "by another zone", "in summer", "an hour earlier in summer",
    ],
)  # fmt: skip
def test_a_weekly_window_may_go_past_midnight(now, inside):
    """It belongs to the day on which it begins, by the clock of its zone."""
    assert MaintenanceSettings(**NIGHT).holds("any", at(now)) == (
        "backup, until 04:00 Europe/Berlin" if inside else None
    )


@pytest.mark.parametrize(
    ("now", "inside"),
    [("2026-11-25T07:59:00Z", False), ("2026-11-25T08:00:00Z", True), ("2026-11-25T09:30:00Z", False)],
)
def test_a_weekly_window_may_lie_within_a_day(now, inside):
    """UTC is the zone when none is named."""
    window = MaintenanceSettings(days=("wed",), begins="08:00", ends="09:30")

    assert (window.holds("any", at(now)) is not None) is inside


def test_a_window_from_a_time_to_the_same_is_a_whole_day():
    """From midnight to midnight."""
    window = MaintenanceSettings(days=("wed",), begins="00:00", ends="00:00")

    held = [window.holds("any", at(f"2026-11-{day}T12:00:00Z")) is not None for day in (24, 25, 26)]
    assert held == [False, True, False]


def test_a_window_may_come_once():
    """Between two moments."""
    window = MaintenanceSettings(since="2026-12-24T18:00:00+01:00", until="2026-12-26T08:00:00+01:00")

    assert window.holds("any", at("2026-12-24T16:59:59Z")) is None
    assert window.holds("any", at("2026-12-24T17:00:00Z")) == "maintenance, until 2026-12-26 08:00 +0100"
    assert window.holds("any", at("2026-12-26T07:00:00Z")) is None


def test_a_window_may_be_of_some_clusters():
    """Others go on."""
    window = MaintenanceSettings(**NIGHT, clusters=("orders",))

    assert window.holds("orders", at("2026-11-28T23:00:00+01:00"))
    assert window.holds("mail", at("2026-11-28T23:00:00+01:00")) is None


NEITHER = "give days, begins and ends for a window of each week, or since and until for one that comes once"
WRONG = {
    "nothing": ({}, NEITHER),
    "half": ({"days": ("sat",), "begins": "22:00"}, "give days, begins and ends"),
    "both": ({**NIGHT, "since": "2026-12-24T18:00:00Z", "until": "2026-12-26T08:00:00Z"}, "give days, begins and ends"),
    "no zone": (NIGHT | {"zone": "Mars/Olympus"}, "'Mars/Olympus' is no time zone that is known here"),
    "a path": (NIGHT | {"zone": "/etc/passwd"}, "is no time zone that is known here"),
    "a day": (NIGHT | {"days": ("someday",)}, "Input should be 'mon'"),
    "a time": (NIGHT | {"begins": "25:00"}, "time"),
    "a zone in the time": (NIGHT | {"begins": "22:00+01:00"}, "is a time of day without a zone"),
    "no zone in a moment": ({"since": "2026-12-24T18:00:00", "until": "2026-12-26T08:00:00Z"}, "timezone"),
    "backwards": ({"since": "2026-12-26T08:00:00Z", "until": "2026-12-24T08:00:00Z"}, "until must be later than since"),
}


@pytest.mark.parametrize(("given", "why"), WRONG.values(), ids=WRONG)
def test_a_window_that_makes_no_sense_says_what_is_wrong(given, why):
    """One that is never open would be found out in the night that it was meant for."""
    with pytest.raises(ValidationError, match=why):
        MaintenanceSettings(**given)


def test_windows_come_from_the_file(tmp_path):
    """A weekly one and one that comes once, as TOML has them."""
    path = tmp_path / "celeriac.toml"
    path.write_text(
        """
        [[cluster]]
        name = "orders"
        broker = "redis://localhost"
        [[heal.maintenance]]
        days = ["sat"]
        begins = "22:00"
        ends = "04:00"
        [[heal.maintenance]]
        why = "move"
        since = 2026-12-24T18:00:00+01:00
        until = 2026-12-26T08:00:00+01:00
        clusters = ["orders"]
        """
    )
    heal = read(path, environ={}).heal

    assert heal.window("orders", at("2026-12-25T00:00:00Z")) == "move, until 2026-12-26 08:00 +0100"
    assert heal.window("mail", at("2026-12-25T00:00:00Z")) is None
    assert heal.window("mail", at("2026-11-28T23:00:00Z")) == "maintenance, until 04:00 UTC"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('days = ["sat"]', f"The setting heal.maintenance.0: {NEITHER}."),
        ('since = 2026-12-24T18:00:00Z\nuntil = 2026-12-25T18:00:00Z\nclusters = ["no"]',
         "The settings do not fit: a [[heal.maintenance]] names the cluster 'no', and there is no such [[cluster]]."),
    ],
    ids=["half a window", "an unknown cluster"],
)  # fmt: skip
def test_a_wrong_window_is_one_clear_sentence(tmp_path, text, sentence):
    """It names the table and the fix."""
    path = tmp_path / "celeriac.toml"
    path.write_text(f'[[cluster]]\nname = "orders"\nbroker = "redis://localhost"\n[[heal.maintenance]]\n{text}\n')

    with pytest.raises(SettingsError) as caught:
        read(path, environ={})
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("given", "of_10", "of_1"), [("50%", 5, 0), ("0", 0, 0), (2, 2, 2), ("3", 3, 3), ("100%", 10, 1), ("33%", 3, 0)]
)
def test_who_must_stay_well_is_a_number_or_a_share(given, of_10, of_1):
    """A share is rounded down, so that the only instance of an app can be mended."""
    policy = HealSettings(min_healthy=given).policy(Mode.AUTO, None)

    assert (policy.least_healthy(10), policy.least_healthy(1)) == (of_10, of_1)


@pytest.mark.parametrize("given", ["half", "-1", "101%", "0.5", 0.25, True, ""])
def test_another_form_of_min_healthy_is_refused(given):
    """Half an instance is none."""
    with pytest.raises(ValidationError, match="is a number of instances like 2, or a share of them like '50%'"):
        HealSettings(min_healthy=given)


def test_what_is_set_reaches_the_rules():
    """Each under its own name."""
    heal = HealSettings(mode="auto", deploy_wait=30, breaker=0, many_silent=5)
    policy = heal.policy(heal.mode, "x", "backup")

    assert (policy.mode, policy.paused, policy.maintenance) == (Mode.AUTO, "x", "backup")
    assert (policy.deploy_wait_s, policy.breaker, policy.many_silent_s) == (30, 0, 5)
