"""What is stored of a secret: its hash, to find it again, and what it alone opens.

Secrets are random and long, so a plain SHA-256 of one gives nothing away; the key that seals is another function of it (HKDF).
"""

import hashlib
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_KEY_BYTES = 32
_NONCE_BYTES = 12


def key_of(secret: str) -> bytes:
    """Return what a secret is found by."""
    return hashlib.sha256(_bytes(secret)).digest()


def seal(secret: str, plain: bytes, beside: bytes) -> bytes:
    """Return `plain` so that only the secret opens it, and only beside the same other bytes (AES-256-GCM)."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + _cipher(secret).encrypt(nonce, plain, beside)


def unseal(secret: str, sealed: bytes, beside: bytes) -> bytes | None:
    """Return what was sealed; None if either of the two was changed since."""
    try:
        return _cipher(secret).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], beside)
    except (InvalidTag, ValueError):  # the latter of what is too short
        return None


def _cipher(secret: str) -> AESGCM:
    derived = HKDF(SHA256(), _KEY_BYTES, salt=None, info=b"celeriac: what a secret seals").derive(_bytes(secret))
    return AESGCM(derived)


def _bytes(secret: str) -> bytes:
    return secret.encode("utf-8", "surrogatepass")  # what was sent to us may be anything
