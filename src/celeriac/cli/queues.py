"""The command that reads queues."""

import click

from celeriac.cli.console import asks_console, console, prints_json
from celeriac.cli.tables import age, rate, span, table, to_json
from celeriac.client import Queue


@click.command()
@prints_json
@asks_console
def queues(*, as_json: bool, url: str, token: str | None, cluster: str | None) -> None:
    """List queues with what waits in them; those first that nobody consumes."""
    with console(url, token) as client:
        found = client.queues(cluster)
    if as_json:
        click.echo(to_json(found))
    elif found:
        click.echo(queues_table(found))
    else:
        click.echo("No queue has been sampled yet.")


def queues_table(found: list[Queue]) -> str:
    """Return one line a queue."""
    rows = [
        (
            one.name,
            one.cluster,
            one.depth,
            "nobody" if one.unconsumed else _known(one, "consumers", one.consumers),
            _oldest(one),
            _known(one, "arriving_per_s", rate(one.arriving_per_s)),
            _known(one, "completing_per_s", rate(one.completing_per_s)),
            _known(one, "unacked", one.unacked),
            age(one.at),
        )
        for one in found
    ]
    headings = ("QUEUE", "CLUSTER", "WAITING", "CONSUMERS", "OLDEST", "IN/S", "OUT/S", "UNACKED", "SAMPLED")
    right = ("WAITING", "CONSUMERS", "OLDEST", "IN/S", "OUT/S", "UNACKED", "SAMPLED")
    return table(headings, rows, give=("CLUSTER", "UNACKED", "QUEUE"), right=right)


def _known(one: Queue, field: str, shown: object) -> object:
    return "unknown" if getattr(one, field) is None else shown


def _oldest(one: Queue) -> str:
    if one.oldest_s is None:
        return "unknown" if one.depth else ""
    return span(one.oldest_s)
