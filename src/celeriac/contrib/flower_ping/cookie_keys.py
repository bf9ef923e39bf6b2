"""Keys that sign Flower's cookies for a while only.

Flower takes a cookie for 31 days, whatever its browser was told; what is signed by a key that is gone it does not take.
"""

import hmac

PARTS = 12
"""A sign-on lasts between eleven twelfths of its longest time and all of it."""


def standing_keys(secret: str, now: float, lasting_s: float) -> tuple[dict[int, str], int]:
    """Return the keys that stand now, by their version, and the newest version; `now` is in seconds since the epoch.

    They are derived, so that several Flowers with one `--cookie_secret` have the same ones.
    """
    newest = int(now // (lasting_s / PARTS))
    return {version: _key(secret, version) for version in range(newest - PARTS + 1, newest + 1)}, newest


def until_next(now: float, lasting_s: float) -> float:
    """Return the seconds until the oldest key goes."""
    part = lasting_s / PARTS
    return part - now % part


def _key(secret: str, version: int) -> str:
    return hmac.digest(secret.encode(), f"celeriac flower sign-on {version}".encode(), "sha256").hex()
