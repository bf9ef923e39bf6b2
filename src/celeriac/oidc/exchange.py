"""The provider is asked here: no redirect is followed, and each answer is bounded in size and time, to its last byte."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote_plus

import httpx2
import msgspec
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oauth2.auth import encode_client_secret_basic
from authlib.oauth2.rfc7523 import PrivateKeyJWT, private_key_jwt_sign
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from celeriac.core.errors import NotTakenError, RefusedError, SettingsError, UnreachableError
from celeriac.oidc.registration import Registration

MOST_PUBLISHED = 1_000_000
"""Bytes of a document that the provider publishes."""
MOST_TOKENS = 256_000
"""Bytes of an answer with tokens or claims."""
ASSERTION_S = 120
"""Seconds that a proof of who we are holds (`private_key_jwt`)."""

_object = msgspec.json.Decoder(dict[str, Any]).decode
_METHODS = {"basic": "client_secret_basic", "post": "client_secret_post", "private_key_jwt": "private_key_jwt"}
_CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA"}


class Exchange:
    """Asks the provider as the client that we are; each question has a connection of its own."""

    def __init__(self, registration: Registration) -> None:
        self._registration = registration
        try:
            self._tls = ssl.create_default_context(cafile=registration.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(f"access.oidc.ca_file holds no certificates that can be read: {error}") from error
        self._key = _private_key(registration.client_key) if registration.client_auth == "private_key_jwt" else None

    def published(self, url: str) -> bytes:
        """Return a document that the provider publishes."""
        with self._asking("document", MOST_PUBLISHED) as client:
            answer = client.request("GET", url, withhold_token=True, headers={"Accept": "application/json"})
        if answer.status_code != httpx2.codes.OK:
            raise UnreachableError(f"the provider does not give {url}: it answers {answer.status_code}")
        return bytes(answer.content)

    def userinfo(self, url: str, access_token: str) -> dict[str, Any] | None:
        """Return the claims that an access token opens, None where the provider does not take it for that."""
        headers = {"Accept": "application/json", "Authorization": f"Bearer {access_token}"}
        with self._asking("userinfo", MOST_TOKENS) as client:
            answer = client.request("GET", url, withhold_token=True, headers=headers)
        if answer.status_code in {401, 403}:
            return None
        return _content("userinfo", answer)

    def redirect(self, url: str, redirect_uri: str, **sent: str) -> str:
        """Return where a browser signs on, for a code with PKCE."""
        with self._client(MOST_TOKENS) as client:
            made, _ = client.create_authorization_url(url, redirect_uri=redirect_uri, **sent)
        return str(made)

    def code(self, url: str, code: str, verifier: str, redirect_uri: str) -> dict[str, Any]:
        """Return what the provider gives for a code."""
        with self._asking("token endpoint", MOST_TOKENS, url) as client:
            return dict(
                client.fetch_token(
                    url, grant_type="authorization_code", code=code, code_verifier=verifier, redirect_uri=redirect_uri
                )
            )

    def refreshed(self, url: str, refresh_token: str) -> dict[str, Any]:
        """Return what the provider gives for a refresh token, with that token where no new one came."""
        with self._asking("token endpoint", MOST_TOKENS, url) as client:
            return dict(client.refresh_token(url, refresh_token=refresh_token))

    def introspected(self, url: str, token: str, token_url: str) -> dict[str, Any]:
        """Return what the provider says of a token (RFC 7662)."""
        with self._asking("introspection", MOST_TOKENS, token_url) as client:
            auth = client.client_auth(client.token_endpoint_auth_method)
            answer = client.introspect_token(url, token=token, token_type_hint="access_token", auth=auth)  # noqa: S106
        return _content("introspection", answer)

    def _client(self, most: int, token_url: str = "") -> "_Bounded":
        one = self._registration
        client = _Bounded(
            one.timeout,
            most,
            client_id=one.client_id,
            client_secret=self._key or one.client_secret,
            token_endpoint_auth_method=_METHODS[one.client_auth],
            code_challenge_method="S256",
            verify=self._tls,
            scope=" ".join(one.scopes),
        )
        client.register_client_auth_method(("client_secret_basic", _basic))
        client.register_client_auth_method(_Proof(token_url, alg=_algorithm(self._key)))
        for hook in ("access_token_response", "refresh_token_response"):
            client.register_compliance_hook(hook, _of_token_endpoint)
        return client

    @contextlib.contextmanager
    def _asking(self, what: str, most: int, token_url: str = "") -> Iterator["_Bounded"]:
        """Give a client for one question; what fails is told in our words, which hold nothing of what was sent."""
        try:
            with self._client(most, token_url) as client:
                yield client
        except httpx2.TimeoutException:
            raise UnreachableError(_late(self._registration.timeout)) from None
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise UnreachableError(f"the provider cannot be reached: {type(error).__name__}") from None
        except httpx2.HTTPStatusError as error:
            raise UnreachableError(f"the provider fails: its {what} answers {error.response.status_code}") from None
        except AuthlibBaseError as error:
            raise _said_no(str(error.error)) from None
        except (ValueError, TypeError, RecursionError):
            raise UnreachableError(f"what the provider's {what} answers cannot be read") from None


class _Bounded(OAuth2Client):  # type: ignore[misc]
    """Authlib's client, each answer of which ends within its time and its size."""

    def __init__(self, timeout: float, most: int, **settings: Any) -> None:
        super().__init__(timeout=timeout, follow_redirects=False, **settings)
        self.headers["Accept-Encoding"] = "identity"
        self._seconds, self._most = timeout, most

    def send(self, request: httpx2.Request, **how: Any) -> httpx2.Response:
        """Send it, and return the whole answer."""
        deadline = _Deadline(self._seconds)
        request.extensions["trace"] = deadline.trace
        with deadline:
            try:
                answer: httpx2.Response = super().send(request, **how | {"stream": True})
                body = self._body(answer)
            except httpx2.TransportError:
                if deadline.passed:
                    raise UnreachableError(_late(self._seconds)) from None
                raise
        if deadline.passed:
            raise UnreachableError(_late(self._seconds))
        return httpx2.Response(answer.status_code, headers=answer.headers, content=body, request=answer.request)

    def _body(self, answer: httpx2.Response) -> bytes:
        body = bytearray()
        with contextlib.closing(answer):
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise UnreachableError("the provider answers compressed, which it was not asked for")
            for part in answer.iter_raw():
                body += part
                if len(body) > self._most:
                    raise UnreachableError(f"the provider answers with more than {self._most // 1000} kB")
        return bytes(body)


