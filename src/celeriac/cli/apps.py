"""The commands that read apps: their instances, and what only the platform tells of them: log, events, variables."""

import json
from collections import Counter
from typing import Any

import click
import msgspec

from celeriac.cli.console import asks_console, console, prints_json
from celeriac.cli.tables import coloured, date, plain, span, table, to_json
from celeriac.client import App, AppEvent, AppInstance, Celeriac, LogLine

LINE_COLOURS = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}
ENDED = 1


@click.command()
@click.argument("name", required=False)
@prints_json
@asks_console
def apps(name: str | None, *, as_json: bool, url: str, token: str | None, cluster: str | None) -> None:
    """List the watched apps, or show the instances of one: the platform's state beside the verdict.

    NAME is an app's name or its id.
    """
    with console(url, token) as client:
        found = [client.app(name, cluster)] if name else client.apps(cluster)
    if as_json:
        click.echo(to_json(found[0] if name else found))
    elif name:
        click.echo(app_details(found[0]))
    elif found:
        click.echo(apps_table(found))
    else:
        click.echo("No app is watched. Add a [[platform]] to celeriac.toml.")


@click.command()
@click.argument("app")
@click.option("--recent", is_flag=True, help="The newest lines, instead of following.")
@click.option("--lines", "-n", type=click.IntRange(1, 1000), default=200, help="How many, with --recent [200].")
@click.option("--instance", "-i", type=click.IntRange(0), help="Only this index.")
@click.option("--process", help="Only this process type.")
@click.option("--color/--no-color", "colour", default=None, help="Colour by level [on a terminal].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, an object a line.")
@asks_console
@click.pass_context
def logs(ctx: click.Context, /, app: str, url: str, token: str | None, cluster: str | None, **options: Any) -> None:
    """Follow an app's log until Ctrl-C, or print its newest lines.

    APP is an app's name or its id. What may be secret in a line is left out.
    """
    which = {"instance": options["instance"], "process": options["process"]}
    wanted = coloured() if options["colour"] is None else bool(options["colour"])
    with console(url, token) as client:
        if options["recent"]:
            found = client.logs(app, cluster, limit=options["lines"], **which)
            for line in found:
                _print_line(line, as_json=options["as_json"], wanted=wanted)
            if not found:
                click.echo("The platform has no such line any more; it keeps few.", err=True)
            return
        _follow(client, app, cluster, which, as_json=options["as_json"], wanted=wanted)
    ctx.exit(ENDED)


@click.command()
@click.argument("app")
@click.option("--limit", "-n", type=click.IntRange(1, 500), default=50, help="How many at most [50].")
@prints_json
@asks_console
def events(app: str, *, limit: int, as_json: bool, url: str, token: str | None, cluster: str | None) -> None:
    """List what was done to an app and befell it, newest first; times are UTC.

    APP is an app's name or its id.
    """
    with console(url, token) as client:
        found = client.app_events(app, cluster, limit=limit)
    if as_json:
        click.echo(to_json(found))
    elif found:
        click.echo(events_table(found))
    else:
        click.echo("The platform has no event of this app.")


@click.command()
@click.argument("app")
@prints_json
@asks_console
def env(app: str, *, as_json: bool, url: str, token: str | None, cluster: str | None) -> None:
    """Show the variables that an app is started with, without secrets.

    APP is an app's name or its id.
    """
    with console(url, token) as client:
        found = client.environment(app, cluster)
    if as_json:
        click.echo(to_json(found))
        return
    for one in found.items:
        click.echo(f"{plain(one.name)}={'(hidden)' if one.value is None else plain(one.value)}")
    if not found.items:
        click.echo("It is started with no variables of its own.")
    if found.hidden:
        click.echo(f"(hidden): {plain(found.hidden)}.", err=True)


def _follow(
    client: Celeriac, app: str, cluster: str | None, which: dict[str, Any], *, as_json: bool, wanted: bool
) -> None:
    """Print lines as they come; Ctrl-C is how it ends well."""
    try:
        for one in client.follow_logs(app, cluster, **which):
            if isinstance(one, LogLine):
                _print_line(one, as_json=as_json, wanted=wanted)
            else:
                click.echo(plain(one.text), err=True)
    except KeyboardInterrupt:
        click.get_current_context().exit(0)
    click.echo("The console has ended the stream.", err=True)


def _print_line(line: LogLine, *, as_json: bool, wanted: bool) -> None:
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(line)))
        return
    colour = LINE_COLOURS.get(line.level or "") if wanted else None
    for text in log_lines(line):
        click.echo(click.style(text, fg=colour) if colour else text, color=wanted)


def log_lines(line: LogLine) -> list[str]:
    """Return one line of a log as `cf logs` writes it, in local time; one that holds several is written as several."""
    at = line.at.astimezone()
    stamp = f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 10_000:02d}{at:%z}"
    source = plain(line.source if line.index is None else f"{line.source}/{line.index}")
    return [f"   {stamp} [{source}] {plain(line.stream)} {plain(text)}" for text in line.text.split("\n")]


def apps_table(found: list[App]) -> str:
    """Return one line an app."""
    rows = [(one.name, one.state, processes(one), verdicts(one), one.cluster, one.platform) for one in found]
    headings = ("APP", "REQUESTED", "INSTANCES", "VERDICTS", "CLUSTER", "PLATFORM")
    return table(headings, rows, give=("PLATFORM", "VERDICTS", "CLUSTER"))


def app_details(one: App) -> str:
    """Return an app with a line for each of its instances."""
    head = f"{plain(one.name)} on {plain(one.platform)}, cluster {plain(one.cluster)}: requested {plain(one.state)}"
    if not one.instances:
        return f"{head}\nThe platform wants no instance of it now."
    return f"{head}; running {plain(processes(one))}\n{instances_table(one)}"


def instances_table(app: App) -> str:
    """Return one line an instance."""
    rows = [
        (
            f"{one.process}/{one.index}",
            one.state,
            _verdict(one),
            span(one.uptime_s),
            span(one.heartbeat_age_s),
            date(one.since) if one.since else "",
            ", ".join(one.nodes),
            one.guid,
            one.details,
        )
        for one in app.instances
    ]
    headings = ("INSTANCE", "STATE", "VERDICT", "UP", "BEAT", "SINCE (UTC)", "NODE", "GUID", "DETAILS")
    return table(headings, rows, give=("DETAILS", "GUID", "NODE", "SINCE (UTC)"), right=("UP", "BEAT"))


def events_table(found: list[AppEvent]) -> str:
    """Return one line an event."""
    rows = [(date(one.at), one.kind, one.actor, one.text) for one in found]
    return table(("TIME (UTC)", "EVENT", "ACTOR", "DESCRIPTION"), rows, give=("DESCRIPTION", "ACTOR"))


def processes(app: App) -> str:
    """Return how many instances run of how many that are wanted, by process."""
    return ", ".join(f"{one.type}:{one.running}/{one.wanted}" for one in app.processes)


def verdicts(app: App) -> str:
    """Return how many of an app's workers have each verdict, the most frequent first."""
    counted = Counter(one.verdict for one in app.instances if one.verdict).most_common()
    return ", ".join(f"{number} {verdict}" for verdict, number in counted)


def _verdict(one: AppInstance) -> str:
    if one.verdict:
        return one.verdict
    return f"{len(one.nodes)} workers share it" if one.nodes else "no worker"
