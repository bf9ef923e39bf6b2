"""The console's own certificate: checked at start, and read again when its files change, without a restart."""

import logging
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from celeriac.core.errors import SettingsError

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
CERT, KEY = "console.tls_cert", "console.tls_key"


class Certificate:
    """A certificate with its chain and key, in two PEM files.

    Each handshake is given the newest that is fit: a new context is made of both files and checked before it takes the
    place of the old one, so files that are being written, or do not fit together, change nothing.
    """

    def __init__(
        self, cert: Path, key: Path, now: Callable[[], float] = time.time, look_every_s: float = LOOK_EVERY_S
    ) -> None:
        self._cert = cert
        self._key = key
        self._now = now
        self._look_every_s = look_every_s
        self._looked_at = now()
        self._seen = self._state()
        self._newest = self._read()

    def context(self) -> ssl.SSLContext:
        """Return what a server listens with."""
        listening = self._read()
        listening.sni_callback = self._give_newest  # OpenSSL asks it in each handshake, whether it names a host or not
        return listening

    def _give_newest(self, handshake: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        handshake.context = self._current()

    def _current(self) -> ssl.SSLContext:
        now = self._now()
        if abs(now - self._looked_at) >= self._look_every_s:
            self._looked_at = now
            state = self._state()
            if state != self._seen:
                self._seen = state
                self._take()
        return self._newest

    def _take(self) -> None:
        try:
            self._newest = self._read()
        except SettingsError as error:
            log.warning("The console goes on with its old certificate: %s", error)
        else:
            log.info("The console has taken a new certificate from %s", self._cert)

    def _state(self) -> tuple[tuple[int, int, int], ...]:
        """Return what changes with the files; they may be links that are set anew."""
        try:
            found = [path.stat() for path in (self._cert, self._key)]
        except OSError:
            return ()
        return tuple((one.st_mtime_ns, one.st_ino, one.st_size) for one in found)

    def _read(self) -> ssl.SSLContext:
        leaf = _leaf(self._cert, self._now())
        _check_key(self._key, leaf)
        made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        made.options |= ssl.OP_NO_RENEGOTIATION
        made.set_alpn_protocols(["http/1.1"])
        try:
            made.load_cert_chain(self._cert, self._key, password="")  # else OpenSSL asks for one on the terminal
        except (OSError, ValueError) as error:
            raise SettingsError(f"The setting {CERT}: {self._cert} cannot be served ({_why(error)}).") from None
        return made


def _leaf(path: Path, now: float) -> x509.Certificate:
    try:
        leaf = x509.load_pem_x509_certificates(_bytes(CERT, path))[0]
    except (ValueError, UnsupportedAlgorithm):
        raise SettingsError(f"The setting {CERT}: {path} holds no certificate in PEM.") from None
    moment = datetime.fromtimestamp(now, UTC)
    if moment > leaf.not_valid_after_utc:
        ended = leaf.not_valid_after_utc
        raise SettingsError(f"The setting {CERT}: the certificate in {path} expired on {_day(ended)}; renew it.")
    if moment < leaf.not_valid_before_utc:
        begins = leaf.not_valid_before_utc
        raise SettingsError(f"The setting {CERT}: the certificate in {path} is not valid before {_day(begins)}.")
    return leaf


def _check_key(path: Path, leaf: x509.Certificate) -> None:
    content = _bytes(KEY, path)
    try:
        key = load_pem_private_key(content, None)
    except TypeError:
        raise SettingsError(f"The setting {KEY}: {path} has a passphrase; give the key without one.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise SettingsError(f"The setting {KEY}: {path} holds no private key in PEM.") from None
    ours, theirs = (
        one.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        for one in (key.public_key(), leaf.public_key())
    )
    if ours != theirs:
        raise SettingsError(f"The setting {KEY}: the key in {path} is not that of the certificate in {CERT}.")


def _bytes(setting: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"The setting {setting}: {path} cannot be read: {_why(error)}.") from None


def _why(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
