"""The page `docs/reference/fault-matrix.md`: how the matrix was made, and one line a row."""

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from celeriac.demo import servers
from faults import figures
from faults.results import Result
from faults.rows import BY_ID, KOMBU, MODES, Row, covered, possible
from faults.stage import ROOT

PATH = ROOT / "docs" / "reference" / "fault-matrix.md"
HEADINGS = (
    "mode",
    "what was done",
    "broker",
    "pool",
    "Celery / kombu",
    "verdict",
    "after",
    "remedy",
    "proof",
    "right or wrong",
)
_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{10,}")
_LONGEST = 160


def outcome(result: Result | None) -> str:
    """Return `right`, `wrong: why`, or `not run: why`."""
    if result is None:
        return "not run yet"
    if result.get("missing"):
        return f"not run: {result['missing']}"
    return f"wrong: {'; '.join(result['wrong'])}" if result["wrong"] else "right"


def line(row: Row, result: Result | None) -> str:
    """Return a row of the table."""
    mode = BY_ID[row.mode]
    seen = ["", "", "", ""]
    if result is not None and not result.get("missing"):
        after = "" if result["after_s"] is None else f"{max(0.0, result['after_s']):.0f} s"
        seen = [result["verdict"], after, result["remedy"], _short(result["proof"])]
    celery = f"{row.celery} / {KOMBU[row.celery]}"
    return _cells(row.mode, mode.what, row.broker, row.pool, celery, *seen, outcome(result))


def table(rows: list[Row], results: list[Result | None]) -> str:
    """Return the whole table, with a line for each mode that cannot be made."""
    lines = [_cells(*HEADINGS), _cells(*("---" for _ in HEADINGS))]
    found = dict(zip(rows, results, strict=True))
    for mode in MODES:
        if mode.absent and len(rows) >= len(MODES):
            lines.append(_cells(mode.id, mode.what, "", "", "", "", "", "", "", f"not run: {mode.absent}"))
        lines += [line(row, result) for row, result in found.items() if row.mode == mode.id]
    return "\n".join(lines)


def write(rows: list[Row], results: list[Result | None], path: Path = PATH) -> None:
    """Write the page."""
    path.write_text(TEXT.format(table=table(rows, results), **_facts(rows, results)), encoding="utf-8")


def counts(results: Iterable[Result | None]) -> tuple[int, int, int]:
    """Return how many rows are right, wrong, and not run."""
    words = [outcome(one).partition(":")[0] for one in results]
    return words.count("right"), words.count("wrong"), len(words) - words.count("right") - words.count("wrong")


def _facts(rows: list[Row], results: list[Result | None]) -> dict[str, object]:
    right, wrong, absent = counts(results)
    ran = [one for one in results if one and not one.get("missing")]
    pairs, every = covered([row for row, one in zip(rows, results, strict=True) if one in ran], possible())
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "rows": len(rows),
        "right": right,
        "wrong": wrong,
        "absent": absent,
        "pairs": pairs,
        "every": every,
        "beat": max((one["sibling_beat_s"] for one in ran if one["row"]["mode"] != "F11"), default=0.0),
        "figures": figures.table(ran),
        "siblings": sum(any("sibling" in why for why in one["wrong"]) for one in ran),
    }


def machine() -> str:
    """Return the machine in words."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    redis = subprocess.run([servers.redis_program(), "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"v=([\d.]+)", redis)
    parts = [f"{os.cpu_count()} cores", f"{memory:.0f} GB", f"Python {platform.python_version()}"]
    parts.append(f"Redis {found[1]}" if found else "Redis")
    if shutil.which("dpkg-query"):
        argv = ["dpkg-query", "-W", "-f", "${Version}", "rabbitmq-server"]
        version = subprocess.run(argv, capture_output=True, text=True, check=False).stdout.partition("-")[0]
        parts += [f"RabbitMQ {version}"] if version else []
    return ", ".join(parts)


def _short(text: str) -> str:
    text = _GUID.sub("…", text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _cells(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in cells) + " |"


TEXT = """# Fault matrix

Real workers were broken in each of the ways that Celery workers are known to fail, and what Celeriac said and did was compared with
what is right. The table is made by `make fault-matrix`, which writes this page; [how to run
it](../how-to/prove-the-verdicts.md).

Made on {date}: {machine}. **{right} of {rows} rows are right, {wrong} are wrong, {absent} were not run.** The rows cover {pairs} of the
{every} pairs that any two of mode, broker, pool and Celery can form. Healthy siblings were called ill or restarted in {siblings} rows;
the oldest heartbeat of a healthy sibling was {beat:.0f} s old (12 s make a suspect, 30 s can convict).

{figures}

Each row is a cluster of its own: a broker (a Redis, or a virtual host on one RabbitMQ), three workers of that Celery as instances of an
app on the [emulated Cloud Foundry](emulator.md), light traffic, and all roles of Celeriac in mode `auto` with the default thresholds.
One worker is made ill, the others stay healthy; in F11 and F16 every worker is concerned, in F19 none. Several rows run side by side.

- **verdict** is what the ill worker was called, **after** how long after the fault began, **remedy** what Celeriac did, **proof** how its
  incident ended.
- **right** means: a verdict that is [right for the mode](../explanation/the-cycle.md), no other conviction, the wanted remedy once and
  proven or none at all, every healthy sibling left alone, and every worker healthy at the end (but for F21). Anything else is
  **wrong**, with the reason.
- A pool other than prefork may be silent while a task runs, and Redis tells workers apart only from kombu 5.7 on: there a
  remedy may wait for a person, who approves at once (`approved`), as live repairs always do. For such pools F3, F4 and F12 run with
  `may_block = 60`, and F7 everywhere with `stuck = 120`, each in place of ten minutes.
- F8, F9 and F10 run with `broker_heartbeat = 120`, Celery's default, all others with 10: with 10 RabbitMQ takes the connection of a worker
  whose main process works for more than 20 s, and gives its task to another, again and again.
- In F5 the one connection that waits for messages is turned half-open; kombu 5.7 finds that by itself after 43 s. In F12 every connection is,
  and new ones pass. In F14 the clock is moved within the worker's Python. In F15 RabbitMQ refuses the second process its queue for remote
  control, and the container may end with it. In F18 the task ends one worker after the other. In F19 beat has sent a task every 6 s for a
  while; then a note of the cluster must tell that it is missed, and no other row may have such a note.

{table}
"""
