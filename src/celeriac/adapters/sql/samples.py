"""Samples of queues: each for a day, and the first of each minute for as long as they are kept.

A row holds what changes from one look to the next. How the age is known and why something is not are sentences that stay
the same for days: they are kept once, as the remark that rows hold by number.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import asdict

from celeriac.adapters.sql import schema
from celeriac.adapters.sql.database import insert
from celeriac.adapters.sql.schema import EACH, micros
from celeriac.adapters.sql.words import Words
from celeriac.core.queues import QueueSample
from celeriac.core.rollup import MINUTE

CURRENT_S = 300.0
"""How long a queue that is no longer sampled is listed."""

MOST = 2000
"""How many of one queue are read."""


class _Numbers(Struct, array_like=True):
    ready: dict[int, int]
    unacked: int | None
    consumers: int | None
    arriving: float | None
    completing: float | None
    oldest_s: float | None


class _Remark(Struct, array_like=True, frozen=True):
    oldest_how: str | None
    unknown: dict[str, str]


_packed = msgspec.msgpack.Encoder().encode
_numbers = msgspec.msgpack.Decoder(_Numbers).decode
_remark = msgspec.json.Decoder(_Remark).decode


def store(connection: sa.Connection, samples: Sequence[QueueSample], words: Words) -> None:
    """Store samples; one that is there already changes nothing."""
    remarks: dict[str, int] = {}
    rows = []
    for one in samples:
        text = msgspec.json.encode(_Remark(one.oldest_how, one.unknown), order="deterministic").decode()
        if text not in remarks:
            remarks[text] = numbered(connection, text, max(each.at for each in samples))
        numbers = _Numbers(one.ready, one.unacked, one.consumers, one.arriving, one.completing, one.oldest_s)
        row = {"queue": words.number(one.name), "remark": remarks[text], "body": _packed(numbers)}
        rows += [
            {"step": EACH, "at": micros(one.at), **row},
            {"step": MINUTE, "at": micros(one.at // MINUTE * MINUTE), **row},
        ]
    connection.execute(insert(schema.queue_samples).on_conflict_do_nothing(), rows)


def newest(connection: sa.Connection) -> list[QueueSample]:
    """Return the newest sample of each queue that was sampled within five minutes of the newest of all."""
    row = schema.queue_samples.c
    latest = sa.select(sa.func.max(row.at)).where(row.step == EACH).scalar_subquery()
    lately = sa.and_(row.step == EACH, row.at > latest - micros(CURRENT_S))
    # By a number that is no column: by the column SQLite would follow the primary key, over all samples that there are.
    by_queue = sa.select(row.queue, sa.func.max(row.at).label("at")).where(lately).group_by(row.queue + 0).subquery()
    whole = _samples().where(row.step == EACH)
    return _read(connection, whole.join(by_queue, sa.and_(by_queue.c.queue == row.queue, by_queue.c.at == row.at)))


def of_queue(connection: sa.Connection, name: str, since: float, until: float) -> list[QueueSample]:
    """Return one queue's samples, oldest first: each where there still is, else one a minute; thinned evenly in time."""
    row, word = schema.queue_samples.c, schema.words.c
    number = sa.select(word.id).where(word.text == name).scalar_subquery()
    its = sa.and_(row.step.in_([EACH, MINUTE]), row.queue == number)
    oldest = sa.select(sa.func.min(row.at)).where(row.step == EACH, row.queue == number).scalar_subquery()
    there = sa.and_(
        its,
        row.at.between(micros(since), micros(until)),
        sa.or_(row.step == EACH, oldest.is_(None), row.at <= oldest - micros(MINUTE)),
    )
    count, first, last = connection.execute(
        sa.select(sa.func.count(), sa.func.min(row.at), sa.func.max(row.at)).where(there)
    ).one()
    if count > MOST:
        width = (last - first) // MOST + 1
        there &= row.at.in_(sa.select(sa.func.min(row.at)).where(there).group_by((row.at - first) // width))
    return _read(connection, _samples().where(there).order_by(row.at))


def _samples() -> "sa.Select[Any]":
    row, word, remark = schema.queue_samples.c, schema.words.c, schema.remarks.c
    query = sa.select(word.text.label("name"), row.at, row.body, remark.text.label("remark"))
    query = query.select_from(schema.queue_samples).join(schema.words, word.id == row.queue)
    return query.join(schema.remarks, remark.id == row.remark)


def _read(connection: sa.Connection, query: "sa.Select[Any]") -> list[QueueSample]:
    return [_sample(*row) for row in connection.execute(query)]


def _sample(name: str, at: int, body: bytes, text: str) -> QueueSample:
    numbers, remark = _numbers(body), _remark(text)
    return QueueSample(name=name, at=at / 1e6, **asdict(numbers), **asdict(remark))


def numbered(connection: sa.Connection, text: str, at: float) -> int:
    """Return a remark's number; that it was made at this time keeps it for as long as its samples."""
    row = schema.remarks.c
    new = insert(schema.remarks).values(text=text, last_at=micros(at))
    later = sa.func.max(row.last_at, new.excluded.last_at)
    connection.execute(new.on_conflict_do_update(index_elements=["text"], set_={"last_at": later}))
    return int(connection.scalar(sa.select(row.id).where(row.text == text)) or 0)
