"""Signs people on at the provider, and reads what programs bring: the port `Provider` of the console."""

import contextlib
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx2

from celeriac.core.access import Identity
from celeriac.core.errors import AccessError, NotTakenError, PortError, UnreachableError
from celeriac.core.signon import Bearer, Begun, LoggedOut, SignedOn
from celeriac.oidc import claims as told
from celeriac.oidc.exchange import Exchange
from celeriac.oidc.introspection import Introspection
from celeriac.oidc.keys import Keys
from celeriac.oidc.metadata import Metadata, discovered
from celeriac.oidc.registration import Registration
from celeriac.oidc.renewed import Renewed
from celeriac.oidc.tokens import Tokens, same

LONGEST_CODE = 4_000
LONGEST_HINT = 4_000
"""A longer ID token is not sent along as a hint: the address would be longer than servers read."""

REFUSALS = {
    "access_denied": "the provider does not let you sign on here, or you have stopped it",
    "login_required": "the provider wants to see you sign on anew",
    "interaction_required": "the provider wants to ask you something first; sign on again",
    "consent_required": "the provider wants your consent first; sign on again",
    "account_selection_required": "the provider wants to know which of your accounts; sign on again",
    "invalid_scope": "the provider does not know one of the scopes in access.oidc.scopes",
    "unauthorized_client": "the provider does not let our client sign people on",
    "server_error": "the provider has failed; try again in a while",
    "temporarily_unavailable": "the provider is too busy; try again in a while",
}
"""What the provider's errors say to people (RFC 6749, 4.1.2.1; OpenID Connect Core 1.0, 3.1.2.6)."""


