"""A task and its row in a partition: names by number, times in microseconds, the id as 16 bytes.

Celery's ids are UUIDs unless a program chooses its own: such an id is kept as text beside a digest of it.
"""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any

from celeriac.adapters.sql.schema import TASK_COLUMNS, micros, seconds
from celeriac.core.tasks import STATES, Former, Task

COLUMNS = tuple(name for name, _, _ in TASK_COLUMNS)
STATE_NAMES = tuple(STATES.values())
STATE_NUMBERS = {state: number for number, state in enumerate(STATE_NAMES)}

Row = tuple[Any, ...]

_DASHES = (8, 13, 18, 23)
"""Where a UUID has its dashes."""


def key_of(uuid: str) -> tuple[bytes, str | None]:
    """Return an id's 16 bytes, and its text if the bytes do not give it back."""
    if _looks_right(uuid) and uuid == uuid.lower():
        try:
            key = bytes.fromhex(uuid.replace("-", ""))
        except ValueError:
            key = b""
        if len(key) == 16:
            return key, None
    return blake2b(uuid.encode("utf-8", "surrogatepass"), digest_size=16).digest(), uuid


def _looks_right(uuid: str) -> bool:
    return len(uuid) == 36 and all(uuid[place] == "-" for place in _DASHES)


def keys_of(uuids: Sequence[str]) -> list[tuple[bytes, str | None]]:
    """Return `key_of` each of these ids, in a quarter of the time if all are UUIDs."""
    text, dashes = "".join(uuids), "-" * len(uuids)
    if text == text.lower() and set(map(len, uuids)) == {36} and all(text[place::36] == dashes for place in _DASHES):
        try:
            keys = bytes.fromhex(text.replace("-", ""))
        except ValueError:
            keys = b""
        if len(keys) == 16 * len(uuids):
            return [(keys[start : start + 16], None) for start in range(0, len(keys), 16)]
    return [key_of(uuid) for uuid in uuids]


def uuid_of(key: bytes, text: str | None) -> str:
    """Return the id that `key_of` was given."""
    if text is not None:
        return text
    digits = key.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def row_of(task: Task, key: tuple[bytes, str | None], number: Callable[[str | None], int | None]) -> Row:
    """Return a task's values in the order of `COLUMNS`; `key` is its `key_of`, `number` gives a word's number."""
    return (
        *key,
        STATE_NUMBERS[task.state],
        number(task.name),
        number(task.worker),
        number(task.queue),
        int(task.first_at * 1e6 + 0.5),
        micros(task.sent_at),
        micros(task.received_at),
        micros(task.started_at),
        micros(task.retried_at),
        micros(task.finished_at),
        micros(task.failed_at),
        task.runtime,
        task.retries,
        task.args,
        task.kwargs,
        task.result,
        task.exception,
        task.traceback,
        None if task.root_id == task.uuid else task.root_id,
        task.parent_id,
        task.eta,
        task.expires,
        task.pid,
        former_text(task.former),
    )


def task_of(row: Sequence[Any], word: Callable[[int | None], str | None]) -> Task:
    """Return the task of a row in the order of `COLUMNS`; `word` gives a number's word."""
    key, text, state, name, worker, queue, first, sent, received, started, retried, finished, failed, *rest = row
    runtime, retries, args, kwargs, result, exception, traceback, root_id, parent_id, eta, expires, pid, former = rest
    uuid = uuid_of(key, text)
    described = name is not None
    return Task(
        uuid=uuid,
        state=STATE_NAMES[state],
        name=word(name),
        worker=word(worker),
        queue=word(queue),
        first_at=first / 1e6,
        sent_at=seconds(sent),
        received_at=seconds(received),
        started_at=seconds(started),
        retried_at=seconds(retried),
        finished_at=seconds(finished),
        failed_at=seconds(failed),
        runtime=runtime,
        retries=retries,
        args=args,
        kwargs=kwargs,
        result=result,
        exception=exception,
        traceback=traceback,
        root_id=uuid if root_id is None and described else root_id,
        parent_id=parent_id,
        eta=eta,
        expires=expires,
        # The newest event of a worker is one of these.
        state_at=max(received or 0, started or 0, retried or 0, finished or 0) / 1e6,
        pid=pid,
        former=_former(former),
    )


def former_text(former: Former | None) -> str | None:
    """Return a former life's word as it is stored: the life first, so that an index finds all that one life left."""
    if former is None:
        return None
    return f"{life_text(former.worker, former.pid)}{int(former.at * 1e6 + 0.5)} {former.state}"


def life_text(node: str, pid: int) -> str:
    """Return how the stored words of one life of a worker begin."""
    return f"{node}#{pid} "


def former_state(text: str) -> str:
    """Return the state in a stored word."""
    return text.rpartition(" ")[2]


def _former(text: str | None) -> Former | None:
    if text is None:
        return None
    life, at, state = text.rsplit(" ", 2)
    node, _, pid = life.rpartition("#")
    return Former(int(at) / 1e6, state, node, int(pid))
