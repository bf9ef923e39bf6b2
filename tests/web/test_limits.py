"""What a flood, a slow sender or a malformed request can do: nothing but be told so."""

import asyncio
import contextlib
import logging
import socket
import threading
import time

import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

import harness
from celeriac.web import limits, protocol
from celeriac.web.app import create_app
from web.serving import serving

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
RESTART = "/api/v1/workers/orders-worker/0/restart"


def told(console, *parts: bytes) -> bytes:
    """Send the parts, and return all that comes until the console ends the connection, or is silent for 5 s."""
    with socket.create_connection(("127.0.0.1", console.port), timeout=5) as connection:
        for part in parts:
            connection.sendall(part)
        return rest(connection)


def rest(connection: socket.socket) -> bytes:
    got = b""
    with contextlib.suppress(ConnectionError, TimeoutError):
        while came := connection.recv(65536):
            got += came
    return got


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    return "\r\n".join([line, "Host: localhost", "Connection: close", *headers, "", ""]).encode("latin-1") + body


@pytest.fixture
def quick(monkeypatch):
    for name in ("HEAD_S", "BODY_S", "STALL_S"):
        monkeypatch.setattr(protocol, name, 0.4)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (request(f"POST {RESTART} HTTP/1.1", "Content-Length: 65537"), 413),
        (request(f"POST {RESTART} HTTP/1.1", "Transfer-Encoding: chunked", body=b"11000\r\n" + b"x" * 0x11000), 413),
        (request("GET /healthz HTTP/1.1", "Content-Length: 99999999999999999999"), 413),
        (request(f"GET /{'a' * 8200} HTTP/1.1"), 414),
        (request(f"GET /?{'a' * 8200} HTTP/1.1"), 414),
        (request("GET /healthz HTTP/1.1", *[f"X-{n}: 1" for n in range(120)]), 431),
        (request("GET /healthz HTTP/1.1", f"X: {'a' * 40_000}"), 431),
        (request("GET /healthz HTTP/1.1", f"X: {'a' * 400_000}"), 431),
        (request("POST / HTTP/1.1", "Content-Length: 1", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400),
        (request("POST /healthz HTTP/1.1"), 405),
        (request("DELETE / HTTP/1.1"), 405),
        (request("TRACE / HTTP/1.1"), 405),
        (request("NOPE /healthz HTTP/1.1"), 405),
        (request("OPTIONS * HTTP/1.1"), 404),
        (request("CONNECT localhost:22 HTTP/1.1"), 404),
        (request("GET http://evil.example/ HTTP/1.1"), 404),
        (request("GET /%00%ff%fe HTTP/1.1"), 404),
        (request("GET //evil.example/%2e%2e HTTP/1.1"), 404),
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\n\r\n", 403),
        (request("GET / HTTP/1.1", "Content-Length: -1"), 400),
        (request("GET / HTTP/1.1", "Content-Length: 1", "Content-Length: 2"), 400),
        (request("POST / HTTP/1.1", "Transfer-Encoding: gzip"), 501),
        (request("GET /healthz HTTP/1.1", "Upgrade: websocket", "Connection: upgrade"), 200),
    ],
)
def test_what_is_too_much_or_malformed_is_told_so(console, caplog, sent, status):
    answer = told(console, sent)

    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer[:300]
    assert b"Traceback" not in answer
    assert not [line for line in caplog.records if line.levelno >= logging.ERROR]


def test_a_refusal_is_a_problem_or_a_page_with_all_headers(console):
    problem = told(console, request(f"POST {RESTART} HTTP/1.1", "Content-Length: 65537"))
    page = told(console, request("POST /incidents/x/approve HTTP/1.1", "Content-Length: 65537"))

    assert b"application/problem+json" in problem
    assert b"65536 bytes" in problem
    assert b"text/html" in page
    assert b"content-security-policy" in page.lower()


def test_a_body_of_the_right_size_is_read_whole(console):
    body = b'{"x": "' + b"a" * 60_000 + b'"}'
    sent = request(
        f"POST {RESTART} HTTP/1.1", "Content-Type: application/json", f"Content-Length: {len(body)}", body=body
    )

    assert told(console, sent).startswith(b"HTTP/1.1 202")


