"""How the console is reached: names, origins, proxies, prefix, and pages of other sites."""

import http.client
import http.server
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fastapi import Request
from fastapi.testclient import TestClient

from celeriac.settings import ConsoleSettings
from celeriac.web.app import create_app
from web.serving import serving

RESTART = "/api/v1/workers/orders-worker/0/restart"
PUBLIC = "https://ops.example"
GUEST = "https://dash.example"
TOKEN = {"authorization": "Bearer t"}


def asking(world, peer="198.51.100.7", **settings) -> TestClient:
    app = create_app(world.service, console=ConsoleSettings(**settings))

    def seen(request: Request) -> dict[str, object]:
        assert request.client is not None
        return {
            "client": request.client.host,
            "scheme": request.url.scheme,
            "host": request.headers["host"],
            "cookies": request.cookies,
        }

    app.add_api_route("/api/v1/seen", seen, methods=["GET", "POST"])
    return TestClient(app, "http://ops.example", client=(peer, 5000))


@pytest.mark.parametrize(
    ("host", "settings"),
    [
        ("ops.example", {"host": "0.0.0.0", "public_url": PUBLIC}),  # noqa: S104 (a setting, not bound to)
        ("10.0.0.5:5555", {"host": "10.0.0.5"}),
        ("[fd00::5]:5555", {"host": "fd00::5"}),
        ("localhost:5555", {"public_url": PUBLIC}),
    ],
)
def test_own_names(world, host, settings):
    assert asking(world, **settings).get("/api/v1/clusters", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:5555", "localhost", "[::1]", "0.0.0.0", "10.0.0.6", "ops.example.evil.example"],  # noqa: S104 (a setting, not bound to)
)
def test_beyond_loopback_a_loopback_name_is_foreign(world, host):
    asked = asking(world, host="0.0.0.0", public_url=PUBLIC)  # noqa: S104 (a setting, not bound to)

    assert asked.get("/api/v1/clusters", headers={"host": host}).status_code == 403


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (PUBLIC, 202),
        ("https://OPS.example:443", 202),
        ("http://ops.example", 202),  # the address that was asked, as nobody trusted says it came by TLS
        ("https://ops.example:8443", 403),
        ("http://ops.example:5555", 403),
        ("https://ops.example.evil.example", 403),
        ("null", 403),
        ("https://ops.example@evil.example", 403),
        ("ftp://ops.example", 403),
    ],
)
def test_an_origin_counts_whole(world, origin, status):
    assert asking(world, public_url=PUBLIC).post(RESTART, headers={"origin": origin}).status_code == status


@pytest.mark.parametrize("site", ["same-site", "cross-site", "other"])
def test_what_the_browser_calls_another_site_is_one(world, site):
    headers = {"sec-fetch-site": site, "origin": PUBLIC}

    assert asking(world, public_url=PUBLIC).post(RESTART, headers=headers).status_code == 403


def test_behind_tls_the_origin_is_https(world):
    asked = asking(world, "10.1.0.9", allowed_hosts=["ops.example"], trusted_proxies=["10.1.0.0/16"])
    proto = {"x-forwarded-proto": "https"}

    assert asked.post(RESTART, headers={**proto, "origin": PUBLIC}).status_code == 202
    assert asked.post(RESTART, headers={**proto, "origin": "http://ops.example"}).status_code == 403


@pytest.mark.parametrize("peer", ["198.51.100.7", "127.0.0.1", "::1", "10.2.0.1"])
@pytest.mark.parametrize("proxies", [[], ["10.1.0.0/16"]])
def test_nobody_else_says_who_the_client_is(world, monkeypatch, peer, proxies):
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    asked = asking(world, peer, allowed_hosts=["ops.example"], trusted_proxies=proxies)
    forged = {"x-forwarded-for": "203.0.113.1", "x-forwarded-proto": "https"}

    answer = asked.get("/api/v1/seen", headers=forged)

    assert answer.json()["client"] == peer
    assert answer.json()["scheme"] == "http"
    assert "strict-transport-security" not in answer.headers


