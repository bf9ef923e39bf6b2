"""Runs the parts that were asked for, prints the table, and ends with 1 if something of ours was lost.

make bench                                      the whole table
make bench ARGS='--only redis,burst --rounds 5'
make bench ARGS=--short                         a minute, without Flower: is every task complete?
"""

import argparse
import json
import sqlite3
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks import flower
from benchmarks.bench import SHORT, Bench, Size
from benchmarks.brokers import UnavailableError
from benchmarks.corpus import place
from benchmarks.rows import PARTS
from benchmarks.table import Figure, markdown, plain

LONG = {"idle"}
"""What the short form leaves out: other tests run the demonstration."""


def main() -> int:
    """Return the exit code: 0 unless a flaw was found; how fast anything was does not count."""
    asked = _arguments()
    size = SHORT if asked.short else Size()
    if asked.flower_tasks:
        size = replace(size, flower_retained=asked.flower_tasks)
    with tempfile.TemporaryDirectory(dir=place()) as memory, tempfile.TemporaryDirectory(dir=asked.on_disk) as disk:
        bench = Bench(
            Path(memory),
            Path(disk),
            size,
            rounds=1 if asked.short else asked.rounds,
            parts=frozenset(asked.only or (part for part in PARTS if part not in LONG or not asked.short)),
            flower=None if asked.short or asked.no_flower else asked.flower,
            kept=asked.keep,
        )
        figures = list(_measured(bench))
    if asked.short:  # the bars are for full sizes
        figures = [replace(one, bar=None) for one in figures]
    if asked.json:
        print(json.dumps(plain(figures), indent=1))
    else:
        print(markdown(figures))
    return 1 if any(one.flaw for one in figures) else 0


def _measured(bench: Bench) -> Iterator[Figure]:
    for part, measure in PARTS.items():
        if part in bench.parts:
            bench.say(f"{part} ...")
            try:
                yield from measure(bench)
            except UnavailableError as why:
                yield Figure(part, "", missing=str(why).splitlines()[0])
            except (RuntimeError, OSError, sqlite3.Error) as error:
                bench.say(f"{part}: {error}")
                yield Figure(part, "", flaw=f"broke: {str(error).splitlines()[0]}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", type=_parts, help=f"some of: {', '.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=3, help="how often rates and bursts are measured, in turn")
    parser.add_argument(
        "--short", action="store_true", help="small and without Flower: proves completeness, times nothing"
    )
    parser.add_argument("--no-flower", action="store_true", help="measure Celeriac alone")
    parser.add_argument("--flower", type=Path, default=flower.PYTHON, help="the Python of Flower's virtual environment")
    parser.add_argument("--flower-tasks", type=int, help="how many tasks Flower is filled with; fewer save minutes")
    parser.add_argument(
        "--keep", type=Path, help="keep the filled stores in this directory, and use those that are there"
    )
    parser.add_argument(
        "--on-disk", type=Path, help="where stores are made; without it the system's place for temporary files"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


def _parts(text: str) -> Iterable[str]:
    chosen = text.split(",")
    if unknown := [one for one in chosen if one not in PARTS]:
        message = f"there is no part {unknown[0]!r}; there are: {', '.join(PARTS)}"
        raise argparse.ArgumentTypeError(message)
    return chosen


if __name__ == "__main__":
    sys.exit(main())
