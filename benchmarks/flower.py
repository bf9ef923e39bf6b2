"""The real Flower 2.2, run from its own virtual environment and asked over HTTP what it knows."""

import contextlib
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.asking import Caller
from benchmarks.brokers import UnavailableError, started
from benchmarks.measures import rss_mb
from celeriac.demo.servers import free_port
from celeriac.processes import Child

PYTHON = Path(__file__).parent.parent / ".venv-flower" / "bin" / "python"
COUNTED = re.compile(r"^flower_events_total\{.*?\} ([0-9.e+]+)$", re.MULTILINE)
QUIET_S = 4.0
"""Flower has taken all that it will ever take when its counters stand still for so long."""

_COLUMNS = ("name", "uuid", "state", "args", "kwargs", "result", "received", "started", "runtime", "worker")


def datatable(search: str) -> str:
    """Return the address that Flower's page of tasks asks for its newest ten."""
    query = {
        "draw": 1,
        "start": 0,
        "length": 10,
        "search[value]": search,
        "order[0][column]": 6,
        "order[0][dir]": "desc",
    }
    return "/tasks/datatable?" + urlencode(query | {f"columns[{n}][data]": name for n, name in enumerate(_COLUMNS)})


@dataclass(frozen=True)
class Flower:
    """One running Flower."""

    child: Child
    caller: Caller

    def task_events(self) -> int:
        """Return how many task events it has counted."""
        return int(sum(float(count) for count in COUNTED.findall(self.caller.get("/metrics").decode())))

    def lately(self) -> int:
        """Return the same count, but for workers that have been removed; asking so costs Flower a hundredth of `/metrics`."""
        workers = self.caller.json("/workers?json=1")["data"]
        return sum(count for one in workers for key, count in one.items() if key.startswith("task-"))

    def settle(self, wanted: int) -> tuple[int, float]:
        """Wait until it knows so many task events or learns no more; return the count, and when it last grew."""
        count, since = self.lately(), time.perf_counter()
        while count < wanted and time.perf_counter() - since < QUIET_S:
            time.sleep(0.05)
            if (now := self.lately()) > count:
                count, since = now, time.perf_counter()
        return self.task_events(), since

    def rss_mb(self) -> float:
        """Return its resident memory in MB."""
        return rss_mb(self.child.pid)


@contextlib.contextmanager
def running(broker: str, folder: Path, python: Path, *, max_tasks: int = 100_000) -> Iterator[Flower]:
    """Run Flower on this broker until the block ends; it listens to events when the block begins."""
    if not python.exists():
        raise UnavailableError(f"Flower is not installed at {python}; `make bench` does that")
    port = free_port()
    argv = [str(python), "-m", "celery", "--broker", broker, "flower", f"--port={port}", "--address=127.0.0.1"]
    argv += [f"--max_tasks={max_tasks}"]
    base = f"http://127.0.0.1:{port}"
    with started("flower", argv, folder, lambda: _healthy(base), env=_environment(python)) as child:
        time.sleep(2)  # it answers before it has subscribed, and tells nobody when it has
        with contextlib.closing(Caller(base)) as caller:
            yield Flower(child, caller)


def _environment(python: Path) -> dict[str, str]:
    return {"PATH": f"{python.parent}:/usr/bin:/bin", "FLOWER_UNAUTHENTICATED_API": "true", "LANG": "C.UTF-8"}


def _healthy(base: str) -> bool:
    try:
        urllib.request.urlopen(base + "/healthcheck", timeout=5).close()  # noqa: S310 (loopback)
    except (OSError, urllib.error.URLError):
        return False
    return True