@pytest.mark.parametrize("begun", [False, True])
def test_what_breaks_a_body_off_leaves_no_traceback(console, caplog, begun):
    path = "/api/v1/stream" if begun else RESTART
    method = "GET" if begun else "POST"
    head = request(f"{method} {path} HTTP/1.1", "Transfer-Encoding: chunked")
    with socket.create_connection(("127.0.0.1", console.port), timeout=5) as connection:
        connection.sendall(head + (b"0\r\n\r\n" if begun else b"2\r\n{}\r\n"))
        if begun:
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
        connection.sendall(b"zz nonsense\r\n\r\n")
        if not begun:
            assert rest(connection).startswith(b"HTTP/1.1 400")

    assert told(console, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")).startswith(b"HTTP/1.1 200")
    assert not [line for line in caplog.records if line.levelno >= logging.ERROR]


def dripping(console, first: bytes, drop: bytes) -> tuple[float, bytes]:
    """Send a drop each 0.1 s, and return how long the console bore that, and what it said."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", console.port), timeout=0.1) as connection:
        connection.sendall(first)
        got = b""
        while time.monotonic() - began < 10:
            try:
                connection.sendall(drop)
                came = connection.recv(4096)
            except TimeoutError:
                continue
            except ConnectionError:
                break
            if not came:
                break
            got += came
    return time.monotonic() - began, got


@pytest.mark.parametrize(
    ("first", "drop", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"X: y\r\n", b"408"),
        (GET + b"GET / HT", b"T", b"408"),
        (request(f"POST {RESTART} HTTP/1.1", "Content-Length: 60000"), b"x", b"408"),
        (request(f"POST {RESTART} HTTP/1.1", "Transfer-Encoding: chunked"), b"1\r\nx\r\n", b"408"),
    ],
    ids=["head", "next head", "body", "chunks"],
)
def test_a_slow_sender_is_not_waited_for(quick, console, first, drop, status):
    lasted, answer = dripping(console, first, drop)

    assert lasted < 5
    assert b"HTTP/1.1 " + status in answer


def test_a_connection_that_says_nothing_is_ended(quick, console):
    assert told(console) == b""


def test_slow_senders_hold_no_place_of_others(console, monkeypatch):
    with contextlib.ExitStack() as stack:
        for _ in range(limits.AT_ONCE + 20):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", console.port), timeout=5))
            one.sendall(request(f"POST {RESTART} HTTP/1.1", "Content-Length: 10"))

        assert told(console, request("GET /api/v1/clusters HTTP/1.1")).startswith(b"HTTP/1.1 200")


def test_more_connections_than_that_are_turned_away(console, monkeypatch):
    monkeypatch.setattr(protocol, "CONNECTIONS", 5)
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(socket.create_connection(("127.0.0.1", console.port), timeout=5)).sendall(b"GET")
        answer = told(console)

    assert answer.startswith(b"HTTP/1.1 503")
    assert b"retry-after: 5" in answer
    closing = request("GET /healthz HTTP/1.1")
    harness.wait_until(lambda: told(console, closing).startswith(b"HTTP/1.1 200"), 5, "there is room again")


def test_a_stream_outlives_every_time_limit(quick, console):
    with socket.create_connection(("127.0.0.1", console.port), timeout=5) as connection:
        connection.sendall(request("GET /api/v1/stream HTTP/1.1"))
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        connection.settimeout(1.5)
        began = time.monotonic()
        with contextlib.suppress(TimeoutError):
            while time.monotonic() - began < 1.5:
                assert connection.recv(4096)


def slow_app(world, gate: threading.Event) -> FastAPI:
    app = create_app(world.service)

    async def slow() -> dict[str, str]:
        await asyncio.to_thread(gate.wait, 20)
        return {}

    async def much() -> StreamingResponse:
        async def parts():
            for _ in range(2000):
                yield b"x" * 65536

        return StreamingResponse(parts())

    app.add_api_route("/api/v1/slow", slow)
    app.add_api_route("/api/v1/much", much)
    return app


def test_beyond_so_many_at_once_others_are_told_to_come_again(world):
    gate = threading.Event()
    with serving(world, app=slow_app(world, gate)) as console, contextlib.ExitStack() as stack:
        waiting = []
        for _ in range(limits.AT_ONCE):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", console.port), timeout=5))
            one.sendall(request("GET /api/v1/slow HTTP/1.1"))
            waiting.append(one)
        ask = request("GET /api/v1/clusters HTTP/1.1")
        answer = harness.wait_until(
            lambda: (got := told(console, ask)).startswith(b"HTTP/1.1 503") and got, 10, "it is too much"
        )
        assert b"retry-after: 1" in answer
        assert told(console, request("GET /healthz HTTP/1.1")).startswith(b"HTTP/1.1 200")
        gate.set()
        assert all(rest(one).startswith(b"HTTP/1.1 200") for one in waiting)
        assert told(console, ask).startswith(b"HTTP/1.1 200")


def test_a_client_that_reads_nothing_is_let_go(quick, world):
    with serving(world, app=slow_app(world, threading.Event())) as console:  # noqa: SIM117 (the console outlives the client)
        with socket.create_connection(("127.0.0.1", console.port), timeout=5) as connection:
            connection.sendall(request("GET /api/v1/much HTTP/1.1"))
            connections = console.server.server_state.connections
            harness.wait_until(lambda: len(connections) == 1, 5, "it is connected")
            harness.wait_until(lambda: not connections, 10, "it is let go")
