"""The UAA: it trades passwords, client secrets and refresh tokens for signed tokens, and checks tokens that come back.

The signing key is made at start, so tokens of an earlier run are refused.
"""

import base64
import binascii
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from celeriac.emulator.config import ClientConfig, EmulatorConfig, UserConfig
from celeriac.emulator.entities import stable_guid
from celeriac.emulator.errors import UaaError, invalid_token

_KEY_BITS = 2048
_ALGORITHM = "RS256"
_CLI = ClientConfig(id="cf", secret="", scopes=())  # the public client that people log in through
_PASSCODE_SECONDS = 300.0
_PERSONAL_GRANTS = ("password", "refresh_token")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a valid token stands for; a robot's guid and name are its client id."""

    guid: str
    name: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Refresh:
    user: UserConfig
    expires_at: float


def user_guid(name: str) -> str:
    """Return the guid of the person with this name."""
    return stable_guid("user", name)


@dataclass(frozen=True, slots=True)
class _Passcode:
    user: UserConfig
    expires_at: float


class Uaa:
    """Issues and checks tokens for the people and robots of the configuration."""

    def __init__(self, config: EmulatorConfig, url: str) -> None:
        self._issuer = f"{url}/oauth/token"
        self._lifetimes = config.tokens
        self._users = {user.name: user for user in config.users}
        self._clients = {client.id: client for client in (*config.clients, _CLI)}
        self._key = RSAKey.generate_key(_KEY_BITS)
        self._refresh: dict[str, _Refresh] = {}
        self._passcodes: dict[str, _Passcode] = {}
        self._lock = threading.Lock()

    def token(self, form: Mapping[str, str], authorization: str) -> dict[str, Any]:
        """Answer a token request; raises `UaaError`."""
        client = self._client(form, authorization)
        grant = form.get("grant_type", "")
        grants: dict[str, Callable[[], dict[str, Any]]] = {
            "password": lambda: self._by_password(form),
            "refresh_token": lambda: self._by_refresh(form.get("refresh_token", "")),
            "client_credentials": lambda: self._by_secret(client),
        }
        if not grant:
            raise UaaError(400, "invalid_request", "Missing grant type")
        if grant not in grants:
            raise UaaError(400, "unsupported_grant_type", f"Unsupported grant type: {grant}")
        if (client is _CLI) != (grant in _PERSONAL_GRANTS):
            raise UaaError(401, "invalid_client", f"Unauthorized grant type: {grant}")
        return grants[grant]()

    def expire_all(self) -> None:
        """Let no token that was given so far be good for anything."""
        key = RSAKey.generate_key(_KEY_BITS)
        with self._lock:
            self._key, self._refresh = key, {}

    def caller(self, token: str) -> Caller:
        """Tell whose token this is; raises `ApiError` 401 if it is not one of ours or has expired."""
        try:
            claims = jwt.decode(token, self._key, algorithms=[_ALGORITHM]).claims
        except (JoseError, ValueError) as error:
            raise invalid_token() from error
        if claims["exp"] <= time.time():
            raise invalid_token()
        scopes = frozenset(claims["scope"])
        if "user_id" in claims:
            return Caller(claims["user_id"], claims["user_name"], scopes)
        return Caller(claims["client_id"], claims["client_id"], scopes)

    def passcode(self, authorization: str) -> str:
        """Return a code that logs its person in once, within 5 minutes; raises `UaaError` without name and password."""
        name, password = _basic(authorization) or ("", "")
        user = self._person(name, password)
        code, now = secrets.token_urlsafe(12), time.time()
        with self._lock:
            self._passcodes = {each: kept for each, kept in self._passcodes.items() if kept.expires_at > now}
            self._passcodes[code] = _Passcode(user, now + _PASSCODE_SECONDS)
        return code

    def _client(self, form: Mapping[str, str], authorization: str) -> ClientConfig:
        name, secret = _basic(authorization) or (form.get("client_id", ""), form.get("client_secret", ""))
        client = self._clients.get(name)
        if client is None or not _same(client.secret, secret):
            raise UaaError(401, "invalid_client", "Bad credentials")
        return client

    def _person(self, name: str, password: str) -> UserConfig:
        user = self._users.get(name)
        if user is None or not _same(user.password, password):
            raise UaaError(401, "unauthorized", "Bad credentials")
        return user

    def _by_code(self, code: str) -> UserConfig:
        with self._lock:
            kept = self._passcodes.pop(code, None)
        if kept is None or kept.expires_at <= time.time():
            raise UaaError(401, "unauthorized", "Invalid passcode")
        return kept.user

    def _by_password(self, form: Mapping[str, str]) -> dict[str, Any]:
        if "passcode" in form:
            user = self._by_code(form["passcode"])
        else:
            user = self._person(form.get("username", ""), form.get("password", ""))
        refresh = f"{secrets.token_hex(16)}-r"
        now = time.time()
        with self._lock:
            self._refresh = {token: kept for token, kept in self._refresh.items() if kept.expires_at > now}
            self._refresh[refresh] = _Refresh(user, now + self._lifetimes.refresh_seconds)
        return self._for_user(user, refresh)

    def _by_refresh(self, refresh: str) -> dict[str, Any]:
        with self._lock:
            kept = self._refresh.get(refresh)
        if kept is None or kept.expires_at <= time.time():
            raise UaaError(401, "invalid_token", "The token expired, was revoked, or the token ID is incorrect")
        return self._for_user(kept.user, refresh)

    def _for_user(self, user: UserConfig, refresh: str) -> dict[str, Any]:
        user_id = user_guid(user.name)
        claims = {
            "sub": user_id,
            "scope": [*user.scopes, "openid"],
            "client_id": _CLI.id,
            "grant_type": "password",
            "user_id": user_id,
            "user_name": user.name,
            "email": user.name,
            "origin": "uaa",
            "aud": ["cloud_controller", _CLI.id, "openid"],
        }
        return self._sign(claims, self._lifetimes.access_seconds) | {"refresh_token": refresh}

    def _by_secret(self, client: ClientConfig) -> dict[str, Any]:
        claims = {
            "sub": client.id,
            "scope": list(client.scopes),
            "authorities": list(client.scopes),
            "client_id": client.id,
            "grant_type": "client_credentials",
            "aud": ["cloud_controller", client.id],
        }
        return self._sign(claims, self._lifetimes.client_seconds)

    def _sign(self, claims: dict[str, Any], lifetime: float) -> dict[str, Any]:
        now, token_id = int(time.time()), secrets.token_hex(16)
        common = {
            "jti": token_id,
            "cid": claims["client_id"],
            "azp": claims["client_id"],
            "iat": now,
            "exp": int(time.time() + lifetime),
            "iss": self._issuer,
            "zid": "uaa",
        }
        return {
            "access_token": jwt.encode({"alg": _ALGORITHM, "kid": "emulator"}, claims | common, self._key),
            "token_type": "bearer",
            "expires_in": max(0, int(lifetime) - 1),
            "scope": " ".join(claims["scope"]),
            "jti": token_id,
        }


def _basic(authorization: str) -> tuple[str, str] | None:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise UaaError(401, "invalid_client", "Bad credentials") from error
    return name, secret


def _same(expected: str, given: str) -> bool:
    return secrets.compare_digest(expected.encode(), given.encode())
