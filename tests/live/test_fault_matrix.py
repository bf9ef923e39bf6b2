"""A dozen rows of the fault matrix, by its own code: verdicts, remedies and proof on real workers, and their recordings."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import harness
from celeriac.cli import main
from celeriac.processes import running, spawn

ROOT = Path(__file__).parent.parent.parent
INTERRUPTED = "F3-redis-prefork-5.7.0"
AT_ONCE = "5"
"""Rows side by side: other live tests run beside them."""

pytestmark = pytest.mark.live


@pytest.fixture(autouse=True)
def faults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the test import what breaks workers; it is no part of the package."""
    monkeypatch.syspath_prepend(str(ROOT))


def need_celeries() -> None:
    """Skip without the virtual environments that `make fault-matrix` makes."""
    from faults.rows import CELERIES

    for version in CELERIES:
        if not (ROOT / ".venv-celery" / version / "bin" / "python").exists():
            harness.absent(f"Celery {version} in .venv-celery (make fault-matrix installs it)")


def matrix(*args: str) -> list[str]:
    return [sys.executable, "-m", "faults", "matrix", *args]


def replayed(recording: Path) -> list[tuple[str, str]]:
    """Return what `celeriac replay` says of the broken worker: its names differ by life, its place is w0."""
    done = CliRunner().invoke(main, ["replay", str(recording)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    changes = [json.loads(line) for line in done.output.splitlines()]
    return [(one["worker"].partition("@")[0], one["verdict"]) for one in changes]


@pytest.mark.timeout(700)
def test_verdicts_and_remedies_are_right_and_their_recordings_can_be_replayed(tmp_path: Path) -> None:
    from faults.rows import CI

    harness.need_redis()
    harness.need_rabbitmq()
    need_celeries()
    argv = matrix("--ci", "--parallel", AT_ONCE, "--results", str(tmp_path / "results.jsonl"))
    env = os.environ | {"RECORD": str(tmp_path / "recordings")}
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=660, check=False)
    results = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]

    assert {one["id"]: one.get("missing") or one["wrong"] for one in results} == {key: [] for key in CI}, done.stderr
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("| right |") == len(CI)
    killed = replayed(tmp_path / "recordings" / "F1-redis-prefork-5.7.0.jsonl")
    frozen = replayed(tmp_path / "recordings" / "F3-redis-prefork-5.7.0.jsonl")
    assert ("w0", "crashed") in killed
    assert ("w0", "hung") in frozen
    assert {verdict for worker, verdict in killed + frozen if worker != "w0"} == {"healthy"}


@pytest.mark.timeout(120)
def test_an_interrupted_run_leaves_nothing_behind(tmp_path: Path) -> None:
    harness.need_redis()
    need_celeries()
    results, said = tmp_path / "results.jsonl", tmp_path / "said"
    argv = matrix("--only", INTERRUPTED, "--results", str(results), "--keep", str(tmp_path / "kept"))
    with said.open("wb") as log:
        child = spawn(argv, name="matrix", cwd=ROOT, stdout=log, stderr=log)
    with running(child, grace=40):
        worker = "faults.sample worker"
        harness.wait_until(
            lambda: worker in str(harness.descendants(child.pid)), 60, "workers run", dump=said.read_text
        )
        below = harness.descendants(child.pid)
        os.kill(child.pid, signal.SIGTERM)

        assert child.wait(40) == 130, said.read_text()
    harness.wait_until(lambda: not [pid for pid in below if harness.alive(pid)], 5, "all that it started has ended")
    assert not results.exists()
