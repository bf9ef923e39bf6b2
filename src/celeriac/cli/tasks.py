"""The commands that read tasks: finding them, counting them, and how long they take."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from celeriac.cli.console import asks_console, console, prints_json
from celeriac.cli.tables import age, date, duration, plain, table, to_json
from celeriac.client import Celeriac, Durations, Facets, LeftOut, Task, TaskFilter, TaskPage

MOST_TASKS = 500
MOST_VALUES = 10
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def moment(text: str) -> datetime:
    """Return a time, or how long ago it was; one without a zone is UTC, as all times that Celeriac prints."""
    try:
        if ago := re.fullmatch(r"(\d{1,9})([smhd])", text):
            return datetime.now(UTC) - timedelta(seconds=int(ago[1]) * UNITS_S[ago[2]])
        at = datetime.fromisoformat(text)
    except OverflowError:
        msg = f"{text!r} is too long ago; write a time since 1970, such as 2026-11-22T14:00, 30m, 2h or 1d."
        raise click.BadParameter(msg) from None
    except ValueError:
        msg = f"{text!r} is no time; write 2026-11-22T14:00, or how long ago: 30m, 2h, 1d."
        raise click.BadParameter(msg) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def within_a_time(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a range of time."""
    for option in (
        click.option("--until", type=moment, metavar="TIME", help="Before this time."),
        click.option(
            "--since",
            type=moment,
            metavar="TIME",
            help="From this time on: 2026-11-22T14:00 (UTC), or 30m, 2h, 1d ago.",
        ),
    ):
        command = option(command)
    return command


@click.command()
@click.option("--state", multiple=True, help="Only tasks in this state, such as FAILURE; may be repeated.")
@click.option("--name", multiple=True, help="Only tasks of this full name; may be repeated.")
@click.option("--worker", multiple=True, help="Only tasks of this worker: name, node name or id; may be repeated.")
@click.option("--queue", multiple=True, help="Only tasks sent to this queue; may be repeated.")
@within_a_time
@click.option("--search", help="Only tasks with this text in arguments, result or exception.")
@click.option("--args", help="Only tasks with this text in their positional arguments.")
@click.option("--root", "root_id", help="Only the task with this id and all that came of it.")
@click.option("--slower-than", "runtime_least_s", type=click.FloatRange(0), help="Only tasks that ran so many seconds.")
@click.option("--limit", type=click.IntRange(1, MOST_TASKS), default=20, help="How many at most [20].")
@click.option("--older", "cursor", metavar="CURSOR", help="The page that follows the one which gave this cursor.")
@click.option("--facets", is_flag=True, help="Count the tasks by state, name, worker and queue instead.")
@prints_json
@asks_console
def tasks(
    *,
    as_json: bool,
    url: str,
    token: str | None,
    cluster: str | None,
    facets: bool,
    **which: Any,
) -> None:
    """Find tasks, newest first, or count them."""
    place = {name: which.pop(name) for name in ("limit", "cursor")}
    with console(url, token) as client:
        wanted: TaskFilter = {**which, "worker": [_node(client, one, cluster) for one in which["worker"]]}  # type: ignore[typeddict-item]  # the options are named as the filter is
        if facets:
            counted = client.facets(cluster, **wanted)
            click.echo(to_json(counted) if as_json else facets_tables(counted))
            _say_left_out(counted.left_out)
            return
        page = client.tasks(cluster, **place, **wanted)
    _say_left_out(page.left_out)
    if as_json:
        click.echo(to_json(page))
        return
    if page.items:
        click.echo(tasks_table(page.items))
    else:
        click.echo(
            "No task fits." if any([cluster, place["cursor"], *which.values()]) else "No task has been seen yet."
        )
    if page.next:
        click.echo(_goes_on(page), err=True)


@click.command()
@within_a_time
@click.option("--name", help="Only tasks of this full name.")
@prints_json
@asks_console
def durations(*, as_json: bool, url: str, token: str | None, **which: Any) -> None:
    """Show how long tasks ran and waited, by name; of the last day, unless said otherwise."""
    with console(url, token) as client:
        found = client.durations(**which, buckets=as_json, series=as_json)
    _say_left_out(found.left_out)
    if as_json:
        click.echo(to_json(found))
    elif found.items:
        click.echo(durations_table(found.items))
    else:
        click.echo("No task began or ended in that time.")


def tasks_table(found: list[Task]) -> str:
    """Return one line a task."""
    rows = [
        (
            one.uuid,
            one.state,
            one.name or "unknown",
            age(one.started_at or one.received_at or one.sent_at),
            duration(one.runtime_s),
            duration(one.wait_s),
            one.retries or "",
            one.exception or one.args,
        )
        for one in found
    ]
    headings = ("TASK", "STATE", "NAME", "AGE", "RAN", "WAITED", "RETRIES", "EXCEPTION OR ARGS")
    return table(headings, rows, give=("EXCEPTION OR ARGS", "TASK", "NAME"), right=("AGE", "RAN", "WAITED", "RETRIES"))


def facets_tables(found: Facets) -> str:
    """Return a table for each kind of value, with the most frequent ones."""
    parts = [] if found.complete else ["Not all tasks could be counted in time; ask for a shorter one.", ""]
    kinds = {"STATE": found.states, "NAME": found.names, "WORKER": found.workers, "QUEUE": found.queues}
    for heading, counts in kinds.items():
        rows = [(value or "(unknown)", number) for value, number in list(counts.items())[:MOST_VALUES]]
        if len(counts) > MOST_VALUES:
            rows.append((f"({len(counts) - MOST_VALUES} more)", sum(list(counts.values())[MOST_VALUES:])))
        if rows:
            parts += [table((heading, "TASKS"), rows, give=(heading,), right=("TASKS",)), ""]
    return "\n".join(parts).rstrip() or "No task fits."


def durations_table(found: list[Durations]) -> str:
    """Return one line a task name."""
    rows = [
        (
            one.name,
            one.runtime.number or "",
            *map(duration, (one.runtime.p50_s, one.runtime.p95_s, one.runtime.p99_s)),
            one.wait.number or "",
            *map(duration, (one.wait.p50_s, one.wait.p95_s, one.wait.p99_s)),
        )
        for one in found
    ]
    headings = ("NAME", "RUNS", "P50", "P95", "P99", "WAITS", "WAIT P50", "WAIT P95", "WAIT P99")
    return table(headings, rows, give=("NAME",), right=headings[1:])


def _node(client: Celeriac, worker: str, cluster: str | None) -> str:
    """Return a worker's node name, by which tasks name it; people know workers by name."""
    if "@" in worker:
        return worker  # also one of long ago, which is no longer known
    found = client.worker(worker, cluster)
    return found.node or found.name


def _say_left_out(them: Iterable[LeftOut]) -> None:
    for one in them:
        click.echo(f"{plain(one.cluster)} is left out: {plain(one.why)}", err=True)


def _goes_on(page: TaskPage) -> str:
    how = f"--older {plain(page.next)}"
    if page.searched_to is None:
        return f"Older tasks: {how}"
    return f"Searched back to {date(page.searched_to)} UTC within 2 s; go on with {how}"
