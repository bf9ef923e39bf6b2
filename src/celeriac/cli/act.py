"""The commands that order: approve and recycle. They show what will be done, ask, and follow it to its end."""

import sys
import time

import click

from celeriac.cli.console import asks_console, console
from celeriac.cli.tables import plain
from celeriac.cli.watch import step_line, story
from celeriac.client import Celeriac, Incident, Remedy, Worker

LOOK_EVERY_S = 1.0
NOT_RESOLVED = 1

WELL = frozenset({"verified"})
BADLY = frozenset({"unverified", "lapsed", "refused"})
ENDED_BADLY = frozenset({"escalated", "closed"})


def gives_orders(command: click.decorators.FC) -> click.decorators.FC:
    """Add the options that every order has."""
    for option in (
        click.option("--no-wait", is_flag=True, help="Do not follow it to its end."),
        click.option("--yes", "-y", is_flag=True, help="Do not ask."),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("incident")
@gives_orders
@asks_console
@click.pass_context
def approve(ctx: click.Context, /, incident: str, url: str, token: str | None, **options: bool | str | None) -> None:
    """Approve what an incident is held for, and follow it: exit code 0 if it is resolved, else 1."""
    with console(url, token) as client:
        found = client.incident(incident)
        click.echo(story(found))
        click.echo()
        if not found.approvable:
            raise click.ClickException(f"There is nothing to approve: the incident is {_standing(found)}.")
        tell_passes(found.passes)
        ask(ctx, _approval(found), yes=bool(options["yes"]))
        remedy = client.approve(found.id)
        ctx.exit(follow(client, remedy, seen=len(found.steps), wait=not options["no_wait"]))


@click.command()
@click.argument("worker")
@gives_orders
@asks_console
@click.pass_context
def recycle(ctx: click.Context, /, worker: str, url: str, token: str | None, **options: bool | str | None) -> None:
    """End a worker once its tasks have ended, and follow it: exit code 0 if it came back, else 1.

    WORKER is a worker's name (`orders-worker/0`), its node name or its id. No task is cut off: the worker takes no more,
    ends what it has and is then told to end; its platform starts it again.
    """
    cluster = options["cluster"]
    with console(url, token) as client:
        found = client.worker(worker, str(cluster) if cluster else None)
        click.echo(_what_recycling_does(found))
        tell_passes(found.passes)
        ask(ctx, f"Recycle {plain(found.name)}?", yes=bool(options["yes"]))
        seen = len(client.incident(found.incident).steps) if found.incident else 0
        ctx.exit(follow(client, client.recycle(found.id), seen=seen, wait=not options["no_wait"]))


def _approval(found: Incident) -> str:
    """Return what is asked before an approval."""
    name = plain(found.worker_name)
    if found.repair:
        return f"Repair {name}: {plain(found.repair)}?"
    if found.remedy == "restart_app":
        return f"Restart all instances of {name}, one at a time, also those that are well?{in_order(found.turns)}"
    return f"Approve the {'recycling' if found.remedy == 'recycle' else 'restart'} of {name}?"


def in_order(turns: list[str]) -> str:
    """Tell which instance is restarted when: those that are ill first."""
    return f" In this order: {', '.join(plain(one) for one in turns)}." if turns else ""


def _standing(found: Incident) -> str:
    return f"{plain(found.state)} ({plain(found.held_reason)})" if found.held_reason else plain(found.state)


def tell_passes(passes: list[str]) -> None:
    """Show what the order passes before it is given."""
    if passes:
        click.echo("This passes what holds the keeper now:")
        for one in passes:
            click.echo(f"  {plain(one)}")


def _what_recycling_does(found: Worker) -> str:
    queues = ", ".join(plain(one) for one in found.queues) or "its queues"
    busy = f"the {found.active} tasks that it runs now" if found.active else "what it has"
    return (
        f"{plain(found.name)} in {plain(found.cluster)} is {found.verdict}.\n"
        f"The keeper will have it consume {queues} no more, wait until it has ended {busy}, and tell it to end; the platform "
        "starts it again, and Celeriac checks that it came back. If it is not idle in time, it consumes its queues again."
    )


def ask(ctx: click.Context, question: str, *, yes: bool) -> None:
    """Ask before an order is given; a no ends the command."""
    if yes:
        return
    try:
        sure = click.confirm(question)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        raise click.ClickException("There is nobody to ask; add --yes.") from None
    if not sure:
        click.echo("Nothing was done.")
        ctx.exit(NOT_RESOLVED)


def follow(client: Celeriac, remedy: Remedy, *, seen: int, wait: bool) -> int:
    """Print the incident's steps as they come, and return 0 when it ended well."""
    click.echo(f"Ordered: {remedy.id}.")
    if not wait:
        return 0
    while True:
        incident = client.incident(remedy.incident) if remedy.incident else None
        for number in range(seen, len(incident.steps) if incident else 0):
            click.echo(step_line(incident, number) if incident else "")
        seen = max(seen, len(incident.steps) if incident else 0)
        outcome = _outcome(remedy, incident)
        if outcome is not None:
            note = f": {plain(remedy.note)}" if remedy.note else ""
            click.echo("Resolved." if outcome == 0 else f"Not resolved; the order is {remedy.state}{note}.")
            return outcome
        time.sleep(LOOK_EVERY_S)
        remedy = client.remedy(remedy.id)


def _outcome(remedy: Remedy, incident: Incident | None) -> int | None:
    """Return the exit code once the story is over; an order still waiting says nothing of an older escalation."""
    state = incident.state if incident else ""
    if state == "resolved" or (remedy.state in WELL and state not in ENDED_BADLY):
        return 0
    acted = remedy.state != "requested"
    return NOT_RESOLVED if remedy.state in BADLY or (acted and state in ENDED_BADLY) else None
