"""What the workers of a made-up cluster say of their tasks: the events of Celery 5.7, as JSON text, in order of time.

Fields, their order and the spacing are those of `celery.worker.request` and `celery.events.dispatcher`;
`tests/test_benchmarks.py` compares them with what real workers send.
"""

import heapq
import json
import time
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

APPS = ("orders", "billing", "mailer", "search", "reports", "media")
NAMES = tuple(f"{app}.tasks.{verb}_{app}" for app in APPS for verb in ("process", "sync", "send", "index", "export"))
REGIONS = ("eu-west-1", "us-east-1", "ap-south-1", "sa-east-1")
OUTCOMES = {"task-succeeded": "SUCCESS", "task-failed": "FAILURE", "task-revoked": "REVOKED"}
"""The event that ends a task, and Celery's state for it: each task sends exactly one of these."""

REVOKED, FAILED, RETRIED = 0.005, 0.03, 0.025
SECRET = 0.02
"""The share of the longer keyword arguments that carry a secret, which must be found and masked before it is stored."""

TRACEBACK = """Traceback (most recent call last):
  File "/srv/venv/lib/python3.11/site-packages/celery/app/trace.py", line 564, in trace_task
    R = retval = fun(*args, **kwargs)
                 ^^^^^^^^^^^^^^^^^^^^
  File "/srv/venv/lib/python3.11/site-packages/celery/app/trace.py", line 883, in __protected_call__
    return self.run(*args, **kwargs)
           ^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/app/{module}.py", line {line}, in {function}
    raise {raised}
{error}: {message}
"""


class Said(NamedTuple):
    """One event: when, by which worker, of which type, and the JSON text that goes over the wire."""

    at: float
    worker: int
    type: str
    text: str


def node(worker: int) -> str:
    """Return the node name of the worker with this number."""
    return f"celery@worker-{worker:03d}"


def said(tasks: int, *, seed: int, since: float, tasks_per_s: float, workers: int) -> Iterator[Said]:
    """Yield every event of so many tasks that begin at `since`, so many a second; the same arguments give the same text."""
    chance = Random(seed)  # noqa: S311 (no secret is drawn)
    typical = {name: 0.01 * (1 + 40 * chance.random() ** 3) for name in NAMES}
    names = chance.choices(NAMES, [1 / (place + 1) for place in range(len(NAMES))], k=tasks)
    coming: list[tuple[float, int, int, str, str]] = []
    clock = order = 0

    def until(at: float) -> Iterator[Said]:
        nonlocal clock
        while coming and coming[0][0] <= at:
            when, _, worker, type_, fields = heapq.heappop(coming)
            clock += 1
            yield Said(when, worker, type_, _text(worker, clock, fields, when, type_))

    for number, name in enumerate(names):
        begin = since + number / tasks_per_s
        yield from until(begin)
        worker = int(chance.random() * workers)
        for when, type_, fields in _life(chance, name, begin, typical[name]):
            order += 1
            heapq.heappush(coming, (when, order, worker, type_, fields))
    yield from until(float("inf"))


def _text(worker: int, clock: int, fields: str, at: float, type_: str) -> str:
    return (
        f'{{"hostname": "{node(worker)}", "utcoffset": 0.0, "pid": {1000 + worker}, "clock": {clock}, '
        f'{fields}, "timestamp": {at!r}, "type": "{type_}"}}'
    )


def _life(chance: Random, name: str, at: float, typical: float) -> list[tuple[float, str, str]]:
    """Return one task's events: most succeed, some fail, are revoked, or succeed at the second try."""
    uuid, order, draw = make_uuid(chance), int(chance.random() * 10_000_000), chance.random()
    region, this = REGIONS[order & 3], f'"uuid": "{uuid}"'
    described = _described(chance, name, uuid, order, region)
    received = at + 0.0005 + chance.random() * 0.01
    started = received + 0.0005 + chance.random() * 0.05
    run = chance.lognormvariate(0, 0.6) * typical
    ended = started + run
    life = [(received, "task-received", f'{this}, {described}"retries": 0, "eta": null, "expires": null')]
    if draw < REVOKED:
        return [*life, (started, "task-revoked", f'{this}, "terminated": false, "signum": null, "expired": true')]
    life.append((started, "task-started", this))
    if draw < REVOKED + FAILED:
        return [*life, (ended, "task-failed", this + _failure(name, order, region))]
    if draw < REVOKED + FAILED + RETRIED:
        again = ended + 1.0
        life += [
            (ended, "task-retried", this + _retry(name, order, region)),
            (again, "task-received", f'{this}, {described}"retries": 1, "eta": null, "expires": null'),
            (again + 0.002, "task-started", this),
        ]
        ended = again + 0.002 + run
    result = "None" if order % 2 else f"{{'ok': True, 'id': {order}, 'rows': {order % 977}}}"
    return [*life, (ended, "task-succeeded", f'{this}, "result": "{result}", "runtime": {run!r}')]


def _described(chance: Random, name: str, uuid: str, order: int, region: str) -> str:
    kwargs = "{}"
    if order % 3:
        secret = f", 'session_id': '{make_uuid(chance)}'" if chance.random() < SECRET else ""
        kwargs = (
            f"{{'order_id': {order}, 'region': '{region}', 'trace': '{make_uuid(chance)}', 'force': False{secret}}}"
        )
    args = f"({order}, 'user-{order % 99991}@example.com')"
    return f'"name": "{name}", "args": "{args}", "kwargs": "{kwargs}", "root_id": "{uuid}", "parent_id": null, '


def _failure(name: str, order: int, region: str) -> str:
    message = f"order {order} not found in {region}"
    return _raised(name, order, "LookupError(message)", "LookupError", message, f"LookupError('{message}')")


def _retry(name: str, order: int, region: str) -> str:
    message = f"upstream {region} timed out"
    error = "celery.exceptions.Retry"
    return _raised(name, order, "self.retry(exc=exc)", error, f"Retry in 1s: {message}", f"TimeoutError('{message}')")


def _raised(name: str, order: int, raised: str, error: str, message: str, shown: str) -> str:
    module, _, function = name.rpartition(".")
    place = {"module": module.replace(".", "/"), "line": order % 400, "function": function}
    traceback = TRACEBACK.format(**place, raised=raised, error=error, message=message)
    return f', "exception": {json.dumps(shown)}, "traceback": {json.dumps(traceback)}'


def make_uuid(chance: Random) -> str:
    """Return a version-4 UUID, drawn from this source of chance."""
    digits = f"{chance.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def worker_event(type_: str, worker: int, clock: int, processed: int) -> str:
    """Return what a worker says of itself, with the time of now: `worker-online`, `worker-heartbeat`, `worker-offline`."""
    return (
        f'{{"hostname": "{node(worker)}", "utcoffset": 0.0, "pid": {1000 + worker}, "clock": {clock}, "freq": 2.0, '
        f'"active": {processed % 9}, "processed": {processed}, "loadavg": [1.22, 0.75, 0.31], "sw_ident": "py-celery", '
        f'"sw_ver": "5.7.0", "sw_sys": "Linux", "timestamp": {time.time()!r}, "type": "{type_}"}}'
    )
