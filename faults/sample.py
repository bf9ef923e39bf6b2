"""The app whose workers are broken: tasks and a command that do, in a worker, what failing ones were seen to do.

It runs under every Celery of the matrix, so it needs nothing but Celery. Each task that holds a worker for long leaves a
file with the worker's index, which tells who took it.
"""

import ctypes
import math
import os
import signal
import time
from pathlib import Path

from celery import Celery, Task
from celery.worker.control import control_command

FOLDER = Path(os.environ.get("FAULTS_FOLDER", "."))
INDEX = os.environ.get("CF_INSTANCE_INDEX", "")
NODE = f"w{INDEX}@{os.environ['CF_INSTANCE_GUID']}" if "CF_INSTANCE_GUID" in os.environ else "producer"
BROKER = os.environ.get(f"FAULTS_BROKER_{INDEX}", os.environ.get("FAULTS_BROKER"))

if os.environ.get("FAULTS_RELEASE") and (FOLDER / "broken-release").exists():
    message = "No module named 'payments' (a bad release)"
    raise ImportError(message)

app = Celery("sample")
app.conf.update(
    broker_url=BROKER,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_heartbeat=int(os.environ.get("FAULTS_HEARTBEAT", "10")),
    result_backend=os.environ.get("FAULTS_RESULTS") or None,
    task_send_sent_event=True,
    task_track_started=True,
    worker_prefetch_multiplier=int(os.environ.get("FAULTS_PREFETCH", "1")),
    worker_send_task_events=True,
    result_expires=600,
)
app.conf.broker_transport_options = (
    {"client_properties": {"connection_name": NODE}} if (BROKER or "").startswith("amqp") else {"client_name": NODE}
)
if beat_s := os.environ.get("FAULTS_BEAT"):
    app.conf.beat_schedule = {"tick": {"task": "sample.tick", "schedule": float(beat_s)}}
if visibility := os.environ.get("FAULTS_VISIBILITY"):
    app.conf.broker_transport_options["visibility_timeout"] = float(visibility)


def taken(task_id: str) -> None:
    """Tell who took the task."""
    (FOLDER / f"took-{task_id}").write_text(INDEX)


def hold(seconds: float) -> None:
    """Hold the interpreter's lock, as a C library does that never lets go: no thread of this process runs meanwhile."""
    libc, end = ctypes.PyDLL(None), time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        libc.sleep(math.ceil(left))  # in one call: between two, other threads would get their turn


@app.task(name="sample.quick")
def quick(number: int) -> int:
    """Do what most tasks do: little."""
    time.sleep(0.01)
    return number


@app.task(name="sample.tick")
def tick() -> None:
    """Do what beat sends."""


@app.task(name="sample.slow", bind=True)
def slow(self: Task, seconds: float) -> float:
    """Take a while."""
    taken(self.request.id)
    time.sleep(seconds)
    return seconds


@app.task(name="sample.late", bind=True, acks_late=True)
def late(self: Task, seconds: float) -> float:
    """Take a while, and acknowledge only then."""
    taken(self.request.id)
    time.sleep(seconds)
    return seconds


@app.task(name="sample.rude", bind=True)
def rude(self: Task, seconds: float) -> float:
    """Let no other thread run."""
    taken(self.request.id)
    hold(seconds)
    return seconds


@app.task(name="sample.die", bind=True)
def die(self: Task) -> None:
    """Kill the pool's own child, as the kernel does when memory runs out."""
    taken(self.request.id)
    os.kill(os.getpid(), signal.SIGKILL)


@control_command(args=[("seconds", float)], name="block")
def block(_: object, seconds: float) -> None:
    """Block the main process: it reads no broker and sends no heartbeat."""
    hold(seconds)