@pytest.mark.parametrize(
    ("said", "client"),
    [
        ("203.0.113.1", "203.0.113.1"),
        ("192.0.2.1, 203.0.113.1", "203.0.113.1"),
        ("192.0.2.1, 203.0.113.1, 10.1.0.8", "203.0.113.1"),
        ("192.0.2.1, 203.0.113.1:4711", "203.0.113.1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("203.0.113.1, <script>", "10.1.0.9"),
        ("", "10.1.0.9"),
    ],
)
def test_behind_a_proxy_the_rightmost_stranger_is_the_client(world, said, client):
    asked = asking(world, "10.1.0.9", allowed_hosts=["ops.example"], trusted_proxies=["10.1.0.0/16"])

    assert asked.get("/api/v1/seen", headers={"x-forwarded-for": said}).json()["client"] == client


def test_no_proxy_names_host_or_prefix(world):
    asked = asking(world, "10.1.0.9", allowed_hosts=["ops.example"], trusted_proxies=["10.1.0.0/16"])
    forged = {
        "x-forwarded-host": "evil.example",
        "x-forwarded-prefix": "/evil",
        "forwarded": "for=203.0.113.1;host=evil.example;proto=https",
    }

    answer = asked.get("/api/v1/seen", headers=forged).json()

    assert answer == {"client": "10.1.0.9", "scheme": "http", "host": "ops.example", "cookies": {}}
    assert "evil" not in asked.get("/", headers=forged).text


def test_hsts_comes_with_tls_alone(world):
    asked = asking(world, "10.1.0.9", allowed_hosts=["ops.example"], trusted_proxies=["10.1.0.9"])
    tls = {"x-forwarded-proto": "https"}

    assert asked.get("/", headers=tls).headers["strict-transport-security"] == "max-age=31536000"
    assert "strict-transport-security" not in asked.get("/").headers
    assert "strict-transport-security" not in asked.get("/", headers={**tls, "host": "localhost:1"}).headers
    assert "camera=()" in asked.get("/").headers["permissions-policy"]


def sharing(world) -> TestClient:
    return asking(world, public_url=PUBLIC, cors_origins=[GUEST])


def test_a_listed_page_may_ask_first(world):
    ask = {"origin": GUEST, "access-control-request-method": "POST"}
    answer = sharing(world).options(RESTART, headers=ask)

    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == GUEST
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    assert answer.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in answer.headers


def test_a_listed_page_needs_a_token_and_its_cookies_do_not_count(world):
    asked = sharing(world)
    cookie = {"origin": GUEST, "sec-fetch-site": "cross-site", "cookie": "s=1"}

    assert asked.post("/api/v1/seen", headers=cookie).status_code == 403
    answer = asked.post("/api/v1/seen", headers={**cookie, **TOKEN})
    assert answer.json()["cookies"] == {}
    assert answer.headers["access-control-allow-origin"] == GUEST
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://dash.example", f"{GUEST}.evil.example"])
def test_an_unlisted_page_is_not_heard(world, origin):
    asked = sharing(world)

    asking_first = asked.options(RESTART, headers={"origin": origin, "access-control-request-method": "POST"})
    assert asking_first.status_code == 405
    assert "access-control-allow-origin" not in asking_first.headers
    assert asked.post(RESTART, headers={"origin": origin, **TOKEN}).status_code == 403
    assert "access-control-allow-origin" not in asked.get("/api/v1/clusters", headers={"origin": origin}).headers


def test_pages_are_shared_with_nobody(world):
    asked = sharing(world)

    assert "access-control-allow-origin" not in asked.get("/", headers={"origin": GUEST, **TOKEN}).headers
    assert asked.post("/incidents/inc-hung/approve", headers={"origin": GUEST, **TOKEN}).status_code == 403


def test_nothing_is_shared_unless_listed(world):
    answer = asking(world, public_url=PUBLIC).get("/api/v1/clusters", headers={"origin": GUEST, **TOKEN})

    assert not [name for name in answer.headers if name.startswith("access-control")]


@contextmanager
def proxied(port: int, *, strip: bool) -> Iterator[int]:
    """Run a tiny reverse proxy for /ops/celeriac, which strips it or passes it on; yields its port."""

    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.removeprefix("/ops/celeriac") if strip else self.path
            upstream = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            upstream.request(self.command, path or "/", body, dict(self.headers))
            answer = upstream.getresponse()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {"transfer-encoding", "date"}:
                    self.send_header(name, value)
            self.send_header("connection", "close")
            self.end_headers()
            stream = answer.getheader("content-type", "").startswith("text/event-stream")
            self.wfile.write(answer.readline() if stream else answer.read())
            self.close_connection = True
            upstream.close()

        do_POST = do_GET  # noqa: N815 (the base class has it so)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join(10)


def fetched(port: int, path: str, method: str = "GET") -> tuple[int, str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path)
    answer = connection.getresponse()
    try:
        return answer.status, answer.read().decode(), answer.getheader("location", "")
    finally:
        connection.close()


@pytest.mark.parametrize("strip", [True, False], ids=["stripped", "passed on"])
def test_everything_works_below_a_prefix(world, strip):
    with serving(world, root_path="/ops/celeriac") as console, proxied(console.port, strip=strip) as port:
        status, page, _ = fetched(port, "/ops/celeriac/")
        links = set(re.findall(r"""(?:src|href|action|hx-(?:get|post)|sse-connect)=["'](/[^"'#]*)""", page))

        assert status == 200
        assert links
        assert {link for link in links if not link.startswith("/ops/celeriac/")} == set()
        assert {
            link: code for link in links if "/approve" not in link and (code := fetched(port, link)[0]) >= 500
        } == {}
        statics = [link for link in links if "/static/" in link]
        assert statics
        assert [fetched(port, link)[0] for link in statics] == [200] * len(statics)
        assert fetched(port, "/ops/celeriac")[0] == 200
        assert fetched(port, "/ops/celeriac/healthz")[0] == 200
        assert fetched(port, "/ops/celeriac/api/v1/stream")[1].startswith("event: changed")
        assert fetched(port, f"/ops/celeriac{RESTART}", "POST")[0] == 202
        assert fetched(port, "/ops/celeriac/nope")[0] == 404
        assert '"/ops/celeriac/' in fetched(port, "/ops/celeriac/api/v1/nope")[1]


@pytest.mark.parametrize("prefix", ["/api", "/static/x", "/healthz"])
def test_a_prefix_is_no_path_of_ours(prefix):
    with pytest.raises(ValueError, match="path of the console itself; choose another"):
        ConsoleSettings(root_path=prefix)
