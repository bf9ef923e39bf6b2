"""The commands by which people decide themselves: hold, release and close an incident, pause and resume everything."""

import re
import time

import click

from celeriac.cli.act import LOOK_EVERY_S, ask
from celeriac.cli.console import asks_console, console
from celeriac.cli.tables import plain
from celeriac.client import Celeriac, Order, Pause

UNITS_S = {"m": 60, "h": 3600, "d": 86_400}
LAPSED = 1

no_wait = click.option("--no-wait", is_flag=True, help="Do not wait until the keeper has taken it up.")
yes = click.option("--yes", "-y", is_flag=True, help="Do not ask.")


def span_of(text: str) -> float:
    """Return a span of time in seconds, as people write it: 30m, 2h, 1d."""
    found = re.fullmatch(r"(\d{1,6})([mhd])", text)
    if found is None or int(found[1]) == 0:
        msg = f"{text!r} is no span of time; write 30m, 2h or 1d."
        raise click.BadParameter(msg)
    return float(int(found[1]) * UNITS_S[found[2]])


@click.command()
@click.argument("incident")
@click.option("--reason", required=True, help="Why, for those who find it held.")
@no_wait
@asks_console
@click.pass_context
def hold(ctx: click.Context, /, incident: str, reason: str, url: str, token: str | None, **options: bool | str) -> None:
    """Hold an incident: the keeper does nothing for it, and nobody's approval does, until it is released."""
    with console(url, token) as client:
        ctx.exit(_follow(client, client.hold(incident, reason), "Held", wait=not options["no_wait"]))


@click.command()
@click.argument("incident")
@click.option("--reason", default="", help="Why, for its story.")
@no_wait
@asks_console
@click.pass_context
def release(
    ctx: click.Context, /, incident: str, reason: str, url: str, token: str | None, **options: bool | str
) -> None:
    """Release an incident that somebody holds: the keeper judges it again."""
    with console(url, token) as client:
        ctx.exit(_follow(client, client.release(incident, reason), "Released", wait=not options["no_wait"]))


@click.command()
@click.argument("incident")
@click.option("--reason", default="", help="Why, for its story.")
@no_wait
@yes
@asks_console
@click.pass_context
def close(
    ctx: click.Context, /, incident: str, reason: str, url: str, token: str | None, **options: bool | str
) -> None:
    """Close an incident: nothing is done for it any more.

    As long as the same process is in the same state, no other incident is opened for it for an hour.
    """
    with console(url, token) as client:
        found = client.incident(incident)
        click.echo(
            f"{plain(found.worker_name)} in {plain(found.cluster)} is {plain(found.verdict)}, {plain(found.state)}."
        )
        ask(ctx, f"Close the incident of {plain(found.worker_name)}?", yes=bool(options["yes"]))
        ctx.exit(_follow(client, client.close_incident(found.id, reason), "Closed", wait=not options["no_wait"]))


@click.command()
@click.option("--reason", required=True, help="Why, for everybody who looks.")
@click.option("--for", "for_s", required=True, type=span_of, metavar="SPAN", help="For how long: 30m, 2h, 1d.")
@yes
@asks_console
@click.pass_context
def pause(ctx: click.Context, /, reason: str, for_s: float, url: str, token: str | None, **options: bool | str) -> None:
    """Pause all restarts, also those that people order, on one cluster or on all.

    It ends by itself. It needs the console; a file PAUSE in the data directory works without.
    """
    cluster = str(options["cluster"]) if options["cluster"] else None
    with console(url, token) as client:
        what = plain(cluster) if cluster else "all clusters"
        ask(ctx, f"Pause all restarts on {what}?", yes=bool(options["yes"]))
        click.echo(f"Paused: {pause_line(client.pause(reason, for_s, cluster))}.")


@click.command()
@yes
@asks_console
@click.pass_context
def resume(ctx: click.Context, /, url: str, token: str | None, **options: bool | str) -> None:
    """End the pauses that stand, of one cluster or all; a file PAUSE and the mode `observe` go on."""
    cluster = str(options["cluster"]) if options["cluster"] else None
    with console(url, token) as client:
        standing = client.pauses(cluster)
        for one in standing:
            click.echo(f"Paused: {pause_line(one)}.")
        if standing:
            ask(ctx, "Resume?", yes=bool(options["yes"]))
        for one in client.resume(cluster):
            click.echo(f"Resumed: {plain(one.cluster or 'all clusters')}.")
        for left in client.clusters():
            if left.paused and cluster in {None, left.name}:
                click.echo(f"Still paused, as the keeper said last: {plain(left.name)}: {plain(left.paused)}.")


def pause_line(one: Pause) -> str:
    """Return a pause in a line."""
    where = plain(one.cluster or "all clusters")
    return f"{where}, {plain(one.reason)} (by {plain(one.actor)}, until {one.until:%Y-%m-%d %H:%M} UTC)"


def _follow(client: Celeriac, order: Order, done: str, *, wait: bool) -> int:
    """Wait until the keeper has taken the order up; return 0 if it has done it."""
    click.echo(f"Ordered: {plain(order.id)}.")
    while wait and order.state == "requested":
        time.sleep(LOOK_EVERY_S)
        order = client.order(order.id)
    if order.state == "lapsed":
        click.echo(f"Nothing was done: {plain(order.note)}.")
        return LAPSED
    if order.state == "done":
        click.echo(f"{done}.")
    return 0
