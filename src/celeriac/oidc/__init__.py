"""The relying party: signs people on at an OpenID provider (PingFederate first), and checks every token itself.

Authlib makes the redirect and the exchange, joserfc checks signatures and claims, and what is accepted is ours to say:
algorithms, issuer and audience are never the provider's document's. It also works in Flower's own environment, so it
stands on the core, Authlib, joserfc, httpx2 and msgspec alone.
"""

from celeriac.oidc.registration import Registration
from celeriac.oidc.relying_party import RelyingParty

__all__ = ["Registration", "RelyingParty"]
