"""The commands of API tokens: `tokens list`, `tokens make` and `tokens revoke`."""

from typing import Any

import click

from celeriac.cli.console import asked_with, console, prints_json, reaches_console
from celeriac.cli.tables import plain, table, to_json
from celeriac.client import ApiToken


@click.group()
def tokens() -> None:
    """List, make and revoke API tokens, which let programs ask the console."""


@tokens.command("list")
@prints_json
@reaches_console
def list_(*, as_json: bool, url: str) -> None:
    """List the API tokens that you have made; an administrator sees all."""
    with console(url, asked_with(url)) as client:
        found = client.tokens()
    if as_json:
        click.echo(to_json(found))
    elif found:
        click.echo(tokens_table(found))
    else:
        click.echo("No API token is made yet.")


@tokens.command()
@click.argument("name")
@click.option("--role", default="viewer", show_default=True, help="What it may do: at most what you may.")
@click.option("--cluster", "clusters", multiple=True, help="Only in this cluster; may be given again.")
@click.option("--app", "apps", multiple=True, help="Only for this app; may be given again.")
@click.option("--payloads", is_flag=True, help="Let it see arguments and results of tasks.")
@click.option("--days", type=click.IntRange(1, 365), default=90, show_default=True, help="Days that it lasts.")
@reaches_console
def make(name: str, *, role: str, url: str, **given: Any) -> None:
    """Make an API token called NAME; its secret is the only thing on standard output."""
    with console(url, asked_with(url)) as client:
        made = client.make_token(name, role, **given)
    one = made.token
    click.echo(f"{plain(one.name)} ({one.id}): {plain(one.means)}, until {one.until:%Y-%m-%d}.", err=True)
    click.echo("Its secret is shown this one time:", err=True)
    click.echo(made.secret)


@tokens.command()
@click.argument("id")
@reaches_console
def revoke(id: str, *, url: str) -> None:
    """Revoke the API token with this ID."""
    with console(url, asked_with(url)) as client:
        one = client.revoke_token(id)
    click.echo(f"{plain(one.name)} is revoked.")


def tokens_table(found: list[ApiToken]) -> str:
    """Return one line a token."""
    rows = [
        (
            one.id,
            one.name,
            one.state,
            one.means,
            one.maker,
            f"{one.until:%Y-%m-%d}",
            f"{one.used_at:%Y-%m-%d %H:%M}" if one.used_at else "never",
        )
        for one in found
    ]
    return table(("ID", "NAME", "STATE", "MAY", "MADE BY", "ENDS", "LAST USED"), rows, give=("MADE BY", "MAY", "NAME"))
