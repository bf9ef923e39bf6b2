"""How commands reach the console: the options that they share, and its refusals told in one sentence."""

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from celeriac.cli.token_file import TokenFile
from celeriac.client import DEFAULT_URL, Celeriac, ClientError

Command = Callable[..., Any]
CA_FILE = "celeriac.ca_file"
"""Where `console` finds the flag: no command has a say in it."""

TOKEN = "CELERIAC_TOKEN"  # noqa: S105 (a variable's name, no token)
UNAUTHORIZED = 401


def _keep_ca_file(context: click.Context, _option: click.Parameter, ca_file: str | None) -> None:
    context.meta[CA_FILE] = ca_file


def reaches_console(command: Command) -> Command:
    """Add the options that say where the console is, and how to know it."""
    for option in (
        click.option(
            "--ca-file",
            envvar="CELERIAC_CA_FILE",
            help="File of the private CA that gave the console's certificate [CELERIAC_CA_FILE].",
            metavar="FILE",
            expose_value=False,
            callback=_keep_ca_file,
        ),
        click.option(
            "--url", envvar="CELERIAC_URL", default=DEFAULT_URL, help=f"The console [CELERIAC_URL; {DEFAULT_URL}]."
        ),
    ):
        command = option(command)
    return command


def asks_console(command: Command) -> Command:
    """Add the options that every command over HTTP has, and give it the token to ask with.

    There is no option for a token: what stands in a command is seen by all who use the machine.
    """

    @functools.wraps(command)
    def asking(*args: Any, url: str, **given: Any) -> Any:
        return command(*args, url=url, token=asked_with(url), **given)

    return reaches_console(click.option("--cluster", help="Only this cluster.")(asking))


def prints_json(command: Command) -> Command:
    """Add the option that every reading command has."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def asked_with(url: str) -> str | None:
    """Return the token for a console: that of CELERIAC_TOKEN, or the one that `celeriac login` keeps."""
    return os.environ.get(TOKEN) or token_file().get(url)


def token_file() -> TokenFile:
    """Return the file of tokens."""
    return TokenFile.usual()


def connection(url: str, token: str | None, timeout: float = 10.0) -> Celeriac:
    """Return a client that knows the console by the CA that was named."""
    context = click.get_current_context(silent=True)
    return Celeriac(url, token, timeout, context.meta.get(CA_FILE) if context else None)


@contextmanager
def console(url: str, token: str | None, timeout: float = 10.0) -> Iterator[Celeriac]:
    """Open a client; what goes wrong is told in one sentence, with exit code 2."""
    try:
        with connection(url, token, timeout) as client:
            yield client
    except ClientError as error:
        hint = " Run `celeriac login`." if error.status == UNAUTHORIZED else ""
        raise click.ClickException(error.detail + hint) from error
