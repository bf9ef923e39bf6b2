"""The sample project: a small shop's tasks, configured as Celeriac likes its workers best.

Some settings make a worker easy to judge: `client_name` lets Redis tell whose connections these are, `broker_heartbeat` lets
RabbitMQ find a frozen worker within half a minute, the node name (`worker@$CF_INSTANCE_GUID` on the command line) tells
where it runs, and task events tell what it does.
"""

import os
import random
import signal
import time

from celery import Celery, Task

NODE = f"worker@{os.environ['CF_INSTANCE_GUID']}" if "CF_INSTANCE_GUID" in os.environ else "producer"

app = Celery("shop")
app.conf.update(
    broker_heartbeat=10,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    worker_send_task_events=True,
    task_send_sent_event=True,
    task_track_started=True,
    task_default_queue="orders",
    task_routes={"reports.*": {"queue": "reports"}},
    result_expires=600,
)


def use(broker: str | None, results: str | None) -> None:
    """Take this broker and this result backend; RabbitMQ shows a connection's name to people only."""
    named = (
        {"client_properties": {"connection_name": NODE}} if (broker or "").startswith("amqp") else {"client_name": NODE}
    )
    app.conf.update(broker_url=broker, result_backend=results or None, broker_transport_options=named)


use(os.environ.get("BROKER_URL"), os.environ.get("RESULT_URL"))


@app.task(name="orders.price")
def price(order: int) -> int:
    """Price an order: quick, as most tasks are."""
    time.sleep(random.uniform(0.002, 0.02))  # noqa: S311 (made-up work)
    return order * 7


@app.task(name="orders.charge")
def charge(order: int) -> str:
    """Charge a card: fails now and then."""
    time.sleep(0.01)
    if random.random() < 0.05:  # noqa: S311 (made-up work)
        message = f"the card of order {order} was declined"
        raise ValueError(message)
    return f"order {order} is paid"


@app.task(name="orders.reserve", bind=True, max_retries=3)
def reserve(self: Task, order: int) -> str:
    """Reserve stock: retries until the shelf answers."""
    if random.random() < 0.3:  # noqa: S311 (made-up work)
        raise self.retry(countdown=1, exc=TimeoutError(f"no answer about the stock of order {order}"))
    return f"order {order} is reserved"


@app.task(name="orders.ship")
def ship(paid: int, order: int) -> str:
    """Ship an order: the end of a chain."""
    time.sleep(0.05)
    return f"order {order} is shipped for {paid}"


@app.task(name="orders.remind")
def remind(order: int) -> str:
    """Remind a customer: sent with an ETA."""
    return f"the customer of order {order} is reminded"


@app.task(name="reports.render")
def render(seconds: float) -> str:
    """Render a report: slow."""
    time.sleep(seconds)
    return f"rendered in {seconds:.1f} s"


@app.task(name="reports.archive", acks_late=True)
def archive(seconds: float) -> str:
    """Archive a report: slow, and acknowledged only at its end, so it comes back when its worker dies."""
    time.sleep(seconds)
    return f"archived in {seconds:.1f} s"


@app.task(name="orders.fail")
def fail(order: int) -> None:
    """Fail, always: a burst of these is a bad release, not a bad worker."""
    message = f"order {order} has no address"
    raise KeyError(message)


@app.task(name="orders.die")
def die() -> None:
    """Kill the pool's own child, as the kernel does when memory runs out; Celery replaces it by itself."""
    os.kill(os.getpid(), signal.SIGKILL)
