"""Work for the shop, about 20 tasks a second: quick, slow, failing, retrying, chained, and with an ETA."""

import itertools
import random
import threading

from celery import chain
from celery.exceptions import OperationalError

from celeriac.demo import shop
from celeriac.processes import backoff

PER_SECOND = 20.0


def send(number: int) -> None:
    """Send the work of one tick: mostly quick tasks."""
    shop.price.delay(number)
    if number % 4 == 0:
        shop.charge.delay(number)
    if number % 10 == 0:
        shop.reserve.delay(number)
    if number % 40 == 0:
        chain(shop.price.s(number), shop.ship.s(number)).delay()
    if number % 100 == 0:
        shop.remind.apply_async((number,), countdown=20)
    if number % 120 == 0:
        shop.render.delay(random.uniform(2, 6))  # noqa: S311 (made-up work)


def produce(stopping: threading.Event, per_second: float = PER_SECOND) -> None:
    """Send until told to stop; a broker that is away is awaited."""
    failures = 0
    pause = 1.4 / per_second  # a tick sends 1.4 tasks on average
    for number in itertools.count():
        try:
            send(number)
            failures = 0
        except (OperationalError, OSError):
            failures += 1
        if stopping.wait(backoff(failures, cap=5.0) if failures else pause):
            return


if __name__ == "__main__":
    produce(threading.Event())