class RelyingParty:
    """One client at one provider, safe for threads; `now` gives seconds since the epoch, `monotonic` those of a timer."""

    def __init__(
        self,
        registration: Registration,
        *,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registration, self._now = registration, now
        self._exchange = Exchange(registration)
        self._metadata = Renewed(
            "the provider's description", lambda: discovered(registration, self._exchange), monotonic
        )
        self._keys = Keys(lambda: self._exchange.published(self._metadata.get().jwks_uri), monotonic)
        own = registration.api_jwks
        self._api_keys = Keys(lambda: self._exchange.published(own), monotonic) if own else self._keys
        self._tokens = Tokens(registration.client_id, registration.algorithms, now)
        self._introspection = Introspection(self._ask_for, now)

    def begin(self, redirect_uri: str) -> Begun:
        """Return where to send a browser that is to sign on."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        url = self._exchange.redirect(
            self._metadata.get().authorization_endpoint, redirect_uri, state=state, nonce=nonce, code_verifier=verifier
        )
        return Begun(url, state, nonce, verifier)

    def finish(self, begun: Begun, redirect_uri: str, answer: Mapping[str, str]) -> SignedOn:
        """Return who has signed on, from what the browser brought back."""
        metadata = self._metadata.get()
        code = self._code(begun, metadata, answer)
        given = self._exchange.code(metadata.token_endpoint, code, begun.verifier, redirect_uri)
        id_token = told.text(given, "id_token")
        if id_token is None:
            raise NotTakenError(
                "the provider gave no ID token, without which nobody is signed on; is openid in the scopes?"
            )
        who = self._id_claims(id_token, given, begun.nonce)
        return self._signed_on(metadata, given, who["sub"], who)

    def refresh(self, refresh_token: str, subject: str) -> SignedOn:
        """Return the same person as they are now.

        What fails after the token endpoint has answered loses no new refresh token: the one before may be used up.
        """
        metadata = self._metadata.get()
        given = self._exchange.refreshed(metadata.token_endpoint, refresh_token)
        try:
            return self._as_now(metadata, given, subject)
        except PortError as error:
            rolled = told.text(given, "refresh_token")
            return SignedOn(Identity(subject), groups_from=str(error), refresh_token=rolled, groups_known=False)

    def _as_now(self, metadata: Metadata, given: Mapping[str, Any], subject: str) -> SignedOn:
        id_token = told.text(given, "id_token")
        who = {} if id_token is None else self._id_claims(id_token, given, None)
        if who.get("sub", subject) != subject:
            raise NotTakenError("the provider gave the ID token of somebody else")
        return self._signed_on(metadata, given, subject, who)

    def leave(self, id_token: str | None, back_to: str) -> str | None:
        """Return where to send a browser that signs off; while the provider is down, what was known of it last counts."""
        with contextlib.suppress(PortError):
            self._metadata.get()
        metadata = self._metadata.last()
        if metadata is None:
            return None
        if metadata.end_session_endpoint:
            asked = {"client_id": self._registration.client_id, "post_logout_redirect_uri": back_to}
            if id_token is not None and len(id_token) <= LONGEST_HINT:
                asked["id_token_hint"] = id_token
            return str(httpx2.URL(metadata.end_session_endpoint).copy_merge_params(asked))
        if metadata.ping_end_session_endpoint:
            return str(httpx2.URL(metadata.ping_end_session_endpoint).copy_merge_params({"TargetResource": back_to}))
        return None

    def logged_out(self, logout_token: str) -> LoggedOut:
        """Return whose sessions the provider ends; that the token comes once only is for the caller to see, by its id."""
        said = self._tokens.logout_token(logout_token, self._keys, self._registration.issuer)
        return LoggedOut(told.text(said, "sub"), told.text(said, "sid"), said["jti"])

    def bearer(self, token: str) -> Bearer:
        """Return whose access token this is."""
        audience = self._registration.api_audience
        if audience is None:
            raise NotTakenError("no program's token is taken here: access.oidc.api_audience is not set")
        if token.count(".") == 2:
            issuer = self._registration.api_issuer or self._registration.issuer
            said = self._tokens.access_token(token, self._api_keys, issuer, audience)
            return self._bearer(said, may_have_groups=True)
        if not self._registration.introspect:
            raise NotTakenError("this token is no JWT, and access.oidc.introspect is not set")
        said = self._introspection.claims(token)
        if "aud" in said and audience not in told.texts(said["aud"]):
            raise NotTakenError("the access token was made for somebody else (aud)")
        return self._bearer(said, may_have_groups="aud" in said)

    def available(self) -> bool:
        """Tell whether the provider answers now, or did within the last quarter of a minute."""
        return self._metadata.answers()

    def _code(self, begun: Begun, metadata: Metadata, answer: Mapping[str, str]) -> str:
        """Return the code that a browser brings, after all that can be checked without the provider."""
        if not same(answer.get("state"), begun.state):
            raise NotTakenError("this answer belongs to another sign-on than the one that this browser began (state)")
        issuer = answer.get("iss")
        if issuer is None and metadata.authorization_response_iss_parameter_supported:
            raise NotTakenError("the answer does not say which provider it is from, though ours does so (iss)")
        if issuer is not None and issuer != self._registration.issuer:
            raise NotTakenError("the answer is from another provider than ours (iss)")
        if "error" in answer:
            name = answer["error"]
            said = REFUSALS.get(name)
            raise NotTakenError(
                f"{said} ({name})" if said else "the provider ended the sign-on with an error of its own"
            )
        code = answer.get("code", "")
        if not code or len(code) > LONGEST_CODE:
            raise NotTakenError("the answer brings no code")
        return code

    def _id_claims(self, id_token: str, given: Mapping[str, Any], nonce: str | None) -> dict[str, Any]:
        access_token = told.text(given, "access_token") or ""
        issuer = self._registration.issuer
        return self._tokens.id_token(id_token, self._keys, issuer, nonce=nonce, access_token=access_token)

    def _signed_on(
        self, metadata: Metadata, given: Mapping[str, Any], subject: str, who: Mapping[str, Any]
    ) -> SignedOn:
        """Return a person, with the groups of the first place that tells some."""
        one, access_token = self._registration, told.text(given, "access_token")
        found, more = told.groups(who, one.group_claims, "ID token"), {}
        if found is None and access_token is not None:
            more = self._userinfo(metadata, access_token, subject)
            found = told.groups(more, one.group_claims, "userinfo") or self._of_access_token(access_token, subject)
        return SignedOn(
            Identity(subject, found.names if found else ()),
            name=told.name(who, one.name_claims) or told.name(more, one.name_claims),
            groups_from=found.told
            if found
            else f"no groups in {', '.join(one.group_claims)} of ID token, userinfo or token",
            provider_session=told.first(who, ("sid", "pi.sri")) or None,
            id_token=told.text(given, "id_token"),
            refresh_token=told.text(given, "refresh_token"),
            refresh_in_s=told.seconds(given, "expires_in"),
        )

    def _userinfo(self, metadata: Metadata, access_token: str, subject: str) -> dict[str, Any]:
        if metadata.userinfo_endpoint is None:
            return {}
        said = self._exchange.userinfo(metadata.userinfo_endpoint, access_token)
        if said is not None and not same(said.get("sub"), subject):
            raise NotTakenError("the provider's userinfo is of somebody else than its ID token (sub)")
        return said or {}

    def _of_access_token(self, access_token: str, subject: str) -> told.Groups | None:
        """Return the groups of an access token that can be read; one that cannot tells none."""
        if access_token.count(".") != 2:
            return None
        for keys in dict.fromkeys((self._keys, self._api_keys)):
            with contextlib.suppress(AccessError, PortError):
                said = self._tokens.own_access_token(access_token, keys, subject)
                return told.groups(said, self._registration.group_claims, "access token")
        return None

    def _bearer(self, said: Mapping[str, Any], *, may_have_groups: bool) -> Bearer:
        """Return who a token is; groups count only in one that was made for us, as any program's tokens may carry them."""
        client = told.client(said)
        subject = told.first(said, ("sub", "username")) or client
        if subject is None:
            raise NotTakenError("the access token says neither whose nor which program's it is")
        found = told.groups(said, self._registration.group_claims, "access token") if may_have_groups else None
        return Bearer(
            Identity(subject, found.names if found else (), client, told.scopes(said)), told.seconds(said, "exp") or 0.0
        )

    def _ask_for(self, token: str) -> dict[str, Any]:
        metadata = self._metadata.get()
        if metadata.introspection_endpoint is None:
            raise UnreachableError("the provider has no place to ask for tokens (introspection_endpoint)")
        return self._exchange.introspected(metadata.introspection_endpoint, token, metadata.token_endpoint)
