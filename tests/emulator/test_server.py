"""The emulator as a command: where it says that it answers, and that nothing of it is left when it has ended."""

import os
import signal
import sys
from pathlib import Path

import httpx2
import pytest

import harness
from celeriac.emulator import Emulator, EmulatorConfig, EmulatorConfigError, serve
from celeriac.processes import running, spawn

PROGRAM = "import pathlib, sys; from celeriac.emulator import serve; serve(pathlib.Path(sys.argv[1]))"
STUBBORN = "trap '' TERM; echo $$; while :; do sleep 0.05; done"


@pytest.fixture
def command(tmp_path):
    """Run the emulator in a process of its own; return it, its address and the pids of its instances."""
    config = tmp_path / "emulator.toml"
    config.write_text(f"""
        ready_file = "ready/url"
        [[users]]
        name = "ada"
        password = "secret"
        [[apps]]
        name = "polite"
        command = "exec sleep 1000"
        instances = 2
        [[apps]]
        name = "stubborn"
        command = "{STUBBORN}"
    """)
    ready, out = tmp_path / "ready" / "url", tmp_path / "out"
    env = os.environ | {"TMPDIR": str(tmp_path)}  # an emulator that is killed leaves its folder behind
    with out.open("wb") as stream:
        child = spawn([sys.executable, "-c", PROGRAM, str(config)], env=env, stdout=stream, stderr=stream)
    with running(child, grace=0):  # a test that ends it otherwise does so itself
        harness.wait_until(ready.exists, 20, "the address is written", dump=out.read_text)
        harness.wait_until(lambda: len(instances(child)) == 3, 20, "three instances run", dump=out.read_text)
        yield child, ready, out


def instances(child):
    """Return the pids of the instances and what they started, without the shells that guard them."""
    below = harness.descendants(child.pid)
    return [pid for pid, line in below.items() if line.startswith(("sleep 1000", "/bin/sh -c trap"))]


def test_it_says_where_it_answers(command):
    _, ready, out = command
    url = ready.read_text().strip()
    first, second = harness.wait_until(
        lambda: out.read_text().splitlines()[1:] and out.read_text().splitlines(), 5, "it speaks"
    )

    assert first == f"The emulated Cloud Foundry answers at {url}"
    assert "in memory" in second
    assert httpx2.get(url, trust_env=False).json()["links"]["self"]["href"] == url


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_when_it_is_stopped(command, signum):
    child, ready, out = command
    pids, folder = instances(child), home(instances(child)[0])
    os.kill(child.pid, signum)

    assert child.wait(20) == 0
    assert not any(map(harness.alive, pids))
    assert not folder.exists()
    assert not ready.exists()
    assert len(out.read_text().splitlines()) == 2  # no traceback


def test_nothing_is_left_when_it_is_killed(command):
    child, _, _ = command
    pids = instances(child)
    child.kill()

    harness.wait_until(lambda: not any(map(harness.alive, pids)), 10, "all instances have died with it")


def home(pid):
    """Return the emulator's temporary folder, which every instance's home is in."""
    variables = Path("/proc", str(pid), "environ").read_bytes().split(b"\0")
    [found] = [each.removeprefix(b"HOME=") for each in variables if each.startswith(b"HOME=")]
    return Path(found.decode()).parent.parent


def test_a_port_that_is_taken_is_a_clear_error(launch):
    taken = int(launch().emulator.url.rpartition(":")[2])

    with pytest.raises(EmulatorConfigError, match=rf"port is {taken}, which cannot be listened on .*: give another"):
        Emulator(EmulatorConfig(apps=(), port=taken))


def test_the_port_of_the_call_outranks_the_one_of_the_file(tmp_path, launch):
    taken = int(launch().emulator.url.rpartition(":")[2])
    config = tmp_path / "emulator.toml"
    config.write_text('port = 0\n[[users]]\nname = "ada"\npassword = "secret"\n')

    with pytest.raises(EmulatorConfigError, match=f"port is {taken}"):
        serve(config, port=taken)


def test_a_ready_file_that_cannot_be_written_is_a_clear_error(tmp_path):
    (tmp_path / "file").touch()

    with (
        pytest.raises(EmulatorConfigError, match=r"ready_file is .* which cannot be written"),
        Emulator(EmulatorConfig(apps=(), ready_file=tmp_path / "file" / "url")),
    ):
        pass


def test_the_same_names_are_the_same_foundation_after_a_restart(launch):
    first, second = launch(), launch()

    assert first.cf.app()["guid"] == second.cf.app()["guid"]
    assert first.cf.process()["guid"] == second.cf.process()["guid"]
    assert first.cf.process()["version"] != second.cf.process()["version"]
