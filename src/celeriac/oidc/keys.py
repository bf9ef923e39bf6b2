"""The keys that the provider publishes (RFC 7517), and which of them a token names."""

import base64
import binascii
import time
from collections.abc import Callable
from typing import Any

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key
from msgspec import Struct

from celeriac.core.errors import NotTakenError, UnreachableError
from celeriac.oidc.renewed import Renewed

MOST_KEYS = 100
LEAST_RSA_BYTES = 256
"""An RSA key of less than 2048 bits is none."""
CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519"}


class _KeySet(Struct, frozen=True):
    keys: list[dict[str, Any]]


class PublicKey(Struct, frozen=True):
    """One of them; `id`, `algorithm` and `use` as far as they are told."""

    key: Key
    kind: str
    id: str | None
    algorithm: str | None
    use: str | None

    def fits(self, algorithm: str) -> bool:
        """Tell whether it may check a signature of this algorithm."""
        if self.use not in {None, "sig"} or self.algorithm not in {None, algorithm}:
            return False
        return self.kind == (CURVES.get(algorithm) or "RSA")


_key_set = msgspec.json.Decoder(_KeySet).decode


class Keys:
    """A set of keys at an address, kept as `renewed` keeps documents; a key that it does not hold has it read again."""

    def __init__(self, read: Callable[[], bytes], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._set = Renewed("the provider's set of keys", lambda: published(read()), monotonic)

    def find(self, id: str | None, algorithm: str) -> Key:
        """Return the one key for a token's header."""
        found = _fitting(self._set.get(), id, algorithm)
        if not found:
            found = _fitting(self._set.anew(), id, algorithm)
        if not found:
            raise NotTakenError("it is signed with a key that the provider does not publish")
        if len(found) > 1:
            raise NotTakenError("the provider publishes several keys that could have signed it; each needs an id (kid)")
        return found[0].key


def published(text: bytes) -> tuple[PublicKey, ...]:
    """Return the keys of a set that are fit to check with; those of kinds that we do not know are left out."""
    try:
        told = _key_set(text).keys[:MOST_KEYS]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UnreachableError("what the provider publishes as its keys cannot be read") from None
    return tuple(key for one in told if (key := _public(one)))


def _public(told: dict[str, Any]) -> PublicKey | None:
    kind = told.get("kty")
    if kind not in {"RSA", "EC", "OKP"} or (kind == "RSA" and _length(told.get("n")) < LEAST_RSA_BYTES):
        return None
    try:
        key = JWKRegistry.import_key(told)
    except (JoseError, ValueError, TypeError, KeyError, OverflowError):
        return None
    return PublicKey(
        key,
        "RSA" if kind == "RSA" else str(told.get("crv")),
        _text(told.get("kid")),
        _text(told.get("alg")),
        _text(told.get("use")),
    )


def _fitting(keys: tuple[PublicKey, ...], id: str | None, algorithm: str) -> list[PublicKey]:
    return [key for key in keys if key.fits(algorithm) and (id is None or key.id == id)]


def _length(number: object) -> int:
    """Return the bytes of a number as RFC 7518 writes it, 0 of what is none."""
    try:
        return len(base64.urlsafe_b64decode(f"{number}==").lstrip(b"\0")) if isinstance(number, str) else 0
    except (binascii.Error, ValueError):
        return 0


def _text(told: object) -> str | None:
    return told if isinstance(told, str) else None
