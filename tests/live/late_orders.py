"""A Celery app whose tasks are acknowledged late, each run of them recorded in Redis; a release of it is this very file."""

import json
import os
import threading
import time

import redis
from celery import Celery, Task

broker = os.environ["BROKER_URL"]
app = Celery("late-orders", broker=broker, backend=os.environ["RESULT_URL"])
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_track_started=True,
    worker_prefetch_multiplier=1,
    worker_send_task_events=True,
    broker_connection_retry_on_startup=True,
    worker_soft_shutdown_timeout=float(os.environ.get("SOFT_SHUTDOWN_S", "0")),
    broker_transport_options={"client_name": f"worker@{os.environ['CF_INSTANCE_GUID']}"},
)
records = redis.Redis.from_url(f"{broker.rpartition('/')[0]}/2", socket_timeout=5)


@app.task(name="late.work", bind=True)
def work(self: Task, seconds: float) -> None:
    """Work for so many seconds; the last thing that it does is to record that it is done."""
    about = {"id": self.request.id, "node": self.request.hostname, "seconds": seconds}
    records.rpush("begun", json.dumps({**about, "at": time.time()}))
    threading.Event().wait(seconds)
    records.rpush("done", json.dumps({**about, "at": time.time()}))
