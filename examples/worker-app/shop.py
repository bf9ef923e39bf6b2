"""A small shop's tasks. A task is acknowledged when it has ended, so that a restart loses none: it runs once more.

The soft shutdown, which `REMAP_SIGTERM` in the manifest makes of the platform's SIGTERM, gives back what does not end in time.
"""

import json
import os

from celery import Celery


def broker() -> str:
    """Return the URL of the bound Redis: its own, or one made of host, port and password."""
    bound = [one for entries in json.loads(os.environ["VCAP_SERVICES"]).values() for one in entries]
    credentials = next(one["credentials"] for one in bound if one["name"] == "shop-broker")
    if "uri" in credentials:
        return str(credentials["uri"])
    return f"redis://:{credentials.get('password', '')}@{credentials['host']}:{credentials['port']}/0"


app = Celery("shop", broker=broker())
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_soft_shutdown_timeout=8,
    worker_send_task_events=True,
    task_send_sent_event=True,
    task_track_started=True,
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"client_name": f"worker@{os.environ['CF_INSTANCE_GUID']}"},
)


@app.task(name="shop.price")
def price(order: int) -> int:
    """Price an order; done twice it does no harm, as every task with late acknowledgement must be."""
    return order * 7
