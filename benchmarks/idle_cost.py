"""What Celeriac costs while nothing happens: memory and CPU of each role beside the demo's four workers.

    make bench                                   60 s, with the demo's 20 tasks a second
    .venv/bin/python benchmarks/idle_cost.py --seconds 10 --json

Memory is the proportional set size (PSS): what would be free if that process alone ended. CPU is in percent of one core.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from celeriac.demo.stage import free_port, set_up

TICK = os.sysconf("SC_CLK_TCK")


def roles(data: Path) -> dict[str, int]:
    """Return the pids of the demo's own processes by what they do."""
    found: dict[str, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if str(data / "celeriac.toml") in words and "serve" in words and words[0] != "/bin/sh":
            found[words[words.index("--only") + 1] if "--only" in words else "supervisor"] = int(entry.name)
    return found


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def pss_mb(pid: int) -> float:
    """Return a process's share of memory in MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def rss_mb(pid: int) -> float:
    """Return a process's resident memory in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def main() -> None:
    """Run the demo without breaks, measure, and print a row for each role."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        with set_up(data, free_port(), lambda _: None) as stage:
            while sum(one.verdict == "healthy" for one in stage.client.workers()) < 4:
                time.sleep(0.5)
            time.sleep(10)  # let start-up pass: pools are learned, the first looks are over
            pids = roles(data)
            before = {name: cpu_seconds(pid) for name, pid in pids.items()}
            time.sleep(arguments.seconds)
            rows = [
                {
                    "role": name,
                    "cpu_percent": round(100 * (cpu_seconds(pid) - before[name]) / arguments.seconds, 1),
                    "pss_mb": round(pss_mb(pid), 1),
                    "rss_mb": round(rss_mb(pid), 1),
                }
                for name, pid in sorted(pids.items())
            ]
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return
    print(f"| role | CPU, % of one core | PSS, MB | RSS, MB |   ({arguments.seconds:g} s, 4 workers, 20 tasks/s)")
    for row in rows:
        print(f"| {row['role']} | {row['cpu_percent']} | {row['pss_mb']} | {row['rss_mb']} |")


if __name__ == "__main__":
    main()
