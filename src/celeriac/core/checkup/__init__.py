"""The checkup before the first night: what Celeriac can and cannot see and do, and what mends it. Readings in, lines out.

A check that fails by a defect of its own is one line that says so; it hides no other.
"""

from collections.abc import Callable, Iterator
from functools import partial

from celeriac.core.checkup import broker, hearing, platform, store, tonight, workers
from celeriac.core.checkup.facts import Facts
from celeriac.core.checkup.lines import Line, State, Subject, counted

__all__ = ["Line", "State", "Subject", "checkup", "counted"]

Check = Callable[..., Iterator[Line]]

CELERIAC = Subject("celeriac")
STORE = Subject("store")

OF_CLUSTER: tuple[Check, ...] = (
    broker.reach,
    broker.rights,
    broker.management,
    hearing.observer,
    hearing.echo,
    hearing.lag,
    hearing.losses,
    workers.heard,
    workers.task_events,
    workers.sent_events,
    workers.pools,
    workers.twins,
    broker.names,
    broker.heartbeats,
    workers.clocks,
    workers.results,
    platform.apps,
    platform.mapping,
    tonight.keeper,
    tonight.mode,
)
NEED_SERVING = frozenset({hearing.observer, tonight.keeper})
OF_PLATFORM: tuple[Check, ...] = (platform.login, platform.clock)
OF_ALL: tuple[tuple[Check, Subject], ...] = (
    (store.store, STORE),
    (tonight.lease, CELERIAC),
    (tonight.alerts, CELERIAC),
)


def checkup(facts: Facts) -> tuple[Line, ...]:
    """Return all lines, by subject: each cluster, each platform, the store, Celeriac itself."""
    lines: list[Line] = []
    for cluster in facts.clusters:
        subject = Subject("cluster", cluster.name)
        for check in OF_CLUSTER:
            more = {"serving": facts.serving} if check in NEED_SERVING else {}
            lines += _made(partial(check, cluster, subject, **more), check, subject)
    for one in facts.platforms:
        subject = Subject("platform", one.name)
        for check in OF_PLATFORM:
            lines += _made(partial(check, one, subject), check, subject)
    for check, subject in OF_ALL:
        lines += _made(partial(check, facts, subject), check, subject)
    return tuple(lines)


def _made(make: Callable[[], Iterator[Line]], check: Check, subject: Subject) -> list[Line]:
    try:
        return list(make())
    except Exception as error:  # noqa: BLE001 (a defect in one check must not hide the others)
        name = check.__name__.replace("_", "-")
        return [subject.untold(f"{name}-defect", f"what the check {name} finds", f"{type(error).__name__}: {error}")]
