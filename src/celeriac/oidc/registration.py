"""How we are registered at the provider, and what we accept from it."""

import ipaddress
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

from celeriac.core.errors import SettingsError

ASYMMETRIC = frozenset(
    {"RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA"},
)
"""What may be accepted at all: signatures that only the provider can make, never one by a secret that both have."""


class Registration(Struct, frozen=True, kw_only=True):
    """One provider and our place there. `client_key` is a private key in PEM, `timeout` the seconds of one whole answer."""

    issuer: str
    client_id: str
    client_auth: Literal["basic", "post", "private_key_jwt"] = "basic"
    client_secret: str | None = None
    client_key: str | None = None
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    group_claims: tuple[str, ...] = ("groups", "memberOf", "roles")
    name_claims: tuple[str, ...] = ("preferred_username", "email", "name")
    algorithms: tuple[str, ...] = ("RS256", "ES256", "PS256")
    ca_file: str | None = None
    timeout: float = 5.0
    api_audience: str | None = None
    api_issuer: str | None = None
    api_jwks: str | None = None
    introspect: bool = False

    def __post_init__(self) -> None:
        if not self.algorithms or not ASYMMETRIC.issuperset(self.algorithms):
            raise SettingsError(f"access.oidc.algorithms may hold these only, and one at least: {_listed(ASYMMETRIC)}")
        if self.api_audience == self.client_id:
            raise SettingsError("access.oidc.api_audience must be another than client_id, which ID tokens are for")
        for setting, url in (("issuer", self.issuer), ("api_jwks", self.api_jwks)):
            if url is not None and not trusted(url):
                raise SettingsError(f"access.oidc.{setting} must begin with https:// (http:// only on loopback)")

    def __repr__(self) -> str:
        """Return it without its secret and its key."""
        return f"Registration(issuer={self.issuer!r}, client_id={self.client_id!r})"

    def may_ask(self, url: str) -> bool:
        """Tell whether an address that the provider names may be used: https, or http on loopback if the issuer is there."""
        return trusted(url) and (urlsplit(url).scheme == "https" or urlsplit(self.issuer).scheme == "http")


def trusted(url: str) -> bool:
    """Tell whether an address is one of https, or of http on loopback, without a user or a fragment in it."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or parts.fragment or any(sign.isspace() for sign in url):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _loopback(host))


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
