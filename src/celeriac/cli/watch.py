"""The commands that read: workers, incidents, and how well clusters are heard."""

from pathlib import Path
from typing import Any

import click

from celeriac.cli.casebook import FEW, beside, casualties_text
from celeriac.cli.console import asks_console, console, prints_json
from celeriac.cli.tables import age, clock, duration, paint, plain, span, table, to_json
from celeriac.client import Celeriac, Incident, Observation, Worker

OVER = frozenset({"resolved", "closed"})


@click.command()
@click.argument("name", required=False)
@prints_json
@asks_console
def workers(name: str | None, *, as_json: bool, url: str, token: str | None, cluster: str | None) -> None:
    """List workers with their verdicts, or show one.

    NAME is a worker's name (`orders-worker/0`), its node name or its id.
    """
    with console(url, token) as client:
        found = [client.worker(name, cluster)] if name else client.workers(cluster)
        tell_of_clusters(client, cluster)
    if as_json:
        click.echo(to_json(found[0] if name else found))
    elif name:
        click.echo(worker_details(found[0]))
    elif found:
        click.echo(workers_table(found))
    else:
        click.echo("No worker has been seen yet. Celeriac hears workers that send events (`celery worker -E`).")


@click.command()
@prints_json
@asks_console
def observation(*, as_json: bool, url: str, token: str | None, cluster: str | None) -> None:
    """Tell how well clusters are heard: what was lost, and what cannot be seen."""
    with console(url, token) as client:
        found = client.observation(cluster)
    if as_json:
        click.echo(to_json(found))
        return
    click.echo(observation_table(found))
    for one in found:
        for line in unheard(one):
            click.echo(line)


@click.command()
@click.argument("id", required=False)
@click.option("--all", "everything", is_flag=True, help="Those that are over, too.")
@click.option("--tasks", is_flag=True, help="Every task that was in flight, each with its fate; with an ID.")
@click.option("--evidence", is_flag=True, help="What was kept before the worker was killed; with an ID.")
@click.option(
    "--snapshot",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write what the keeper saw when it decided, for `celeriac plan --snapshot`; with an ID.",
)
@prints_json
@asks_console
def incidents(
    id: str | None,
    *,
    everything: bool,
    as_json: bool,
    url: str,
    token: str | None,
    cluster: str | None,
    **wanted: Any,
) -> None:
    """List incidents, or tell the story of one with its evidence and its tasks in flight."""
    if any(wanted.values()):
        if id is None:
            raise click.UsageError("Name the incident: `celeriac incidents ID`; without one they are listed.")
        with console(url, token) as client:
            beside(client, id, as_json=as_json, **wanted)
        return
    with console(url, token) as client:
        found = [client.incident(id)] if id else client.incidents(cluster, open=not everything)
        lost = client.casualties(id) if id and not as_json else None
        tell_of_clusters(client, cluster)
    if as_json:
        click.echo(to_json(found[0] if id else found))
    elif id:
        click.echo(story(found[0]))
        if lost and (lost.items or lost.doubts):
            click.echo(f"\n{casualties_text(lost, most=FEW)}")
    elif found:
        click.echo(incidents_table(found))
    else:
        click.echo("No incident yet." if everything else "No incident is open. `--all` shows those that are over.")


def tell_of_clusters(client: Celeriac, cluster: str | None) -> None:
    """Say on standard error where all restarts are paused, and what is noted of a cluster: whoever looks must know."""
    for one in client.clusters():
        if cluster not in {None, one.name}:
            continue
        if one.paused:
            click.echo(f"{plain(one.name)} is paused: {plain(one.paused)}", err=True)
        for note in one.notes:
            click.echo(f"{plain(one.name)}: {plain(note)}", err=True)


def workers_table(found: list[Worker]) -> str:
    """Return one line a worker."""
    rows = [
        (
            one.name,
            one.cluster,
            one.verdict + ("?" if one.suspect else ""),
            one.status,
            span(one.heartbeat_age_s),
            _load(one),
            one.processed,
            ",".join(one.queues),
            "; ".join(one.notes),
        )
        for one in found
    ]
    headings = ("WORKER", "CLUSTER", "VERDICT", "STATUS", "BEAT", "ACTIVE", "PROCESSED", "QUEUES", "NOTES")
    return table(headings, rows, give=("QUEUES", "NOTES"), right=("BEAT", "ACTIVE", "PROCESSED"))


