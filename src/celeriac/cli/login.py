"""The commands of signing on: `login`, `whoami` and `logout`."""

import base64
import hashlib
import ipaddress
import secrets
import socket
import sys
import webbrowser
from urllib.parse import urlencode, urlsplit

import click

from celeriac.cli.console import asked_with, connection, console, prints_json, reaches_console, token_file
from celeriac.cli.loopback import landing
from celeriac.cli.tables import plain, to_json
from celeriac.client import ClientError, Who

PATIENCE_S = 300.0
LONGEST_TOKEN = 16_384
COMMAND_LINE = "cls_"
"""How the token of a command line's session begins: it ends at the console, an API token does not."""

NO_SIGN_ON = "no sign-on"
UNAUTHORIZED = 401


@click.command()
@click.option("--token", "by_token", is_flag=True, help="Read an API token from standard input instead.")
@click.option("--no-browser", is_flag=True, help="Print the address only, to be opened by hand on this machine.")
@reaches_console
def login(*, by_token: bool, no_browser: bool, url: str) -> None:
    """Sign on: in the browser, or with an API token."""
    if needs_none(url):
        click.echo(f"The console at {plain(url)} has no sign-on: commands need no token.")
        return
    kept = token_file()
    token = token_from_input() if by_token else token_from_browser(url, browser=not no_browser)
    with console(url, token) as client:
        found = client.whoami()
    kept.put(url, token)
    click.echo(f"Signed on at {plain(url)} as {in_words(found)}.")


@click.command()
@prints_json
@reaches_console
def whoami(*, as_json: bool, url: str) -> None:
    """Tell who you are for the console, and what you may do."""
    with console(url, asked_with(url)) as client:
        found = client.whoami()
    if as_json:
        click.echo(to_json(found))
        return
    click.echo(f"{in_words(found)}")
    for one in found.grants:
        click.echo(f"  {plain(one)}")
    if found.groups_from:
        click.echo(f"Groups were read from {plain(found.groups_from)}.")


@click.command()
@reaches_console
def logout(*, url: str) -> None:
    """Sign off: end the session, and forget the token."""
    kept = token_file()
    token = kept.get(url)
    if token is None:
        click.echo(f"There is no token for {plain(url)} here.")
        return
    said = "The API token is forgotten here; it goes on until it ends or is revoked."
    if token.startswith(COMMAND_LINE):
        said = ended(url, token)
    kept.forget(url)
    click.echo(said)


def ended(url: str, token: str) -> str:
    """End a session at the console, and return how that went: the token is forgotten in any case."""
    try:
        with connection(url, token) as client:
            client.sign_off()
    except ClientError as error:
        if error.status == UNAUTHORIZED:
            return "Signed off; the session had ended already."
        return f"The token is forgotten here, but the session may go on at the console: {plain(error.detail)}"
    return f"Signed off from {plain(url)}."


def needs_none(url: str) -> bool:
    """Tell whether a console has no sign-on; what else may be wrong is told by what follows."""
    try:
        with connection(url, None) as client:
            return client.whoami().means == NO_SIGN_ON
    except ClientError as error:
        if error.status == UNAUTHORIZED:
            return False
        raise click.ClickException(error.detail) from error


def token_from_input() -> str:
    """Return a token that is typed, unseen, or piped."""
    typed = sys.stdin.isatty()
    given = click.prompt("API token", hide_input=True) if typed else sys.stdin.readline(LONGEST_TOKEN + 1)
    token = str(given).strip()
    if not token or len(token) > LONGEST_TOKEN or not token.isascii() or not token.isprintable():
        raise click.ClickException("There is no token on standard input; a token is one line of plain letters.")
    return token


def token_from_browser(url: str, *, browser: bool) -> str:
    """Return the token of a new session, once the person in the browser has said yes."""
    if unprotected(url):
        click.echo(f"{plain(url)} is not encrypted: whoever is between sees what you sign on with.", err=True)
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    with landing(state) as place:
        asked = {"port": place.port, "challenge": challenge_of(verifier), "state": state, "host": host()}
        address = f"{url.rstrip('/')}/login/command-line?{urlencode(asked)}"
        click.echo(f"Sign on in the browser of this machine:\n  {address}")
        if browser and not webbrowser.open(address):
            click.echo("No browser was found: open the address yourself.", err=True)
        answer = place.answer(PATIENCE_S)
    if answer is None:
        raise click.ClickException("Nobody signed on in the browser within 5 minutes. Run `celeriac login` again.")
    if "code" not in answer:
        raise click.ClickException("The sign-on was refused in the browser.")
    with console(url, None) as client:
        return client.open_session(answer["code"], verifier).token


def challenge_of(verifier: str) -> str:
    """Return the challenge of a verifier, by S256 of RFC 7636."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def host() -> str:
    """Return what this machine calls itself, for the person who is asked."""
    return socket.gethostname()[:100]


def unprotected(url: str) -> bool:
    """Tell whether what is sent to an address passes a network unencrypted."""
    parts = urlsplit(url)
    name = parts.hostname or ""
    try:
        local = name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        local = False
    return parts.scheme == "http" and not local


def in_words(found: Who) -> str:
    """Return who somebody is, in one line."""
    until = f", until {found.until:%Y-%m-%d %H:%M} UTC" if found.until else ""
    return f"{plain(found.name)} ({plain(found.role or 'no role')}, by {plain(found.means)}){until}"
