"""The users file as the command line changes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from celeriac.access_ports import PasswordUser
from celeriac.adapters import users_file
from celeriac.adapters.passwords import LONGEST_BYTES, Argon2Passwords
from celeriac.core.errors import SettingsError

SHORTEST = 12


def hashed(password: str) -> str:
    """Return the hash of a new password; raises SettingsError if it is too short or too long."""
    if len(password) < SHORTEST:
        raise SettingsError(f"A password has at least {SHORTEST} characters.")
    try:
        return Argon2Passwords().hash(password)
    except ValueError:
        raise SettingsError(f"A password has at most {LONGEST_BYTES:,} bytes.") from None


def users_of(path: Path) -> list[PasswordUser]:
    """Return the users of a file; raises SettingsError."""
    return users_file.read(path)


@contextmanager
def changing_users(path: Path) -> Iterator[list[PasswordUser]]:
    """Give the users of a file to be changed in place, and store them; raises SettingsError."""
    with users_file.changing(path) as users:
        yield users


def check_name(name: str) -> None:
    """Raise SettingsError if nobody may be called so."""
    if not users_file.may_be_named(name):
        raise SettingsError(f"{name!r} is no name; it has up to 64 of A-Z a-z 0-9 . _ @ -")