def worker_details(one: Worker) -> str:
    """Return everything about one worker, a line each."""
    lines = {
        "worker": one.name,
        "id": one.id,
        "cluster": one.cluster,
        "node": one.node,
        "verdict": one.verdict + (" (suspect)" if one.suspect else ""),
        "status": one.status,
        "heartbeat": f"{span(one.heartbeat_age_s)} ago" if one.heartbeat_age_s is not None else "none heard",
        "pid": one.pid,
        "pool": " ".join(filter(None, [one.pool, f"with {one.concurrency} slots" if one.concurrency else ""])),
        "active": _load(one),
        "processed": one.processed,
        "queues": ", ".join(one.queues),
        "instance": _instance(one),
        "incident": one.incident,
        "notes": "; ".join(one.notes),
    }
    return "\n".join(f"{name:<10} {plain(text)}" for name, text in lines.items() if text not in (None, ""))


def incidents_table(found: list[Incident]) -> str:
    """Return one line an incident."""
    rows = [
        (
            one.id,
            one.worker_name,
            one.cluster,
            one.verdict,
            one.state,
            age(one.opened_at),
            f"held: {one.held_reason}" if one.held_reason else (one.steps[-1].text if one.steps else ""),
        )
        for one in found
    ]
    headings = ("INCIDENT", "WORKER", "CLUSTER", "VERDICT", "STATE", "AGE", "LAST")
    return table(headings, rows, give=("LAST", "CLUSTER"), right=("AGE",))


def story(one: Incident) -> str:
    """Return an incident with its evidence and its steps as a timeline."""
    held = f" ({plain(one.held_reason)})" if one.held_reason else ""
    held += ", critical" if one.critical else ""
    head = f"{plain(one.worker_name)} in {plain(one.cluster)}: {paint(one.verdict)}, {paint(one.state)}{held}"
    opened = f"opened {clock(one.opened_at)} UTC, {age(one.opened_at)} ago" + (
        f", resolved {clock(one.resolved_at)}" if one.resolved_at else ""
    )
    proof = [(line.signal, line.reading, clock(line.at), line.rules_out) for line in one.evidence]
    evidence = (
        table(("SIGNAL", "READING", "AT", "RULES OUT"), proof, give=("READING", "RULES OUT"))
        if proof
        else "none recorded"
    )
    steps = [step_line(one, number) for number in range(len(one.steps))]
    parts = [head, opened, "", "Evidence", evidence, "", "Story", *steps]
    if one.approvable:
        parts += ["", f"`celeriac approve {plain(one.id)}` lets the keeper act."]
    if one.held_by:
        parts += ["", f"`celeriac release {plain(one.id)}` lets it be judged again."]
    return "\n".join(parts)


def step_line(one: Incident, number: int) -> str:
    """Return one step of the timeline."""
    step = one.steps[number]
    return f"{clock(step.at)}  {plain(step.kind):<10} {plain(step.text)}"


def observation_table(found: list[Observation]) -> str:
    """Return one line a cluster."""
    rows = [
        (
            one.cluster,
            _heard(one),
            one.reader,
            one.events_seen,
            span(one.last_event_age_s),
            duration(one.lag_s),
            one.events_lost_estimate or "",
            one.tasks_lost or "",
            one.dropped or "",
            one.rows_written,
            age(one.observed_at),
        )
        for one in found
    ]
    headings = (
        *("CLUSTER", "HEARD", "READER", "EVENTS", "LAST", "LAG"),
        *("LOST EVENTS", "LOST TASKS", "DROPPED", "ROWS", "STORED"),
    )
    return table(headings, rows, give=("ROWS", "READER"), right=headings[3:])


def _heard(one: Observation) -> str:
    """Return in a word how a cluster is heard; where nothing comes, it does not matter what was lost."""
    if one.flowing_since is None:
        return "blind"
    return "lossy" if one.troubles else "well"


def unheard(one: Observation) -> list[str]:
    """Return what is wrong with the hearing of a cluster, and what cannot be seen there, in lines."""
    name = plain(one.cluster)
    lines = [f"{name}: {paint(plain(trouble), 'lossy')}" for trouble in one.troubles]
    for gap in one.coverage:
        lines += ["", f"{name} does not show {plain(gap.what)}", f"  {plain(gap.why)}"]
        lines += [f"  mended by: {plain(gap.setting)}"] if gap.setting else []
        lines += [f"  workers: {plain(', '.join(gap.workers))}"] if gap.workers else []
    return lines


def _load(one: Worker) -> str:
    if one.active is None:
        return ""
    return f"{one.active}/{one.concurrency}" if one.concurrency else str(one.active)


def _instance(one: Worker) -> str:
    it = one.instance
    return f"{it.app} {it.process} {it.index}, {it.state}, guid {it.guid or 'none'}" if it else "not mapped"
