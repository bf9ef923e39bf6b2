"""Every check of a token: its signature by an algorithm that we name, and its claims."""

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Callable
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import (
    BadSignatureError,
    ExpiredTokenError,
    InvalidClaimError,
    JoseError,
    MissingClaimError,
    UnsupportedAlgorithmError,
)

from celeriac.core.errors import NotTakenError
from celeriac.oidc.keys import Keys

LONGEST = 128_000
"""Bytes of a token: thousands of groups fit, as distinguished names."""
LONGEST_HEADER = 8_000
LEEWAY_S = 60
"""How far the provider's clock and ours may be apart."""
LOGOUT_S = 300
"""How old a logout token may be."""
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
BRINGS_KEY = frozenset({"jwk", "jku", "x5u", "crit"})
"""What a header must not hold: a key of its own, or the place of one; and nothing that must be understood, as we know none."""
TYPES = {"ID token": {"jwt"}, "access token": {"jwt", "at+jwt"}, "logout token": {"jwt", "logout+jwt"}}
"""What each kind may call itself in its header (`typ`), if it does: none is taken for another."""

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*", re.ASCII)


class _Pinned(jws.JWSRegistry):
    max_header_length = LONGEST_HEADER
    max_payload_length = LONGEST

    def get_alg(self, name: str) -> Any:
        """Return one of ours, or none; joserfc's own also warns of EdDSA, which is ours to accept."""
        if name not in (self.allowed or ()):
            raise UnsupportedAlgorithmError(None)
        return self.algorithms[name]


