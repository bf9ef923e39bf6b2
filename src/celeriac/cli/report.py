"""The command that tells whether `auto` can be trusted: what would have been restarted, and what became of it without."""

from datetime import datetime

import click

from celeriac.cli.console import asks_console, console, prints_json
from celeriac.cli.tables import date, duration, plain, table, to_json
from celeriac.cli.tasks import moment
from celeriac.client import Report


@click.command()
@click.option(
    "--since",
    type=moment,
    metavar="TIME",
    help="From this time on: 2026-11-22T14:00 (UTC), or 12h, 30d ago [7d].",
)
@prints_json
@asks_console
def report(*, since: datetime | None, as_json: bool, url: str, token: str | None, cluster: str | None) -> None:
    """Tell what would have been restarted in mode `auto`, and what became of it without.

    A worker that recovered alone would have been restarted for nothing.
    """
    with console(url, token) as client:
        found = client.report(cluster, since=since)
    click.echo(to_json(found) if as_json else told(found))


def told(one: Report) -> str:
    """Return the report as a table and its totals in sentences."""
    modes = ", ".join(f"{plain(name)} in {plain(mode)}" for name, mode in one.modes.items())
    parts = [f"From {date(one.since)} to {date(one.until)} UTC: {one.incidents} incidents. Now {modes}.", ""]
    if one.decisions:
        rows = [
            (date(each.at), each.worker_name, each.cluster, each.verdict, each.outcome, duration(each.ill_s), each.last)
            for each in one.decisions
        ]
        headings = ("WOULD HAVE", "WORKER", "CLUSTER", "VERDICT", "INSTEAD", "ILL FOR", "LAST")
        parts += [table(headings, rows, give=("LAST", "CLUSTER"), right=("ILL FOR",)), ""]
    return "\n".join([*parts, *totals(one)])


def totals(one: Report) -> list[str]:
    """Return what follows from the decisions, a sentence each."""
    if not one.would_have_restarted:
        lines = ["Nothing would have been restarted."]
    else:
        lines = [
            f"In auto, {one.would_have_restarted} restarts would have been made.",
            f"  {one.right} right: the worker did not come back without one; it was ill for {duration(one.saved_s)} in all.",
            f"  {one.false} false: the worker recovered alone.",
            f"  {one.open_ended} of which nothing can be learned: gone, or closed by a person.",
        ]
    if one.held:
        reasons = ", ".join(f"{plain(reason)} {number}" for reason, number in sorted(one.held.items()))
        lines.append(f"Held in auto too: {reasons}.")
    if not one.complete:
        lines.append("There were more incidents than are counted: ask for a shorter time.")
    return lines
