"""Makes the relying party from the settings."""

from celeriac.core.errors import SettingsError
from celeriac.oidc import Registration, RelyingParty
from celeriac.settings.access import OidcSettings


def relying_party(settings: OidcSettings) -> RelyingParty:
    """Return it; the file of the private key is read once, the provider is not asked yet."""
    return RelyingParty(
        Registration(
            issuer=settings.issuer,
            client_id=settings.client_id,
            client_auth=settings.client_auth,
            client_secret=settings.client_secret.get_secret_value() if settings.client_secret else None,
            client_key=_client_key(settings),
            scopes=settings.scopes,
            group_claims=settings.group_claims,
            name_claims=settings.name_claims,
            algorithms=settings.algorithms,
            ca_file=str(settings.ca_file) if settings.ca_file else None,
            timeout=settings.timeout,
            api_audience=settings.api_audience,
            api_issuer=settings.api_issuer,
            api_jwks=settings.api_jwks,
            introspect=settings.introspect,
        )
    )


def _client_key(settings: OidcSettings) -> str | None:
    if settings.client_auth != "private_key_jwt" or settings.client_key is None:
        return None
    try:
        return settings.client_key.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no PEM"
        raise SettingsError(f"access.oidc.client_key cannot be read: {why}") from None
