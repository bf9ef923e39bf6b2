"""The demo as a newcomer starts it: it heals what it breaks, with the real thresholds, and leaves nothing behind."""

import os
import signal
import sys
from pathlib import Path

import pytest

import harness
from celeriac.demo.breaks import Break, carry_out
from celeriac.demo.stage import Stage, set_up
from celeriac.processes import Child, running, spawn

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]


def demo(folder: Path, *arguments: str) -> Child:
    data = ["--data", str(folder / "data"), "--port", str(harness.free_port())]
    with (folder / "demo.log").open("wb") as log:
        return spawn(
            [sys.executable, "-u", "-m", "celeriac", "demo", *data, *arguments],
            stdout=log,
            stderr=log,
            env={**os.environ, "DEMO_OF": str(folder)},
        )


@pytest.mark.parametrize("broker", ["redis", "amqp"])
def test_check_heals_a_killed_and_a_frozen_worker(tmp_path: Path, broker: str) -> None:
    """`celeriac demo --check` exits 0, tells both stories with their evidence, and nothing of it runs afterwards."""
    if broker == "amqp":
        harness.need_rabbitmq()
    with running(demo(tmp_path, "--check", "--broker", broker)) as child:
        code = child.wait(270)

        told = (tmp_path / "demo.log").read_text()
        assert code == 0, told
        for part in ("orders-worker/0: crashed, resolved", "reports-worker/0: hung, resolved", "evidence", "prefork"):
            assert part in told, told
    mark = f"DEMO_OF={tmp_path}"
    harness.wait_until(lambda: not harness.carrying(mark), 10, "all is gone", dump=lambda: harness.carrying(mark))


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_the_demo(tmp_path: Path, signum: signal.Signals) -> None:
    """Ctrl-C, and a SIGKILL of the demo itself, end everything that it started."""
    with running(demo(tmp_path, "--no-breaks")) as child:
        log, mark = tmp_path / "demo.log", f"DEMO_OF={tmp_path}"
        harness.wait_until(
            lambda: "Ctrl-C ends everything" in log.read_text(), 60, "the demo is up", dump=log.read_text
        )
        started: dict[int, str] = {}

        def workers_run() -> bool:
            # Instances see only what the platform gives them, so the mark is not in their environment.
            started.update(harness.descendants(child.pid) | harness.carrying(mark))
            return sum("celery -A celeriac.demo.shop" in line for line in started.values()) >= 12

        def left() -> dict[int, str]:
            same = {pid: line for pid, line in started.items() if harness.command_line(pid) == line}
            return {pid: line for pid, line in (same | harness.carrying(mark)).items() if harness.alive(pid)}

        harness.wait_until(workers_run, 40, "four workers with two children each run", dump=lambda: started)
        os.kill(child.pid, signum)

        code = child.wait(30)

        assert code == (0 if signum == signal.SIGINT else -signal.SIGKILL), log.read_text()
        harness.wait_until(lambda: not left(), 10, "all is gone", dump=left)


def test_what_the_demo_breaks_mildly_is_left_alone(tmp_path: Path) -> None:
    """A killed pool child, a burst of failing tasks and a long task really happen, and nobody is restarted for them."""
    with set_up(tmp_path, harness.free_port(), lambda _: None) as stage:

        def tasks(name: str, state: str) -> int:
            return len(stage.client.tasks(name=name, state=state).items)

        harness.wait_until(lambda: len(_well(stage)) == 4, 60, "four workers are well", every=0.2)
        before = _well(stage)
        for kind in ("child", "burst", "long"):
            carry_out(Break(kind, 0.0), [])

        harness.wait_until(lambda: tasks("orders.die", "FAILURE"), 30, "the child has died", every=0.2)
        harness.wait_until(lambda: tasks("orders.fail", "FAILURE") == 30, 30, "the burst has failed", every=0.2)
        harness.wait_until(lambda: tasks("reports.render", "STARTED"), 30, "the long task runs", every=0.2)
        harness.wait_until(lambda: len(_well(stage)) == 4, 30, "four workers are well", every=0.2)
        assert _well(stage) == before
        assert stage.client.incidents() == []


def _well(stage: Stage) -> set[int | None]:
    workers = stage.client.workers()
    return {one.pid for one in workers if one.verdict == "healthy" and not one.suspect}
