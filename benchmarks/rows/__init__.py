"""The parts of the table: each measures some rows. They come in this order, and may be chosen with `--only`."""

from collections.abc import Callable, Iterator

from benchmarks.bench import Bench
from benchmarks.rows import burst, durable, idle, load, paced, rates, retained, sustained
from benchmarks.table import Figure

PARTS: dict[str, Callable[[Bench], Iterator[Figure]]] = {
    "redis": rates.on_redis,
    "rabbitmq": rates.on_rabbitmq,
    "paced": paced.highest,
    "burst": burst.lost,
    "durable": durable.after,
    "load": load.api,
    "memory": retained.memory,
    "queries": retained.queries,
    "sustained": sustained.into_a_full_store,
    "idle": idle.costs,
}
