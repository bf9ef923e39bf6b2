"""`celeriac user`: the people of a users file, and hashes of passwords. It works on files, without a console."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from celeriac.access_ports import PasswordUser
from celeriac.cli.tables import table, to_json
from celeriac.core.access import Grant, Role
from celeriac.core.errors import SettingsError

file_option = click.option(
    "--file", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The users file."
)


@click.group()
def user() -> None:
    """Keep the users file, which a console signs people on by where there is no provider.

    A password is asked for twice, or read from the first two lines of standard input.
    """


@user.command()
@click.argument("name")
@click.option("--role", type=click.Choice([one.value for one in Role]), required=True, help="What they may do.")
@file_option
@click.option("--cluster", "clusters", multiple=True, help="Only in this cluster. May be repeated.")
@click.option("--app", "apps", multiple=True, help="Only for this app. May be repeated.")
@click.option("--payloads", is_flag=True, help="Show them arguments and results of tasks.")
@click.option("--replace", is_flag=True, help="Change somebody who is in the file already.")
def add(name: str, *, role: str, file: Path, replace: bool, **scope: Any) -> None:
    """Add somebody to the users file; makes the file for the first, who must be an admin in all clusters."""
    from celeriac.bootstrap.users import changing_users, check_name, hashed, users_of

    check_name(name)
    grant = _grant(Role(role), **scope)
    if not replace:
        _refuse_known(name, users_of(file) if file.exists() else [], file)
    made = hashed(_new_password())
    with changing_users(file) as users:
        if not replace:
            _refuse_known(name, users, file)  # somebody may have been added while the password was typed
        users[:] = [one for one in users if not _is_called(one, name)]
        users.append(PasswordUser(name, made, grant))
    click.echo(f"{name} is {grant.text}, in {file}.")


@user.command(name="list")
@file_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(file: Path, *, as_json: bool) -> None:
    """List who is in the users file, and what they may do; no hash is shown."""
    from celeriac.bootstrap.users import users_of

    users = users_of(file)
    if as_json:
        click.echo(to_json([_shown(one) for one in users]))
        return
    click.echo(table(["NAME", "MAY"], [[one.name, one.grant.text] for one in users], give=["MAY"]))


@user.command()
@click.argument("name")
@file_option
def remove(name: str, *, file: Path) -> None:
    """Remove somebody from the users file."""
    from celeriac.bootstrap.users import changing_users, users_of

    if all(one.name != name for one in users_of(file)):
        raise SettingsError(f"{name} is not in {file}.")
    with changing_users(file) as users:
        users[:] = [one for one in users if one.name != name]
    click.echo(f"{name} is no longer in {file}.")


@user.command(name="hash")
def hash_() -> None:
    """Print the argon2 hash of a password, for `[access.break_glass]`."""
    from celeriac.bootstrap.users import hashed

    click.echo(hashed(_new_password()))


def _is_called(one: PasswordUser, name: str) -> bool:
    return one.name.casefold() == name.casefold()


def _refuse_known(name: str, users: Sequence[PasswordUser], file: Path) -> None:
    if there := next((one for one in users if _is_called(one, name)), None):
        raise SettingsError(f"{there.name} is in {file} already; --replace changes role and password.")


def _new_password() -> str:
    if sys.stdin.isatty():
        first, second = (click.prompt(text, hide_input=True, err=True) for text in ("Password", "The same again"))
    else:
        first, second = (sys.stdin.readline().rstrip("\r\n") for _ in range(2))
    if first != second:
        raise SettingsError("The password must be given twice, and the two differ.")
    return str(first)


def _grant(role: Role, clusters: tuple[str, ...], apps: tuple[str, ...], *, payloads: bool) -> Grant:
    if payloads and apps:
        raise SettingsError("--payloads goes with clusters only: arguments and results belong to no app.")
    return Grant(role, clusters, apps, payloads)


def _shown(one: PasswordUser) -> dict[str, object]:
    grant = one.grant
    return {
        "name": one.name,
        "role": grant.role.value,
        "clusters": list(grant.clusters),
        "apps": list(grant.apps),
        "payloads": grant.payloads,
    }
