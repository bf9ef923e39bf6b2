"""A real worker on RabbitMQ, of an application of its own, with AMQP heartbeats short enough to wait for."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import harness
from celeriac.processes import Child, running, spawn

HEARTBEAT_S = 2

APPLICATION = f"""
import os
import threading

from celery import Celery

app = Celery("small", broker=os.environ["BROKER_URL"])
app.conf.update(broker_heartbeat={HEARTBEAT_S}, worker_send_task_events=True, task_track_started=True)


@app.task(name="small.nap")
def nap(seconds):
    threading.Event().wait(seconds)
    return seconds
"""


@contextlib.contextmanager
def worker_running(folder: Path, url: str, name: str, *more: str) -> Iterator[tuple[str, Child]]:
    """Run a worker that consumes the queue `small`, and give its node name and its process when it is ready."""
    (folder / "small.py").write_text(APPLICATION)
    node, log = f"worker@{name}", folder / f"{name}.log"
    argv = [sys.executable, "-m", "celery", "-A", "small", "worker", "-l", "INFO", "-c", "1", "-Q", "small", "-n", node]
    env = {**os.environ, "BROKER_URL": url, "PYTHONPATH": str(folder), "PYTHONUNBUFFERED": "1"}
    with log.open("ab") as out:
        child = spawn([*argv, *more], name=node, env=env, cwd=folder, stdout=out, stderr=out)
    with running(child, grace=2):
        harness.wait_until(
            lambda: child.poll() is not None or f"{node} ready." in log.read_text(),
            40,
            f"{node} is ready",
            dump=log.read_text,
        )
        assert child.poll() is None, log.read_text()
        yield node, child
