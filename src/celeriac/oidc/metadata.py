"""What the provider publishes of itself (OpenID Connect Discovery 1.0), held against the issuer that we are set to.

Of PingFederate it is a template that its operators edit: all but four fields may be missing. What it says of algorithms is
not read at all.
"""

import msgspec
from msgspec import Struct, structs

from celeriac.core.errors import UnreachableError
from celeriac.oidc.exchange import Exchange
from celeriac.oidc.registration import Registration

WELL_KNOWN = "/.well-known/openid-configuration"
NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")
OPTIONAL = ("userinfo_endpoint", "introspection_endpoint", "end_session_endpoint", "ping_end_session_endpoint")


class Metadata(Struct, frozen=True):
    """The provider's addresses; `ping_end_session_endpoint` is PingFederate's own, older place to sign off."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    introspection_endpoint: str | None = None
    end_session_endpoint: str | None = None
    ping_end_session_endpoint: str | None = None
    authorization_response_iss_parameter_supported: bool | None = None


_metadata = msgspec.json.Decoder(Metadata).decode


def discovered(registration: Registration, exchange: Exchange) -> Metadata:
    """Ask the provider for it, and return what of it may be used."""
    url = registration.issuer.rstrip("/") + WELL_KNOWN
    try:
        told = _metadata(exchange.published(url))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UnreachableError(f"{url} is no description of an OpenID provider") from None
    if told.issuer != registration.issuer:
        raise UnreachableError(
            f"{url} describes another issuer than access.oidc.issuer, which must be the same to a slash"
        )
    for name in NEEDED:
        if not registration.may_ask(getattr(told, name)):
            raise UnreachableError(f"{url} names a {name} that is not https")
    unfit = [name for name in OPTIONAL if not registration.may_ask(getattr(told, name) or "")]
    return structs.replace(told, **dict.fromkeys(unfit))
