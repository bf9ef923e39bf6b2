"""What each role costs beside the demonstration's four workers and twenty tasks a second."""

import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.measures import cpu_seconds, family, pss_mb
from benchmarks.table import Figure
from celeriac.demo.servers import free_port
from celeriac.demo.stage import set_up


def costs(bench: Bench) -> Iterator[Figure]:
    """Run the demonstration without breaks; memory is the share of it (PSS), CPU is of one core."""
    with bench.room() as room, set_up(room, free_port(), lambda _: None) as stage:
        while sum(one.verdict == "healthy" for one in stage.client.workers()) < 4:
            time.sleep(0.5)
        bench.say("idle: four workers are healthy")
        time.sleep(10)  # let start-up pass: pools are learned, the first looks are over
        roles = _roles(room)
        before = {name: sum(map(cpu_seconds, pids)) for name, pids in roles.items()}
        time.sleep(bench.size.idle_s)
        for name, pids in sorted(roles.items()):
            used = sum(map(cpu_seconds, pids)) - before[name]
            yield Figure(f"{name}, idle: CPU", "% of a core", None, (100 * used / bench.size.idle_s,))
            yield Figure(f"{name}, idle: memory (PSS)", "MB", None, (sum(map(pss_mb, pids)),))


def _roles(data: Path) -> dict[str, list[int]]:
    """Return the demonstration's own processes by role; what a role has started is part of it."""
    found: dict[str, list[int]] = {}
    for entry in Path("/proc").iterdir():
        words = _command(entry) if entry.name.isdigit() else []
        if "serve" in words and str(data / "celeriac.toml") in words and words[0] != "/bin/sh":
            role = words[words.index("--only") + 1] if "--only" in words else "supervisor"
            found[role] = [int(entry.name)] if role == "supervisor" else family(int(entry.name))
    return found


def _command(process: Path) -> list[str]:
    try:
        return (process / "cmdline").read_bytes().decode().split("\0")
    except OSError:
        return []
