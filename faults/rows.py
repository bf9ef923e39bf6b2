"""The rows of the matrix: each failure mode with where it can be made, and how few rows cover what matters in pairs."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations, product

BROKERS = ("redis", "rabbitmq")
POOLS = ("prefork", "solo", "threads", "gevent")
CELERIES = ("5.7.0", "5.6.3", "5.5.3", "5.4.0", "5.3.6")
KOMBU = {"5.3.6": "5.3.7", "5.4.0": "5.4.2", "5.5.3": "5.5.4", "5.6.3": "5.7.0", "5.7.0": "5.7.0"}
MOST = 80


@dataclass(frozen=True)
class Mode:
    """A way to fail, as `docs/reference/fault-matrix.md` numbers them; `matters` orders what is covered first."""

    id: str
    what: str
    brokers: tuple[str, ...] = BROKERS
    pools: tuple[str, ...] = POOLS
    celeries: tuple[str, ...] = CELERIES
    matters: int = 1
    last: bool = False
    """Whether its rows are chosen after all others, few and for its own sake: so they change nothing about those."""

    absent: str = ""
    """Why it cannot be made here at all."""

    @property
    def least(self) -> int:
        """Return how many rows show it with each broker, pool and Celery once."""
        return max(len(self.brokers), len(self.pools), len(self.celeries))


MODES = (
    Mode("F1", "the main process killed (SIGKILL)", matters=3),
    Mode("F2", "a pool child killed (SIGKILL)", pools=("prefork",)),
    Mode("F3", "the main process frozen (SIGSTOP)", matters=3),
    Mode("F4", "the main process blocked in C code that holds the interpreter", matters=3),
    Mode("F5", "heartbeats go on, consuming has ended after a trouble of the network", brokers=("redis",), matters=3),
    Mode("F6", "consuming cancelled by remote control", matters=2),
    Mode("F7", "every pool slot stuck for ever", pools=("prefork", "threads"), matters=2),
    Mode("F8", "solo: busy with one task for 75 s", pools=("solo",)),
    Mode("F9", "a task that lets nothing else run for 75 s", pools=("threads", "gevent")),
    Mode("F10", "a warm shutdown that waits 60 s for its task"),
    Mode("F11", "the broker stopped for 15 s", matters=2),
    Mode("F12", "every connection of one worker half-open", matters=3),
    Mode("F13", "a task redelivered while it still runs (visibility timeout)", brokers=("redis",)),
    Mode("F14", "a clock 120 s behind"),
    Mode("F15", "two processes of one node name"),
    Mode("F16", "Celeriac's own connections to the broker cut again and again"),
    Mode("F17", "pool children replaced after each task", pools=("prefork",)),
    Mode(
        "F18",
        "RabbitMQ ends a consumer that acknowledges too late",
        brokers=("rabbitmq",),
        pools=("prefork", "threads"),
    ),
    Mode("F19", "beat killed (SIGKILL)", pools=("prefork", "solo"), celeries=("5.7.0", "5.4.0"), last=True),
    Mode("F20", "scaled down by one, and up again, by somebody else"),
    Mode("F21", "a release whose import fails, rolled out to every instance", matters=2),
)
BY_ID = {mode.id: mode for mode in MODES}


CI = (
    "F1-redis-prefork-5.7.0",
    "F2-rabbitmq-prefork-5.4.0",
    "F3-redis-prefork-5.7.0",
    "F4-rabbitmq-prefork-5.7.0",
    "F5-redis-prefork-5.5.3",
    "F6-redis-prefork-5.7.0",
    "F9-redis-threads-5.6.3",
    "F10-rabbitmq-gevent-5.7.0",
    "F11-redis-solo-5.4.0",
    "F15-redis-prefork-5.7.0",
    "F20-rabbitmq-threads-5.3.6",
    "F21-redis-prefork-5.7.0",
)
"""The rows of the short form."""


@dataclass(frozen=True)
class Row:
    """One cluster that is broken in one way."""

    mode: str
    broker: str
    pool: str
    celery: str

    @property
    def id(self) -> str:
        return f"{self.mode}-{self.broker}-{self.pool}-{self.celery}"

    @property
    def pairs(self) -> frozenset[tuple[tuple[str, str], ...]]:
        """Return each two of its four factors with their values."""
        factors = (("mode", self.mode), ("broker", self.broker), ("pool", self.pool), ("celery", self.celery))
        return frozenset(combinations(factors, 2))

    @property
    def nameless(self) -> bool:
        """Tell whether its connections carry no name on Redis: kombu has `client_name` from 5.7 on."""
        return self.broker == "redis" and self.celery in {"5.3.6", "5.4.0", "5.5.3"}


def possible() -> list[Row]:
    """Return every combination that can be made."""
    return [
        Row(mode.id, *rest)
        for mode in MODES
        if not mode.absent
        for rest in product(mode.brokers, mode.pools, mode.celeries)
    ]


def chosen(candidates: Iterable[Row], most: int = MOST) -> list[Row]:
    """Return at most so many rows that cover as many pairs as they can, those that matter most first.

    Greedy: the next row is always one that covers the most of what no row before it covers.
    """
    every = list(candidates)
    kept = sum(BY_ID[id].least for id in {row.mode for row in every} if BY_ID[id].last)
    rows = _more([], [row for row in every if not BY_ID[row.mode].last], most - kept)
    rows = _more(rows, [row for row in every if BY_ID[row.mode].last], most)
    order = [mode.id for mode in MODES]
    return sorted(rows, key=lambda row: (order.index(row.mode), row.broker, row.pool, row.celery))


def _more(begun: list[Row], candidates: Iterable[Row], most: int) -> list[Row]:
    """Return these rows, and those of the candidates that cover what they do not, so many in all at most."""
    left, rows = list(candidates), list(begun)
    missing = {pair for row in left for pair in row.pairs} - {pair for row in rows for pair in row.pairs}
    while missing and len(rows) < most:
        best = max(left, key=lambda row: (len(row.pairs & missing), BY_ID[row.mode].matters, -_used(row, rows)))
        rows.append(best)
        left.remove(best)
        missing -= best.pairs
    return rows


def covered(rows: Iterable[Row], candidates: Iterable[Row]) -> tuple[int, int]:
    """Return how many of all possible pairs these rows cover."""
    every = {pair for row in candidates for pair in row.pairs}
    return len({pair for row in rows for pair in row.pairs} & every), len(every)


def _used(row: Row, rows: list[Row]) -> int:
    """Count how often the row's pool, broker and Celery stand in rows already, to spread them evenly."""
    return sum((one.pool == row.pool) + (one.broker == row.broker) + (one.celery == row.celery) for one in rows)
