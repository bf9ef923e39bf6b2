"""How the cluster of a row is set up: three workers of one app, and what a mode needs beside that."""

from dataclasses import dataclass, field, replace

from faults.rows import Row

TWIN = 'if [ "$CF_INSTANCE_INDEX" = 0 ]; then (sleep 10; {celery}) & fi; '
"""The second of a name comes later: on RabbitMQ the later one ends, and if that were the container's own, it would loop."""

SKEW = 'if [ "$CF_INSTANCE_INDEX" = 0 ]; then export FAULTS_SKEW=-120; fi; '


@dataclass(frozen=True)
class Setup:
    """What differs from a plain cluster. `apps` are names with their number of instances; the first is the one broken."""

    apps: tuple[tuple[str, int], ...] = (("orders", 3),)
    concurrency: int = 2
    more: str = ""
    before: str = ""
    """Shell before the worker starts; `{celery}` is the worker's own command."""

    env: dict[str, str] = field(default_factory=dict)
    heal: dict[str, object] = field(default_factory=dict)
    own_rabbitmq: tuple[str, ...] | None = None
    """Settings of a RabbitMQ of its own, where the fault is the broker's."""

    erlang: str = ""
    """What that RabbitMQ is told before anybody connects."""

    behind_proxy: bool = False
    """Worker 0 reaches the broker through a proxy."""

    heard_through_proxy: bool = False
    """So does Celeriac."""


STUCK_S = 120
"""The ten minutes that a task must have run before it can be called stuck are more than a row may take, too."""

SETUPS = {
    "F5": Setup(behind_proxy=True),
    "F7": Setup(concurrency=1, heal={"stuck": STUCK_S}),
    "F11": Setup(own_rabbitmq=()),
    "F12": Setup(behind_proxy=True),
    "F13": Setup(env={"FAULTS_VISIBILITY": "8"}),
    "F14": Setup(before=SKEW),
    "F15": Setup(before=TWIN),
    "F16": Setup(heard_through_proxy=True),
    "F17": Setup(more="--max-tasks-per-child 1"),
    "F18": Setup(
        own_rabbitmq=("consumer_timeout = 10000",), erlang="application:set_env(rabbit, channel_tick_interval, 10000)."
    ),
    "F21": Setup(apps=(("orders", 2), ("reports", 1))),
}

PATIENT = {"FAULTS_HEARTBEAT": "120"}
"""Celery's own default. With 10 s RabbitMQ takes the connection of a worker that works long in its main process, and gives the
task to another, again and again."""

MAY_BLOCK_S = 60
"""The ten minutes of silence that other pools than prefork are granted are more than a row may take."""


def setup(row: Row) -> Setup:
    """Return how this row's cluster is set up."""
    found = SETUPS.get(row.mode, Setup())
    if row.mode in {"F3", "F4", "F12"} and row.pool != "prefork":
        found = replace(found, heal={"may_block": MAY_BLOCK_S})
    if row.mode in {"F8", "F9", "F10"}:
        found = replace(found, env={**found.env, **PATIENT})
    return found
