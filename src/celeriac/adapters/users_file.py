"""The users file: people who sign on with a password, in TOML, read again when it has changed.

Its hashes are what an attacker would guess at in peace, so a file that everybody on the machine may read is not taken; its group
may read it, as a service is often given its files that way.
"""

import contextlib
import fcntl
import json
import os
import re
import stat
import tempfile
import threading
import tomllib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import argon2
import msgspec
import structlog
import tomli_w
from argon2.exceptions import InvalidHashError

from celeriac.access_ports import PasswordUser, Users
from celeriac.core.access import Grant, Right, Role
from celeriac.core.errors import SettingsError

NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")
LONGEST_BYTES = 4 << 20
PRIVATE = 0o600
OTHERS = 0o007

log = structlog.get_logger()


class _Row(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One `[[user]]`."""

    name: str
    role: Role
    hash: str
    clusters: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()
    payloads: bool = False


class _File(msgspec.Struct, forbid_unknown_fields=True):
    user: tuple[_Row, ...] = ()


_file = msgspec.json.Decoder(_File).decode

Stamp = tuple[int, int, int, int, int]


class UsersFile:
    """`Users` of one file. What is wrong at the start is refused; later, who was there last stays until it is mended.

    Whoever is not in such a file any more, or differs there, is out all the same, as far as it can be read. A cluster
    that is not one of `clusters` is told in the log; where these are not given, none is.
    """

    def __init__(self, path: Path, clusters: Collection[str] | None = None) -> None:
        self._path, self._lock = path, threading.Lock()
        self._seen: Stamp | None = _stamp(path)
        self._users = _by_name(checked(path))
        self._clusters = clusters
        self._tell_unknown()

    def find(self, name: str) -> PasswordUser | None:
        """Return one of them as the file says now."""
        with self._lock:
            self._look()
            return self._users.get(name)

    def _look(self) -> None:
        try:
            now = _stamp(self._path)
        except SettingsError as error:
            self._keep(None, error)
            return
        if now == self._seen:
            return
        try:
            self._users = _by_name(checked(self._path))
        except SettingsError as error:
            self._keep(now, error)
        else:
            self._seen = now
            log.info("the users file was read again", file=str(self._path), users=len(self._users))
            self._tell_unknown()

    def _keep(self, now: Stamp | None, error: SettingsError) -> None:
        if self._seen != now:
            log.warning("the users file is not taken, and who was in it before and still is stays", why=str(error))
            self._remove()
        self._seen = now

    def _remove(self) -> None:
        """Leave out whom a file that is not taken has no more as they were: it may take away, and never give."""
        with contextlib.suppress(SettingsError):
            if there := read(self._path):  # an empty file is one that somebody is just writing
                self._users = _by_name([one for one in self._users.values() if one in there])

    def _tell_unknown(self) -> None:
        if self._clusters is None:
            return
        named = {name for one in self._users.values() for name in one.grant.clusters}
        if unknown := sorted(named - set(self._clusters)):
            said = f"the users file names clusters that there are not: {', '.join(unknown)}"
            log.warning(said, file=str(self._path))


@contextlib.contextmanager
def changing(path: Path) -> Iterator[list[PasswordUser]]:
    """Give the users of a file, none if it is not there, to be changed in place; stored whole, or not at all.

    One who changes it waits for another. Raises SettingsError, also if nobody would be left who may administer.
    """
    path = path.resolve()
    with _alone(path.parent):
        users = read(path) if path.exists() else []
        yield users
        if no := _without_admin(users):
            raise SettingsError(f"Nothing was changed in {path}: {no}.")
        _store(path, users)


def read(path: Path) -> list[PasswordUser]:
    """Return the users of a file; raises SettingsError if it is missing, or not of the form."""
    text = _text(path)
    try:
        rows = _file(json.dumps(tomllib.loads(text), default=str)).user
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"The users file {path} is no TOML: {error}.") from None
    except msgspec.ValidationError as error:
        raise SettingsError(f"The users file {path}: {error}.") from None
    return [_user(path, row) for row in _each_once(path, rows)]


def checked(path: Path) -> list[PasswordUser]:
    """Return the users of a file that may be signed on with; raises SettingsError."""
    users = read(path)
    if path.stat().st_mode & OTHERS:
        raise SettingsError(
            f"The users file {path} is open to everybody on this machine: `chmod o= {path}` mends that."
        )
    if no := _without_admin(users):
        raise SettingsError(
            f"The users file {path}: {no}; `celeriac user add NAME --role admin --file {path}` adds one."
        )
    return users


def may_be_named(name: str) -> bool:
    """Tell whether somebody may be called so."""
    return NAME.fullmatch(name) is not None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LONGEST_BYTES + 1)
        if len(content) > LONGEST_BYTES:
            raise SettingsError(f"The users file {path} is longer than {LONGEST_BYTES >> 20} MB.")
        return content.decode()
    except FileNotFoundError:
        raise SettingsError(f"The users file {path} is not there; `celeriac user add` makes one.") from None
    except OSError as error:
        raise SettingsError(f"The users file {path} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise SettingsError(f"The users file {path} is not UTF-8.") from None


def _each_once(path: Path, rows: Sequence[_Row]) -> Iterator[_Row]:
    known: set[str] = set()
    for row in rows:
        if row.name.casefold() in known:
            raise SettingsError(f"The users file {path} has two users {row.name!r}.")
        known.add(row.name.casefold())
        yield row


def _user(path: Path, row: _Row) -> PasswordUser:
    if not may_be_named(row.name):
        raise SettingsError(f"The users file {path}: {row.name!r} is no name; it has up to 64 of A-Z a-z 0-9 . _ @ -")
    if not _is_hash(row.hash):
        raise SettingsError(f"The users file {path}: the hash of {row.name} is not one of argon2.")
    return PasswordUser(row.name, row.hash, Grant(row.role, row.clusters, row.apps, row.payloads))


def _is_hash(text: str) -> bool:
    try:
        argon2.extract_parameters(text)
    except InvalidHashError:
        return False
    return True


def _by_name(users: Sequence[PasswordUser]) -> dict[str, PasswordUser]:
    return {one.name: one for one in users}


def _without_admin(users: Sequence[PasswordUser]) -> str | None:
    if any(one.grant.covers(None, None) and one.grant.carries(Right.ADMINISTER) for one in users):
        return None
    return "nobody in it has the role admin in all clusters and apps"


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError as error:
        raise SettingsError(f"The users file {path} cannot be looked at: {error.strerror or error}.") from None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_mode


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder: one of the file itself would go with the file."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise SettingsError(f"The directory {folder} cannot be used: {error.strerror or error}.") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _store(path: Path, users: Sequence[PasswordUser]) -> None:
    rows = [_Row(one.name, one.grant.role, one.hash, *_scope(one.grant)) for one in users]
    text = tomli_w.dumps({"user": [msgspec.to_builtins(row) for row in rows]})
    try:
        _replace(path, text.encode())
    except OSError as error:
        raise SettingsError(f"The users file {path} cannot be written: {error.strerror or error}.") from None


def _scope(grant: Grant) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    return grant.clusters, grant.apps, grant.payloads


def _replace(path: Path, content: bytes) -> None:
    """Put a whole file in place of another, which it takes owner and group from; who ran may be root."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, PRIVATE)
            if path.exists():
                _take_over(descriptor, path.stat())
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _take_over(descriptor: int, earlier: os.stat_result) -> None:
    with contextlib.suppress(PermissionError):
        os.fchown(descriptor, earlier.st_uid, earlier.st_gid)
        os.fchmod(descriptor, PRIVATE | earlier.st_mode & stat.S_IRGRP)


def _fits(one: UsersFile) -> Users:
    """Let the type checker prove that the class fits its port."""
    return one
