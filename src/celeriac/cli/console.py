"""How commands reach the console: the options that they share, and its refusals told in one sentence."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from celeriac.client import DEFAULT_URL, Celeriac, ClientError

Command = Callable[..., Any]


def asks_console(command: Command) -> Command:
    """Add the options that every command over HTTP has."""
    for option in (
        click.option("--cluster", help="Only this cluster."),
        click.option(
            "--token",
            envvar="CELERIAC_TOKEN",
            help="Token, if the console asks for one [CELERIAC_TOKEN].",
            metavar="TEXT",
        ),
        click.option(
            "--url", envvar="CELERIAC_URL", default=DEFAULT_URL, help=f"The console [CELERIAC_URL; {DEFAULT_URL}]."
        ),
    ):
        command = option(command)
    return command


def prints_json(command: Command) -> Command:
    """Add the option that every reading command has."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


@contextmanager
def console(url: str, token: str | None, timeout: float = 10.0) -> Iterator[Celeriac]:
    """Open a client; what goes wrong is told in one sentence, with exit code 2."""
    try:
        with Celeriac(url, token, timeout) as client:
            yield client
    except ClientError as error:
        raise click.ClickException(error.detail) from error
