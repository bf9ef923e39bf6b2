"""A provider on a real socket that forges: what an honest one never answers, a test has it answer."""

import base64
import contextlib
import hmac
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from celeriac.core.signon import Begun
from celeriac.oidc import Registration
from celeriac.oidc.tokens import LOGOUT_EVENT, at_hash

NOW = 1_800_000_000
REDIRECT = "http://127.0.0.1/callback"
BEGUN = Begun("", "the-state", "the-nonce", "the-verifier-that-is-as-long-as-a-verifier-must-be")
ANSWER = {"state": BEGUN.state, "code": "the-code"}
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
LEFT_OUT = object()
"""Stands for a claim that is not there."""

Answer = tuple[int, bytes]


class Forger:
    """Answers what `answers` holds for a path; `asked` holds each question: method, path, headers, form."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.asked: list[tuple[str, str, dict[str, str], dict[str, str]]] = []
        self.keys: list[Any] = [KEY.as_dict(private=False)]
        self.discovery: dict[str, Any] = {
            "issuer": self.issuer,
            **{
                name: f"{self.issuer}/{name}"
                for name in ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "introspection_endpoint")
            },
            "jwks_uri": f"{self.issuer}/keys",
            "id_token_signing_alg_values_supported": ["none", "HS256", "RS256"],
        }
        self.tokens: dict[str, Any] = {"access_token": "the-access-token", "token_type": "Bearer", "expires_in": 300}
        self.userinfo: dict[str, Any] = {"sub": "ada"}
        self.introspection: dict[str, Any] = {"active": False}
        self.statuses: dict[str, int] = {}
        self.wait: threading.Event | None = None
        self.raw: dict[str, Callable[[Any], None]] = {}

    def registration(self, **changed: Any) -> Registration:
        told = {"issuer": self.issuer, "client_id": "celeriac", "client_secret": "made-up", "timeout": 5.0}
        return Registration(**(told | changed))

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Return the claims of a good ID token of ada, with changes."""
        good = {
            "iss": self.issuer,
            "aud": "celeriac",
            "sub": "ada",
            "exp": NOW + 300,
            "iat": NOW,
            "nonce": BEGUN.nonce,
            "groups": ["celeriac-admins"],
            "at_hash": at_hash("RS256", "the-access-token"),
        }
        return {name: value for name, value in (good | changed).items() if value is not LEFT_OUT}

    def give(self, token: str | None) -> None:
        """Give this ID token for the next codes."""
        self.tokens["id_token"] = token

    def count(self, path: str) -> int:
        return sum(asked[1] == path for asked in self.asked)

    def answer(self, path: str) -> Answer:
        bodies = {
            "/.well-known/openid-configuration": self.discovery,
            "/keys": {"keys": self.keys},
            "/token_endpoint": self.tokens,
            "/userinfo_endpoint": self.userinfo,
            "/introspection_endpoint": self.introspection,
        }
        return self.statuses.get(path, 200 if path in bodies else 404), json.dumps(bodies.get(path, {})).encode()


def signed(claims: dict[str, Any], key: RSAKey | ECKey | OKPKey = KEY, **header: Any) -> str:
    """Sign claims; a header of None is left out."""
    told = {name: value for name, value in ({"alg": "RS256", "kid": "one"} | header).items() if value is not None}
    registry = jws.JWSRegistry(algorithms=[told["alg"]], strict_check_header=False)
    registry.check_header = lambda header: None  # type: ignore[method-assign]
    payload = json.dumps(claims).encode()
    begun = f"{_encoded(json.dumps(told).encode())}.{_encoded(payload)}"
    if told["alg"] == "none":
        return f"{begun}."
    if told["alg"] == "HS256":  # with the public key for a secret, which joserfc does not make
        return f"{begun}.{_encoded(hmac.digest(key.as_pem(private=False), begun.encode(), 'sha256'))}"
    return jws.serialize_compact(told, payload, key, registry=registry)


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def logout_claims(issuer: str, **changed: Any) -> dict[str, Any]:
    """Return the claims of a good logout token, with changes."""
    good = {"iss": issuer, "aud": "celeriac", "iat": NOW, "exp": NOW + 120, "jti": "the-id", "sid": "s1", "sub": "ada"}
    told = good | {"events": {LOGOUT_EVENT: {}}} | changed
    return {name: value for name, value in told.items() if value is not LEFT_OUT}


@contextlib.contextmanager
def forging(certificate: tuple[Path, Path] | None = None) -> Iterator[Forger]:
    """Run one on a free port; with a certificate and its key it speaks TLS, as localhost."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            length = int(self.headers.get("content-length", 0))
            form = dict(parse_qsl(self.rfile.read(length).decode()))
            forger.asked.append(
                (self.command, path, {name.lower(): value for name, value in self.headers.items()}, form)
            )
            if path in forger.raw:
                forger.raw[path](self)
                return
            status, body = forger.answer(path)
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            if 300 <= status < 400:
                self.send_header("location", f"{forger.issuer}/elsewhere")
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 (the same)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    forger = Forger(f"http://127.0.0.1:{server.server_address[1]}")
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        forger = Forger(f"https://localhost:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield forger
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
