"""The command that reads the audit trail."""

from typing import Any

import click

from celeriac.cli.console import asks_console, console, prints_json
from celeriac.cli.tables import date, plain, table, to_json
from celeriac.cli.tasks import within_a_time
from celeriac.client import AuditEntry

MOST_ROWS = 500
OUTCOMES = ("ordered", "done", "denied", "failed")


@click.command()
@click.option("--actor", help="Only of who is called so, such as `the keeper`.")
@click.option("--action", help="Only this action, such as restart or `sign on`.")
@click.option("--target", help="Only on this, such as orders-worker/0.")
@click.option("--outcome", type=click.Choice(OUTCOMES), help="Only what went so.")
@click.option("--text", help="Only rows with this text in target, detail or why.")
@within_a_time
@click.option("--limit", type=click.IntRange(1, MOST_ROWS), default=20, help="How many at most [20].")
@click.option("--older", "cursor", metavar="CURSOR", help="The page that follows the one which gave this cursor.")
@click.option("--csv", "as_csv", is_flag=True, help="Export all that fits as CSV; --limit and --older do not count.")
@prints_json
@asks_console
def audit(
    *, as_json: bool, as_csv: bool, url: str, token: str | None, limit: int, cursor: str | None, **which: Any
) -> None:
    """Read the audit trail, newest first: who did what, on what, why, and how it went.

    It takes the right to administer; with --cluster, that of the cluster.
    """
    if as_csv:
        with console(url, token) as client:
            for piece in client.export_audit("csv", **which):
                click.echo(piece, nl=False)
        return
    with console(url, token) as client:
        page = client.audit(limit=limit, cursor=cursor, **which)
    if as_json:
        click.echo(to_json(page))
        return
    if page.items:
        click.echo(audit_table(page.items))
    else:
        click.echo("No row fits." if any([cursor, *which.values()]) else "Nothing is in the audit trail yet.")
    if page.next:
        click.echo(f"Older rows: --older {plain(page.next)}", err=True)


def audit_table(found: list[AuditEntry]) -> str:
    """Return one line a row."""
    rows = [
        (date(one.at), one.outcome, one.actor, one.action, one.target, one.cluster or "", one.why or one.detail)
        for one in found
    ]
    headings = ("TIME", "OUTCOME", "ACTOR", "ACTION", "TARGET", "CLUSTER", "WHY OR WHAT")
    return table(headings, rows, give=("WHY OR WHAT", "TARGET", "ACTOR"))
