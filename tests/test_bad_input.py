"""Bad input at start-up: one sentence that names the setting and the fix, exit code 2, no traceback, no secret."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from celeriac.emulator import Emulator, EmulatorConfig, UserConfig

SECRET = "hunter2-is-not-shown"


def settings(folder: Path, api: str = "http://127.0.0.1:9") -> Path:
    path = folder / "celeriac.toml"
    path.write_text(
        f'store = "{folder / "store"}"\n[console]\nport = {harness.free_port()}\n'
        f'[[platform]]\nname = "cf"\napi = "{api}"\norg = "demo"\nspace = "dev"\nusername = "ada"\n'
        f'password = "{SECRET}"\n'
        '[[cluster]]\nname = "demo"\nbroker = "redis://127.0.0.1:9/0"\nplatform = "cf"\napps = ["shop"]\n'
    )
    return path


def serve(config: Path, *more: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "celeriac", "serve", "--config", str(config), *more],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def refused(answer: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert answer.returncode == 2, answer.stderr
    assert "Traceback" not in answer.stderr
    assert SECRET not in answer.stderr + answer.stdout
    assert len(answer.stderr.strip().splitlines()) == 1, answer.stderr
    for part in parts:
        assert part in answer.stderr


@pytest.mark.parametrize(
    ("more", "env", "parts"),
    [
        ((), {"CELERIAC_HEAL__MOOD": "auto"}, ("heal.mood", "did you mean mode")),
        ((), {"CELERIAC_CLUSTER__DEMO__BROKER": f"reds://:{SECRET}@x"}, ("cluster.demo.broker", "redis://")),
        ((), {"CELERIAC_MODE": "sometimes"}, ("heal.mode", "observe")),
        (("--host", "0.0.0.0"), {}, ("console.host", "127.0.0.1")),  # noqa: S104 (it must be refused)
        (("--port", "99999"), {}, ("console.port",)),
        (("--store", "/dev/null/x"), {}, ("store", "/dev/null/x", "cannot be written")),
        (("--store", f"postgresql://ana:{SECRET}@x/db"), {}, ("store", "sqlite:///")),
        (("--config", "/nowhere/celeriac.toml"), {}, ("/nowhere/celeriac.toml", "--config")),
    ],
)
def test_a_wrong_setting_is_one_sentence(
    tmp_path: Path, more: tuple[str, ...], env: dict[str, str], parts: tuple[str, ...]
) -> None:
    """An unknown setting, a malformed URL, an open address, an unusable directory: named, with the fix, exit 2."""
    refused(serve(settings(tmp_path), *more, **env), *parts)


def test_a_directory_that_may_not_be_written_is_one_sentence(tmp_path: Path) -> None:
    """A data directory without the right to write is named with its reason."""
    if os.geteuid() == 0:
        folder = Path("/proc/celeriac")  # not even root makes a directory there
    else:
        (tmp_path / "locked").mkdir(mode=0o500)
        folder = tmp_path / "locked" / "store"
    refused(serve(settings(tmp_path), "--store", str(folder)), "store", str(folder))


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    """A port on which another program listens is named, with the flag that chooses another."""
    with harness.listening() as port:
        refused(serve(settings(tmp_path), "--port", str(port)), "console.port", "--port")


def test_a_wrong_password_is_one_sentence(tmp_path: Path) -> None:
    """A foundation that refuses the login: the user and the setting are named, the password is not."""
    with Emulator(EmulatorConfig(apps=(), users=(UserConfig("ada", "another"),))) as foundation:
        refused(serve(settings(tmp_path, foundation.url)), "user ada", "platform.cf.password")


def test_an_unknown_login_of_a_client_is_one_sentence(tmp_path: Path) -> None:
    """Half a login is refused before anything is asked."""
    refused(
        serve(settings(tmp_path), CELERIAC_PLATFORM__CF__CLIENT_ID="robot", CELERIAC_PLATFORM__CF__CLIENT_SECRET="x"),
        "platform.cf",
        "either username and password, or client_id and client_secret",
    )
