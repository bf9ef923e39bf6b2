"""The file of tokens that `celeriac login` keeps, by console; nobody but its owner may read it."""

import os
import stat
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import click
import msgspec

FILE_MODE, DIRECTORY_MODE = 0o600, 0o700
OTHERS = 0o077
LARGEST = 1_000_000

_tokens = msgspec.json.Decoder(dict[str, str]).decode


class TokenFileError(click.ClickException):
    """The file is not to be trusted, or cannot be used; the text is one sentence, which ends the command."""


class TokenFile:
    """Tokens by the address of the console that each is for; none is ever sent to another."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def usual(cls) -> "TokenFile":
        """Return the one of whoever runs this."""
        # A relative XDG_CONFIG_HOME is to be ignored (XDG Base Directory Specification).
        base = Path(os.environ.get("XDG_CONFIG_HOME", ""))
        return cls((base if base.is_absolute() else Path.home() / ".config") / "celeriac" / "tokens.json")

    def get(self, url: str) -> str | None:
        """Return the token for a console."""
        return self._read().get(console_key(url))

    def put(self, url: str, token: str) -> None:
        """Keep the token for a console."""
        self._write({**self._read(), console_key(url): token})

    def forget(self, url: str) -> None:
        """Forget the token for a console."""
        kept = self._read()
        if kept.pop(console_key(url), None) is not None:
            self._write(kept)

    def _read(self) -> dict[str, str]:
        try:
            # What is no file of its own, as a link that somebody laid there, is not followed.
            handle = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise TokenFileError(f"The file of tokens {self._path} cannot be read: {error.strerror}.") from None
        with os.fdopen(handle, "rb") as file:
            self._check(os.fstat(file.fileno()))
            try:
                return _tokens(file.read(LARGEST))
            except (OSError, msgspec.DecodeError):
                msg = f"The file of tokens {self._path} is damaged: remove it, and run `celeriac login`."
                raise TokenFileError(msg) from None

    def _check(self, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            raise TokenFileError(f"The file of tokens {self._path} is no file of yours: remove it.")
        if found.st_mode & OTHERS:
            mode = stat.S_IMODE(found.st_mode)
            msg = (
                f"The file of tokens {self._path} is open to others (mode {mode:04o}), so its tokens are not used: "
                f"run `chmod 600 {self._path}`, and sign on anew if others use this machine."
            )
            raise TokenFileError(msg)

    def _write(self, tokens: dict[str, str]) -> None:
        directory = self._path.parent
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=DIRECTORY_MODE)
            directory.chmod(DIRECTORY_MODE)
            handle, name = tempfile.mkstemp(dir=directory, prefix=".tokens-")
            try:
                with os.fdopen(handle, "wb") as file:
                    os.fchmod(file.fileno(), FILE_MODE)
                    file.write(msgspec.json.format(msgspec.json.encode(tokens)))
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).replace(self._path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise TokenFileError(f"The file of tokens {self._path} cannot be written: {error.strerror}.") from None


def console_key(url: str) -> str:
    """Return what a console's address is kept by: without the slash at its end, scheme and host in small letters."""
    parts = urlsplit(url)
    return (
        parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower(), query="", fragment="")
        .geturl()
        .rstrip("/")
    )
