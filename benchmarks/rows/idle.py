"""What each role costs beside the demonstration's four workers and twenty tasks a second, and what the broker has to do for it."""

import contextlib
import os
import signal
import time
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import redis

from benchmarks.bench import Bench
from benchmarks.measures import cpu_seconds, family, pss_mb
from benchmarks.table import Figure
from celeriac.demo.servers import free_port
from celeriac.demo.stage import set_up

WORKERS = 4


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
        yield from _asked_of_the_broker(bench, room, [pid for pids in roles.values() for pid in pids])


def _asked_of_the_broker(bench: Bench, data: Path, ours: list[int]) -> Iterator[Figure]:
    """Compare Redis's own counters while all watch with those while Celeriac stands still; nobody sends tasks meanwhile."""
    url = tomllib.loads((data / "celeriac.toml").read_text())["cluster"][0]["broker"]
    with redis.Redis.from_url(url) as broker, _stopped(_producers(url)):
        watched = _traffic(broker, bench.size.idle_s)
        with _stopped(ours):
            alone = _traffic(broker, bench.size.idle_s)
    per = 60 / bench.size.idle_s / WORKERS
    for what, unit, watching, without in zip(("commands", "bytes"), ("", "B"), watched, alone, strict=True):
        name = f"the broker, for Celeriac: {what} a minute and worker"
        yield Figure(name, unit, None, ((watching - without) * per,))


def _traffic(broker: redis.Redis, seconds: float) -> tuple[int, int]:
    """Return how many commands Redis was given in so many seconds, and how many bytes went in and out."""
    before = broker.info("stats")
    time.sleep(seconds)
    after = broker.info("stats")
    counted = (
        ("total_commands_processed",),
        ("total_net_input_bytes", "total_net_output_bytes"),
    )
    commands, sent = (sum(after[key] - before[key] for key in keys) for keys in counted)
    return commands, sent


@contextlib.contextmanager
def _stopped(pids: Iterable[int]) -> Iterator[None]:
    """Have these processes stand still."""
    still = list(pids)
    try:
        for pid in still:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in still:
            os.kill(pid, signal.SIGCONT)


def _producers(broker: str) -> list[int]:
    """Return who sends tasks to this broker: the demonstration's own producer."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and "celeriac.demo.producer" in _command(entry):
            with contextlib.suppress(OSError):
                if f"BROKER_URL={broker}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


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
