"""Builders of a checkup's facts: the cluster `orders` on Redis with two workers, everything as it should be.

Each test names what differs, and asks for one line.
"""

from celeriac.core.apps import Rights
from celeriac.core.checkup import Line, checkup
from celeriac.core.checkup.facts import (
    Access,
    ClusterFacts,
    Facts,
    FileState,
    Lease,
    PlatformFacts,
    Purpose,
    StoreFile,
    StoreState,
    Told,
)
from celeriac.core.limits import Policy
from celeriac.core.memory import Board
from celeriac.core.model import Clients, Consumer, Mode, Pool
from celeriac.core.readings import Known, Unknown
from core.builders import NOW, app, instance, stream, worker

GIGABYTE = 1_000_000_000


def known(value):
    """Return a reading of now; what is a reading already stays."""
    return value if value is None or isinstance(value, Known | Unknown) else Known(value, NOW)


def cluster(*lives, **fields) -> ClusterFacts:
    """Return the cluster; whatever is given in place of a reading is read now."""
    lives = lives or (alive(0), alive(1))
    nodes = [one.node for one in lives]
    readings = {
        "access": tuple(Access(one, ("PING",)) for one in Purpose),
        "clients": Clients({node: Consumer(5, fetching=True, idle_s=0) for node in nodes}),
        "heartbeats": None,
        "stream": stream(lag_s=0.01),
        "discovered": frozenset(nodes),
        "told": Told(200),
        "results": True,
        "watched": (app(*(instance(index) for index in range(len(lives)))),),
        "policy": Policy(mode=Mode.AUTO),
    }
    plain = {
        "mode": Mode.AUTO,
        "platform": "cf",
        "apps": ("orders-worker",),
        "pools": {one.key: Pool("prefork", 2, named=True) for one in lives},
        "board": Board("orders", NOW - 1, "2 workers", "auto"),
        "broker": "redis",
    }
    given = {name: known(fields[name]) if name in readings else fields[name] for name in fields}
    readings = {name: known(value) for name, value in readings.items()}
    return ClusterFacts(at=NOW, name="orders", incarnations=lives, **{**readings, **plain, **given})


def alive(index=0, **fields):
    """Return a worker that has spoken of a task."""
    return worker(index, **{"last_task_at": NOW - 5, "started": 5, **fields})


def platform(**fields) -> PlatformFacts:
    given = {"rights": Rights("ada", "space_developer", acts=True, reads_env=True), "clock_ahead": 0.4, **fields}
    readings = {name: known(given.pop(name)) for name in ("rights", "clock_ahead")}
    return PlatformFacts("cf", "cloudfoundry", "api.example.com (shop/production)", **given, **readings)


def file(name="history-orders.db", state=FileState.CURRENT, size=0, **fields) -> StoreFile:
    return StoreFile(name, state, size, **fields)


def store(*files, **fields) -> StoreState:
    files = files or (file("control.db"), file())
    return StoreState("/var/lib/celeriac", files, **{"free": 100 * GIGABYTE, "disk": 500 * GIGABYTE, **fields})


def facts(**fields) -> Facts:
    given = {"clusters": (cluster(),), "platforms": (platform(),), "store": store(), "serving": True, **fields}
    given["store"] = known(given["store"])
    lease = given.pop("lease", Lease("host:1", NOW + 8))
    return Facts(at=NOW, lease=Known(None, NOW) if lease is None else known(lease), **given)


def lines(**fields) -> dict[str, Line]:
    """Return the lines by their id."""
    return {one.id: one for one in checkup(facts(**fields))}


def of_cluster(check, *lives, serving=True, **fields) -> Line | None:
    """Return one line about the cluster."""
    return lines(clusters=(cluster(*lives, **fields),), serving=serving).get(f"cluster/orders/{check}")


def of_platform(check, **fields) -> Line | None:
    """Return one line about the platform."""
    return lines(platforms=(platform(**fields),)).get(f"platform/cf/{check}")


def of_store(check, *files, **fields) -> Line:
    """Return one line about the store."""
    return lines(store=store(*files, **fields))[f"store/{check}"]
