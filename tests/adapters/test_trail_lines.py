"""Lines of the audit trail: whole on a shared pipe, never in anybody's way, and to real syslog listeners."""

import contextlib
import os
import re
import select
import socket
import sys

import pytest
from structlog.testing import capture_logs

from celeriac.adapters import trail_lines
from celeriac.adapters.trail_lines import LONGEST_DATAGRAM, Output, TrailLines, syslog
from celeriac.processes import running, spawn
from harness import wait_until

FORM = re.compile(
    rb"<110>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [!-~]{1,255} celeriac %d audit - (.*)" % os.getpid(), re.DOTALL
)


@pytest.fixture
def pipe():
    ends = os.pipe()
    yield ends
    for end in ends:
        with contextlib.suppress(OSError):
            os.close(end)


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(trail_lines, "FIRST_PAUSE_S", 0.01)


def read(end, until, within=10.0):
    """Read from a pipe until that is there."""
    found = b""
    while until not in found:
        assert select.select([end], [], [], within)[0], found
        found += os.read(end, 1 << 16)
    return found


def test_a_line_is_one_line_on_standard_output(pipe):
    trail = TrailLines(Output(pipe[1]))
    trail.tell(b'{"a": 1}')
    trail.tell(b"with\nan\r\nend")

    assert read(pipe[0], b"end\n") == b'{"a": 1}\nwith an  end\n'
    trail.close()


WRITER = """
import sys
from celeriac.adapters.trail_lines import stdout
trail = stdout()
for number in range(20):
    trail.tell((sys.argv[1] * (90_000 if number % 2 else 100)).encode())
trail.close(30)
"""


def test_lines_stay_whole_where_processes_share_a_pipe(pipe):
    """Also those that are longer than what the kernel keeps together."""
    children = [spawn([sys.executable, "-c", WRITER, sign], name=sign, stdout=pipe[1]) for sign in "abc"]
    with running(children[0], grace=2), running(children[1], grace=2), running(children[2], grace=2):
        wait_until(
            lambda: not select.select([], [pipe[1]], [], 0)[1], 20, "the pipe is full, and several wait to write"
        )
        os.close(pipe[1])
        found = b""
        while some := os.read(pipe[0], 4096):  # little room at a time, for which they compete
            found += some
    lines = found.decode().splitlines()

    assert len(lines) == 60
    assert {(len(line), len(set(line))) for line in lines} == {(100, 1), (90_000, 1)}


def test_a_pipe_that_nobody_reads_holds_up_nobody(pipe):
    """What waits has a bound; what is lost is counted, and told once in the log."""
    os.set_blocking(pipe[1], False)
    while select.select([], [pipe[1]], [], 0)[1]:
        os.write(pipe[1], b"x" * 4096)
    os.set_blocking(pipe[1], True)
    with capture_logs() as logs:
        trail = TrailLines(Output(pipe[1]), waiting=100)
        for _ in range(5000):
            trail.tell(b"x" * 1000)
        assert trail.lost > 4000
        trail.close(0.01)
        assert [one["event"] for one in logs] == ["audit lines are lost here, and are in the store alone"]
    os.set_blocking(pipe[0], False)
    wait_until(lambda: not drained(pipe[0]), 10, "the thread has let go of the pipe")


def drained(end):
    try:
        return os.read(end, 1 << 20)
    except BlockingIOError:
        return b""


def test_a_closed_output_raises_nothing(pipe):
    os.close(pipe[0])
    with capture_logs() as logs:
        trail = TrailLines(Output(pipe[1]), waiting=3)
        for _ in range(10):
            trail.tell(b"x")
        wait_until(lambda: len(logs) >= 2, 10, "it was logged")
        assert trail.lost >= 6
        trail.close(0.01)
    assert sorted(one["event"] for one in logs) == [
        "audit lines are lost here, and are in the store alone",
        "audit lines do not go, and are tried again",
    ]


def test_an_output_that_does_not_block_gets_all_of_a_long_line(pipe):
    os.set_blocking(pipe[1], False)
    trail = TrailLines(Output(pipe[1]))
    trail.tell(b"x" * 300_000)

    assert read(pipe[0], b"\n") == b"x" * 300_000 + b"\n"
    trail.close()


def test_a_descriptor_that_does_not_exist_raises_nothing():
    trail = TrailLines(Output(987))
    trail.tell(b"x")
    trail.close(0.01)


# Syslog


@pytest.fixture
def udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(10)
        yield listener


@pytest.fixture
def tcp():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        yield listener


def test_a_datagram_is_a_message_of_rfc_5424(udp):
    trail = syslog("127.0.0.1", udp.getsockname()[1], tcp=False)
    trail.tell('{"detail": "é"}'.encode())

    assert FORM.fullmatch(udp.recv(65536))[1] == '{"detail": "é"}'.encode()
    trail.close()


def test_a_line_too_long_for_a_datagram_is_cut_with_a_mark(udp):
    trail = syslog("127.0.0.1", udp.getsockname()[1], tcp=False)
    for padding in range(2):  # one of the two would be cut within a character
        trail.tell(b"x" * padding + "é".encode() * 10_000)
        found = udp.recv(65536)
        assert LONGEST_DATAGRAM - 1 <= len(found) <= LONGEST_DATAGRAM
        assert found.decode().endswith("é [cut]")
    trail.close()


def framed(connection):
    """Read one message that stands behind its length."""
    digits = b""
    while not digits.endswith(b" "):
        digits += connection.recv(1)
    rest, found = int(digits), b""
    while len(found) < rest:
        found += connection.recv(rest - len(found))
    return FORM.fullmatch(found)[1]


def test_each_message_stands_behind_its_length(tcp):
    trail = syslog("127.0.0.1", tcp.getsockname()[1], tcp=True)
    for line in (b"one", b"x" * 100_000, b"three"):
        trail.tell(line)
    connection, _ = tcp.accept()
    with connection:
        connection.settimeout(10)
        assert [framed(connection) for _ in range(3)] == [b"one", b"x" * 100_000, b"three"]
    trail.close()


def test_a_server_that_goes_and_comes_back_gets_what_waited(tcp):
    port = tcp.getsockname()[1]
    trail = syslog("127.0.0.1", port, tcp=True)
    trail.tell(b"one")
    connection, _ = tcp.accept()
    with connection:
        connection.settimeout(10)
        assert framed(connection) == b"one"
    tcp.close()
    with capture_logs() as logs:
        trail.tell(b"two")
        trail.tell(b"three")
        wait_until(lambda: logs, 10, "it was logged")
        with socket.create_server(("127.0.0.1", port)) as again:
            again.settimeout(30)
            connection, _ = again.accept()
            with connection:
                connection.settimeout(10)
                assert [framed(connection) for _ in range(2)] == [b"two", b"three"]
    assert [one["event"] for one in logs] == ["audit lines do not go, and are tried again"]
    assert trail.lost == 0
    trail.close()


def test_a_server_that_never_was_holds_up_nobody(free_port):
    with capture_logs() as logs:
        trail = syslog("127.0.0.1", free_port(), tcp=True)
        trail.tell(b"x")
        wait_until(lambda: logs, 10, "it was logged")
        trail.close(0.01)