class _Deadline:
    """Shuts the connection when the time is over: a limit for each read alone lets an answer trickle for ever."""

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._until, self._monotonic = monotonic() + seconds, monotonic
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._shut)
        self._timer.daemon = True

    @property
    def passed(self) -> bool:
        """Tell whether the time is over."""
        return self._monotonic() >= self._until

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Note the connection when it is made (httpcore2's extension `trace`)."""
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            self._socket = info["return_value"].get_extra_info("socket")
            if self.passed:
                self._shut()

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _shut(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                # The method of an SSLSocket would take its state away from the thread that reads.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class _Proof(PrivateKeyJWT):  # type: ignore[misc]
    """Authlib's `private_key_jwt` with an id of its own for each proof, and a short life."""

    def sign(self, auth: Any, token_endpoint: str) -> Any:
        """Return the proof for one question."""
        return private_key_jwt_sign(
            auth.client_secret, auth.client_id, token_endpoint, alg=self.alg, expires_in=ASSERTION_S
        )


def _basic(client: Any, method: str, uri: str, headers: Any, body: Any) -> Any:
    """Encode id and secret as RFC 6749, 2.3.1 has it; Authlib leaves signs like % and + as they are."""
    quoted = SimpleNamespace(
        client_id=quote_plus(client.client_id), client_secret=quote_plus(client.client_secret or "")
    )
    return encode_client_secret_basic(quoted, method, uri, headers, body)


def _private_key(pem: str | None) -> RSAKey | ECKey | OKPKey:
    for kind in (RSAKey, ECKey, OKPKey):
        with contextlib.suppress(JoseError, ValueError, TypeError):
            key = kind.import_key(pem or "")
            if key.is_private:
                return key
    raise SettingsError("access.oidc.client_key is no private key in PEM without a passphrase (RSA, EC or Ed25519)")


def _algorithm(key: RSAKey | ECKey | OKPKey | None) -> str:
    return "RS256" if key is None or isinstance(key, RSAKey) else _CURVES.get(key.curve_name, "ES256")


def _of_token_endpoint(answer: httpx2.Response) -> httpx2.Response:
    if answer.status_code == httpx2.codes.TOO_MANY_REQUESTS or answer.is_redirect:
        raise UnreachableError(f"the provider does not give tokens now: it answers {answer.status_code}")
    return answer


def _content(what: str, answer: httpx2.Response) -> dict[str, Any]:
    if answer.status_code in {400, 401, 403}:
        raise RefusedError(f"the provider refuses our question to its {what} ({answer.status_code})")
    if answer.status_code != httpx2.codes.OK:
        raise UnreachableError(f"the provider fails: its {what} answers {answer.status_code}")
    try:
        return _object(answer.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UnreachableError(f"what the provider's {what} answers cannot be read") from None


def _said_no(error: str) -> NotTakenError | RefusedError:
    if error == "invalid_grant":
        return NotTakenError("the provider does not take it any more: it has ended, or was used before; sign on again")
    if error in {"invalid_client", "unauthorized_client"}:
        return RefusedError(f"the provider does not take us for the client that access.oidc names ({error})")
    if error in {"invalid_request", "unsupported_grant_type", "invalid_scope"}:
        return RefusedError(f"the provider refuses our question ({error})")
    return RefusedError("the provider refuses our question, and names no known reason")


def _late(seconds: float) -> str:
    return f"the provider does not answer within {seconds:g} s"
