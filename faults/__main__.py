"""Breaks real workers and judges Celeriac's verdicts, or disturbs healthy ones and counts false restarts.

make fault-matrix                                      every row that is not done yet, then the page
make fault-matrix ARGS='--only F3 --broker redis'      some rows
make fault-matrix ARGS=--ci                            a dozen rows in four minutes
make soak MINUTES=2                                    a quick look; 15 minutes without it
"""

import argparse
import os
import signal
import sys
from pathlib import Path

from celeriac.core.errors import CeleriacError
from faults import page
from faults.leaks import nothing_left
from faults.matrix import Matrix
from faults.results import FILE, Results
from faults.rows import BROKERS, CELERIES, CI, MODES, POOLS, Row, chosen, possible
from faults.soak import soak

PARALLEL = 7


class Interrupted(Exception):  # noqa: N818 (not an error)
    """SIGTERM or Ctrl-C came."""


def main() -> int:
    """Return the exit code: 0 if all that ran is right."""
    asked = _arguments()
    _interrupt_on_signals()
    try:
        with nothing_left():
            if asked.part == "matrix":
                return _matrix(asked)
            return soak(minutes=asked.minutes, seed=asked.seed, record=_record(), keep=asked.keep)
    except Interrupted:
        print("stopped; what is done is kept", file=sys.stderr)
        return 130
    except (CeleriacError, RuntimeError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1


def _matrix(asked: argparse.Namespace) -> int:
    every, results = chosen(possible()), Results(asked.results)
    rows = _wanted(asked, every)
    if not asked.page:
        Matrix(results, parallel=asked.parallel, record=_record(), keep=asked.keep).run(rows, fresh=asked.fresh)
    if rows == every:
        page.write(every, results.of(every))
        print(f"written: {page.PATH}", file=sys.stderr)
    else:
        print(page.table(rows, results.of(rows)))
    _, wrong, absent = page.counts(results.of(rows))
    return 1 if wrong or absent else 0


def _wanted(asked: argparse.Namespace, every: list[Row]) -> list[Row]:
    """Return the rows that were asked for; a combination that is named whole need not be one of the chosen."""
    filters = {"mode": asked.only, "broker": asked.broker, "pool": asked.pool, "celery": asked.celery}
    given = {name: values for name, values in filters.items() if values}
    rows = [row for row in possible() if row.id in CI] if asked.ci else every

    def fits(row: Row) -> bool:
        return all(getattr(row, name) in values or row.id in values for name, values in given.items())

    named = [row for row in possible() if row.id in (asked.only or ())]
    found = [row for row in rows if fits(row)] or [row for row in possible() if given and fits(row)]
    found = list(dict.fromkeys([*named, *found]))
    if not found:
        raise CeleriacError("There is no such row: that mode cannot be made with that broker, pool or Celery.")
    return found


def _record() -> Path | None:
    """Return where recordings go (`RECORD=DIR`), after making the directory."""
    if not (name := os.environ.get("RECORD")):
        return None
    path = Path(name).absolute()
    path.mkdir(parents=True, exist_ok=True)
    return path


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m faults", description=(__doc__ or "").splitlines()[0])
    parts = parser.add_subparsers(dest="part", required=True)
    matrix = parts.add_parser("matrix", help="make fault-matrix ARGS=...")
    matrix.add_argument("--only", type=_words, help=f"modes or whole rows: {', '.join(mode.id for mode in MODES)}")
    matrix.add_argument("--broker", type=_words, help=", ".join(BROKERS))
    matrix.add_argument("--pool", type=_words, help=", ".join(POOLS))
    matrix.add_argument("--celery", type=_words, help=", ".join(CELERIES))
    matrix.add_argument("--ci", action="store_true", help="a dozen rows")
    matrix.add_argument("--fresh", action="store_true", help="run also what is done")
    matrix.add_argument("--page", action="store_true", help="run nothing, write the page from the results file")
    matrix.add_argument("--parallel", type=int, default=PARALLEL, help="rows side by side")
    matrix.add_argument("--results", type=Path, default=FILE, help="the results file")
    matrix.add_argument("--keep", type=Path, help="keep logs and stores of the rows in this directory")
    soaking = parts.add_parser("soak", help="make soak MINUTES=15 ARGS=...")
    soaking.add_argument("--minutes", type=float, default=15.0, help="how long healthy clusters are disturbed")
    soaking.add_argument("--seed", type=int, default=1, help="which disturbances come, and in which order")
    soaking.add_argument("--keep", type=Path, help="keep logs and store in this directory")
    return parser.parse_args()


def _words(text: str) -> list[str]:
    return text.split(",")


def _interrupt_on_signals() -> None:
    def interrupt(*_: object) -> None:
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, signal.SIG_IGN)  # one is enough: what runs is being stopped
        raise Interrupted

    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, interrupt)


if __name__ == "__main__":
    sys.exit(main())
