"""Runs rows side by side, each in a process of its own, tells how each went, and writes the page."""

import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

from celeriac.processes import Child, spawn
from faults.brokers import RabbitMQ
from faults.injections import WATCHED_S
from faults.page import counts, outcome
from faults.results import Result, Results, digest
from faults.rows import Row
from faults.setups import setup
from faults.stage import ROOT

LONGEST_S = 1200.0
APART_S = 4.0
"""Between the starts of two rows: twenty programs that start at once would all be late."""


@dataclass
class Running:
    """A row under way."""

    row: Row
    child: Child
    result: Path
    until: float = field(default_factory=lambda: time.monotonic() + LONGEST_S)


class Matrix:
    """One run over some rows."""

    def __init__(
        self, results: Results, *, parallel: int, record: Path | None = None, keep: Path | None = None
    ) -> None:
        self._results, self._parallel, self._record, self._keep = results, parallel, record, keep
        self._begun, self._done = time.monotonic(), 0

    def run(self, rows: list[Row], *, fresh: bool = False) -> list[Result]:
        """Run what is not done yet; return the results of all of them."""
        digests = {row.celery: digest(row) for row in rows}
        left = [row for row in rows if fresh or not self._results.done(row, digests[row.celery])]
        left.sort(
            key=lambda row: -WATCHED_S.get(row.mode, 0.0)
        )  # the longest first, so that none is left alone at the end
        self.say(f"{len(rows)} rows, {len(rows) - len(left)} of them done before")
        if left:
            with self._room() as folder, ExitStack() as stack:
                rabbitmq = self._rabbitmq(left, folder, stack)
                for result in self._all(left, folder, rabbitmq):
                    result["digest"] = digests[result["row"]["celery"]]
                    self._results.add(result)
                    self._tell(result, len(left))
        found = [one for one in self._results.of(rows) if one]
        right, wrong, absent = counts(found)
        self.say(f"{right} right, {wrong} wrong, {absent} not run")
        return found

    def say(self, text: str) -> None:
        """Tell what goes on."""
        minutes, seconds = divmod(int(time.monotonic() - self._begun), 60)
        print(f"{minutes:3d}:{seconds:02d}  {text}", file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def _room(self) -> Iterator[Path]:
        if self._keep:
            self._keep.mkdir(parents=True, exist_ok=True)
            yield self._keep.absolute()
            return
        with tempfile.TemporaryDirectory(prefix="celeriac-faults-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)

    def _rabbitmq(self, rows: list[Row], folder: Path, stack: ExitStack) -> RabbitMQ | None:
        if not any(row.broker == "rabbitmq" and setup(row).own_rabbitmq is None for row in rows):
            return None
        (folder / "broker").mkdir(exist_ok=True)
        return RabbitMQ(stack, folder / "broker")

    def _all(self, rows: list[Row], folder: Path, rabbitmq: RabbitMQ | None) -> Iterator[Result]:
        waiting, running = list(rows), list[Running]()
        try:
            last = 0.0
            while waiting or running:
                now = time.monotonic()
                if waiting and len(running) < self._parallel and now - last >= APART_S:
                    running.append(self._start(waiting.pop(0), folder, rabbitmq))
                    last = now
                for one in [one for one in running if one.child.poll() is not None or now > one.until]:
                    running.remove(one)
                    yield _ended(one)
                time.sleep(0.2)
        finally:
            for one in running:
                one.child.stop(20)

    def _start(self, row: Row, folder: Path, rabbitmq: RabbitMQ | None) -> Running:
        home, result = folder / row.id, folder / f"{row.id}.json"
        shutil.rmtree(home, ignore_errors=True)  # what an earlier run has kept
        home.mkdir()
        result.unlink(missing_ok=True)
        shared = rabbitmq is not None and row.broker == "rabbitmq" and setup(row).own_rabbitmq is None
        order = {
            "row": asdict(row),
            "folder": str(home),
            "result": str(result),
            "vhost": rabbitmq.fresh_vhost(f"{row.id}-{os.getpid()}") if rabbitmq and shared else None,
            "record": str(self._record / f"{row.id}.jsonl") if self._record else None,
        }
        with (folder / f"{row.id}.log").open("ab") as log:
            argv = [sys.executable, "-m", "faults.row", json.dumps(order)]
            child = spawn(argv, name=row.id, cwd=ROOT, stdout=log, stderr=log)
        self.say(f"{row.id} ...")
        return Running(row, child, result)

    def _tell(self, result: Result, number: int) -> None:
        self._done += 1
        what = ""
        if not result.get("missing"):
            after = "" if result["after_s"] is None else f" after {result['after_s']:.0f} s"
            what = f": {result['verdict']}{after}, remedy {result['remedy']}"
        self.say(f"[{self._done}/{number}] {result['id']} {outcome(result)}{what} ({result['took_s']:.0f} s)")
        for line in result.get("detail", []):
            print(f"          {line}", file=sys.stderr)


def _ended(one: Running) -> Result:
    """Return the result of a row that has ended, or why there is none."""
    code = one.child.poll()
    if code is None:
        one.child.stop(20)
    if one.result.exists():
        found: Result = json.loads(one.result.read_text())
        return found
    log = one.result.with_suffix(".log").read_text(errors="replace").strip().splitlines()
    why = (
        f"it took more than {LONGEST_S:.0f} s"
        if code is None
        else f"it broke: {log[-1] if log else f'exit code {code}'}"
    )
    return {"id": one.row.id, "row": asdict(one.row), "at": round(time.time()), "took_s": 0.0, "missing": why}
