"""The command that tells whether an app has instances enough: how busy it was, hour by hour, and what its peak needs."""

from collections.abc import Sequence
from datetime import UTC, datetime

import click

from celeriac.cli.console import asks_console, console, prints_json
from celeriac.cli.tables import date, duration, plain, table, to_json
from celeriac.client import BusyHour, Capacity, ProcessCapacity

BARS = "▁▂▃▄▅▆▇█"
GAP = "·"


@click.command()
@click.argument("app")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="The objective: 95 % of the tasks begin within so many seconds [30].",
)
@prints_json
@asks_console
def capacity(
    app: str, *, wait_s: float | None, as_json: bool, url: str, token: str | None, cluster: str | None
) -> None:
    """Tell whether an app has instances enough for its peak: advice only, nothing is scaled.

    APP is an app's name or id.
    """
    with console(url, token) as client:
        found = client.capacity(app, cluster, wait_s=wait_s)
    click.echo(to_json(found) if as_json else told(found))


def told(one: Capacity) -> str:
    """Return the advice, the week and the table of each process."""
    parts = [] if len(one.processes) == 1 else [plain(one.advice)]
    for process in one.processes:
        head = f"{plain(one.name)} {plain(process.process)} in {plain(one.cluster)}, {plain(process.seen)}"
        parts += ["", head, "", plain(process.advice), "", *week(process.hours), "", *_rests_on(process)]
        if process.expected:
            parts += ["", expected_table(process)]
        parts += [f"Note: {plain(doubt)}." for doubt in process.doubts]
    return "\n".join(parts).lstrip("\n")


def week(hours: Sequence[BusyHour]) -> list[str]:
    """Return one line a day, one sign an hour: how much of the slots was busy; a gap is where nothing was seen."""
    top = max((max(one.slots or 0.0, one.most or 0.0) for one in hours), default=0.0)
    days: dict[str, list[str]] = {}
    for one in hours:
        at = one.at.astimezone(UTC)
        signs = days.setdefault(at.strftime("%a %d"), [" "] * 24)
        signs[at.hour] = sign(one.busy, top)
    if not days:
        return []
    ruler = "        0     6     12    18     (UTC)"
    legend = f"        busy slots by hour, {BARS[-1]} is {top:.3g}; {GAP} is not seen"
    return [ruler, *(f"{day:<6}  {''.join(signs)}" for day, signs in days.items()), legend]


def sign(busy: float | None, top: float) -> str:
    """Return the bar of one hour."""
    if busy is None:
        return GAP
    return BARS[min(len(BARS) - 1, int(busy / top * len(BARS)))] if top else BARS[0]


def expected_table(one: ProcessCapacity) -> str:
    """Return what numbers of instances would make of the peak's load."""
    rows = [
        (
            f"{each.instances}{_marks(one, each.instances, now=each.now)}",
            each.slots,
            f"{each.utilisation:.0%}",
            _wait(each.mean_wait_s),
            _wait(each.p95_wait_s),
        )
        for each in one.expected
    ]
    return table(
        ("INSTANCES", "SLOTS", "BUSY", "MEAN WAIT", "P95 WAIT"),
        rows,
        give=(),
        right=("SLOTS", "BUSY", "MEAN WAIT", "P95 WAIT"),
    )


def _marks(one: ProcessCapacity, instances: int, *, now: bool) -> str:
    marks = [
        word
        for word, holds in (("now", now), ("needed", instances == one.needed), ("one lost", instances == one.spare))
        if holds
    ]
    return f" ({', '.join(marks)})" if marks else ""


def _wait(seconds: float | None) -> str:
    return "grows" if seconds is None else duration(seconds)


def _rests_on(one: ProcessCapacity) -> list[str]:
    seen, top = one.measured, one.peak
    wait = (
        f"waits p50 {duration(seen.wait_p50_s)}, p95 {duration(seen.wait_p95_s)}"
        if seen.wait_p95_s is not None
        else "waits not known"
    )
    waiting = "" if top.waiting is None else f", {top.waiting} messages waiting"
    measured = (
        f"Measured  {_minute(seen.since)} to {_minute(seen.until)}: {seen.tasks} tasks, {seen.arriving_per_s:.3g} per s, "
        f"{duration(seen.slot_s) or 'unknown time'} each, {wait}"
    )
    return [
        f"Peak      {_minute(top.at)}: {top.busy:.3g} of {top.slots:.3g} slots busy, {top.instances} instances{waiting}",
        measured,
    ]


def _minute(at: datetime) -> str:
    return date(at)[:-3]
