"""What every part of a run shares: where files lie, how large things are, the corpora, and whom progress is told."""

import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.corpus import Corpora

T = TypeVar("T")


@dataclass(frozen=True)
class Size:
    """How much each part does; rates in events a second."""

    burst_tasks: int = 150_000
    burst_rate: float = 1_000_000
    flower_burst_tasks: int = 10_000
    paces: tuple[float, ...] = tuple(
        1000.0 * rate for rate in (10, 20, 40, 60, 80, 100, 120, 140, 160, 180, 200, 220, 240)
    )
    pace_s: float = 8.0
    flower_paces: tuple[float, ...] = tuple(1000.0 * rate for rate in (3, 4, 5, 6, 7, 8, 9, 10, 12))
    flower_pace_s: float = 15.0
    retained: int = 1_000_000
    memory_rate: float = 60_000
    flower_retained: int = 1_000_000
    flower_fill_rate: float = 4_000
    many: int = 10_000_000
    load_rate: float = 50_000
    load_s: float = 12.0
    flower_load_rate: float = 6_000
    flower_load_s: float = 25.0
    durable_rate: float = 80_000
    sustained: tuple[float, ...] = tuple(1000.0 * rate for rate in (10, 20, 30, 40, 60, 80, 100, 120, 150, 180))
    sustained_s: float = 15.0
    idle_s: float = 30.0
    behind_s: float = 2.0
    """Who is further behind at the end of a paced run only loses later."""

    pace_kept: float = 0.97
    """The share of the wanted rate that the generator must have reached."""


SHORT = Size(
    burst_tasks=10_000,
    paces=(15_000.0,),
    pace_s=2.0,
    retained=20_000,
    memory_rate=15_000,
    many=230_000,  # more than one partition holds
    load_rate=10_000,
    load_s=3.0,
    durable_rate=10_000,
    sustained=(15_000.0,),
    sustained_s=3.0,
    behind_s=math.inf,  # how fast it is does not count
    pace_kept=0.0,
)
"""Sizes that prove in about a minute that all of it works."""


@dataclass
class Bench:
    """One run."""

    memory: Path
    disk: Path
    size: Size
    rounds: int
    parts: frozenset[str]
    """What was asked for."""

    flower: Path | None = None
    """Flower's Python; None measures without Flower."""

    kept: Path | None = None
    """Where filled stores are kept for the next run, or were kept by an earlier one."""

    top_rate: float | None = None
    """The highest rate that was paced without loss, once that is known."""

    corpora: Corpora = field(init=False)
    _known: dict[str, Any] = field(default_factory=dict)
    _begun: float = field(default_factory=time.monotonic)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.corpora = Corpora(self.memory)

    def say(self, text: str) -> None:
        """Tell what goes on; results go to standard output, this does not."""
        minutes, seconds = divmod(int(time.monotonic() - self._begun), 60)
        print(f"{minutes:3d}:{seconds:02d}  {text}", file=sys.stderr, flush=True)

    @contextmanager
    def room(self) -> Iterator[Path]:
        """Give an empty directory for one measurement's store and logs; it is deleted after it."""
        with tempfile.TemporaryDirectory(prefix=f"{next(self._numbers):03d}-", dir=self.disk) as folder:
            yield Path(folder)

    def once(self, what: str, make: Callable[[], T]) -> T:
        """Return what `make` returned when it was first needed."""
        if what not in self._known:
            self._known[what] = make()
        found: T = self._known[what]
        return found