class Tokens:
    """Checks tokens of one client; `algorithms` are all that are accepted. `now` gives seconds since the epoch."""

    def __init__(self, client_id: str, algorithms: tuple[str, ...], now: Callable[[], float] = time.time) -> None:
        self._client_id = client_id
        self._registry = _Pinned(algorithms=algorithms, strict_check_header=False)
        self._now = now

    def id_token(
        self, token: str, keys: Keys, issuer: str, *, nonce: str | None = None, access_token: str = ""
    ) -> dict[str, Any]:
        """Return the claims of an ID token (OpenID Connect Core 1.0, 3.1.3.7), whose nonce must be the one that is given."""
        what = "ID token"
        header, claims = self._signed(token, keys, what)
        self._claims(claims, what, iss=issuer, aud=self._client_id, exp=None, iat=None, sub=None)
        audience, party = claims["aud"], claims.get("azp")
        if party not in {None, self._client_id} or (party is None and isinstance(audience, list) and len(audience) > 1):
            raise NotTakenError(f"the {what} was made for another client than ours")
        if nonce is not None and not same(claims.get("nonce"), nonce):
            raise NotTakenError(f"the {what} belongs to another sign-on than this one (nonce)")
        if "at_hash" in claims and not same(claims["at_hash"], at_hash(header["alg"], access_token)):
            raise NotTakenError(f"the {what} came with another access token than its own (at_hash)")
        return claims

    def logout_token(self, token: str, keys: Keys, issuer: str) -> dict[str, Any]:
        """Return the claims of a logout token (OpenID Connect Back-Channel Logout 1.0, 2.6)."""
        what = "logout token"
        _, claims = self._signed(token, keys, what)
        self._claims(claims, what, iss=issuer, aud=self._client_id, iat=None, jti=None)
        if claims["iat"] < self._now() - LOGOUT_S:
            raise NotTakenError(f"the {what} is older than {LOGOUT_S // 60} minutes")
        events = claims.get("events")
        if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
            raise NotTakenError(f"the {what} does not say that somebody has signed off (events)")
        if "nonce" in claims:
            raise NotTakenError(f"the {what} has a nonce, which only an ID token may have")
        if not any(isinstance(claims.get(name), str) and claims[name] for name in ("sid", "sub")):
            raise NotTakenError(f"the {what} names neither a session (sid) nor a subject (sub)")
        return claims

    def access_token(self, token: str, keys: Keys, issuer: str, audience: str) -> dict[str, Any]:
        """Return the claims of a program's access token, for which issuer, audience and end are required."""
        what = "access token"
        _, claims = self._signed(token, keys, what)
        self._claims(claims, what, iss=issuer, aud=audience, exp=None)
        if "nonce" in claims or "events" in claims:
            raise NotTakenError("this is a token of another kind than an access token")
        return claims

    def own_access_token(self, token: str, keys: Keys, subject: str) -> dict[str, Any]:
        """Return the claims of the access token that came with an ID token, straight from the provider, for its groups.

        Ping puts issuer, audience and subject into it only where somebody has set that up.
        """
        what = "access token"
        _, claims = self._signed(token, keys, what)
        self._claims(claims, what)
        if claims.get("sub", subject) != subject:
            raise NotTakenError(f"the {what} is somebody else's")
        return claims

    def _signed(self, token: str, keys: Keys, what: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return header and claims of a token whose signature is one of the keys'."""
        if len(token) > LONGEST:
            raise NotTakenError(f"the {what} is longer than {LONGEST // 1000} kB")
        if not _COMPACT.fullmatch(token):
            raise NotTakenError(f"the {what} is no signed token (JWT)")
        try:
            header = jws.extract_compact(token.encode(), registry=self._registry).headers()
            key = keys.find(self._named(header, what), header["alg"])
            claims = jwt.decode(token, key, registry=self._registry).claims
        except UnsupportedAlgorithmError:
            raise NotTakenError(
                f"the {what} is signed by an algorithm that access.oidc.algorithms does not accept"
            ) from None
        except BadSignatureError:
            raise NotTakenError(f"the signature of the {what} is not the provider's") from None
        except (JoseError, ValueError, TypeError, KeyError, RecursionError):
            raise NotTakenError(f"the {what} cannot be read") from None
        return header, claims

    def _named(self, header: dict[str, Any], what: str) -> str | None:
        """Return the id of the key that a header names, None if it names none."""
        self._registry.get_alg(str(header.get("alg")))
        if BRINGS_KEY & header.keys():
            raise NotTakenError(f"the {what} brings a key of its own, or what must be understood and is not")
        kind = header.get("typ")
        if kind is not None and str(kind).lower().removeprefix("application/") not in TYPES[what]:
            raise NotTakenError(f"this is a token of another kind than the {what}")
        id = header.get("kid")
        if id is not None and not isinstance(id, str):
            raise NotTakenError(f"the {what} cannot be read")
        return id

    def _claims(self, claims: dict[str, Any], what: str, **essential: str | None) -> None:
        """Check that these are there, and have the value that is given; and whatever says a time, if it is there."""
        options = {
            name: jwt.ClaimsOption(essential=True) if value is None else jwt.ClaimsOption(essential=True, value=value)
            for name, value in essential.items()
        }
        try:
            jwt.JWTClaimsRegistry(now=int(self._now()), leeway=LEEWAY_S, **options).validate(claims)
        except ExpiredTokenError:
            raise NotTakenError(f"the {what} has expired") from None
        except MissingClaimError as error:
            raise NotTakenError(f"the {what} lacks {error.claim}") from None
        except InvalidClaimError as error:
            raise NotTakenError(f"the {what} {_WRONG.get(error.claim, 'has a wrong ' + error.claim)}") from None


_WRONG = {
    "iss": "was made by another issuer",
    "aud": "was made for somebody else (aud)",
    "iat": "was made in the future; are the clocks right?",
    "nbf": "does not hold yet; are the clocks right?",
}


def at_hash(algorithm: str, access_token: str) -> str:
    """Return the hash by which an ID token names its access token (OpenID Connect Core 1.0, 3.1.3.6)."""
    digest = hashlib.new(
        f"sha{algorithm[-3:]}" if algorithm[-3:].isdigit() else "sha512", access_token.encode()
    ).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


def same(told: object, ours: str) -> bool:
    """Compare in a time that tells nothing."""
    return isinstance(told, str) and hmac.compare_digest(told.encode(errors="replace"), ours.encode())
