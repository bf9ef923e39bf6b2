"""The table: what was measured, ours and Flower's, how they compare, and whether the bar is met."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from statistics import median


class Kind(StrEnum):
    """How a bar is to be read."""

    TIMES = "times"  # so many times as much as Flower
    LEAST = "at least"
    MOST = "at most"


@dataclass(frozen=True)
class Bar:
    """What a figure must reach, and what it is meant to reach."""

    kind: Kind
    value: float
    aim: float | None = None


@dataclass(frozen=True)
class Figure:
    """One row; `ours` and `flower` hold a value for each round, taken in turn.

    `flaw` says what is wrong with our part, such as lost tasks: then no bar is met. `missing` and `no_flower` say why
    something was not measured.
    """

    what: str
    unit: str
    bar: Bar | None = None
    ours: tuple[float, ...] = ()
    flower: tuple[float, ...] = ()
    flaw: str = ""
    missing: str = ""
    no_flower: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times better than Flower we are: the median of the rounds, pair by pair."""
        pairs = list(zip(self.ours, self.flower, strict=False))
        if not pairs or not all(ours and flower for ours, flower in pairs):
            return None
        less_is_better = self.bar is not None and self.bar.kind is Kind.MOST
        return median(flower / ours if less_is_better else ours / flower for ours, flower in pairs)

    @property
    def met(self) -> bool | None:
        """Whether the bar is met; None where there is none, or nothing was measured."""
        return self._reaches(self.bar.value) if self.bar else None

    @property
    def aim_met(self) -> bool | None:
        """Whether the aim is met too."""
        return self._reaches(self.bar.aim) if self.bar and self.bar.aim is not None else None

    def _reaches(self, value: float) -> bool | None:
        if self.missing or not self.ours or self.bar is None:
            return None
        if self.flaw:
            return False
        reached = self.ratio if self.bar.kind is Kind.TIMES else median(self.ours)
        if reached is None:
            return None
        return reached <= value if self.bar.kind is Kind.MOST else reached >= value


HEADINGS = ("what", "Celeriac", "Flower 2.2", "ratio", "bar", "met")


def markdown(figures: Iterable[Figure]) -> str:
    """Return the figures as a table that is readable as it is."""
    rows = [HEADINGS, *map(_cells, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines.insert(1, "-|-".join("-" * width for width in widths))
    return "\n".join(f"| {line} |" if place != 1 else f"|-{line}-|" for place, line in enumerate(lines))


def plain(figures: Iterable[Figure]) -> list[dict[str, object]]:
    """Return the figures as JSON holds them."""
    return [
        asdict(one)
        | {"ratio": one.ratio, "met": one.met, "aim_met": one.aim_met}
        | {
            "median": median(one.ours) if one.ours else None,
            "flower_median": median(one.flower) if one.flower else None,
        }
        for one in figures
    ]


def _cells(one: Figure) -> tuple[str, ...]:
    ours = f"not measured: {one.missing}" if one.missing else _values(one.ours, one.unit)
    if one.flaw:
        ours += f" ({one.flaw})"
    flower = _values(one.flower, one.unit) if one.flower else one.no_flower or "-"
    ratio = f"{one.ratio:.1f}x" if one.ratio is not None else "-"
    met = {True: "yes, and the aim" if one.aim_met else "yes", False: "NO", None: "-"}[one.met]
    return one.what, ours, flower, ratio, _bar(one), met


def _bar(one: Figure) -> str:
    if one.bar is None:
        return "-"
    if one.bar.kind is Kind.TIMES:
        return f"{one.bar.value:g}x"
    return f"{one.bar.kind} {shown(one.bar.value, one.unit)}"


def _values(values: tuple[float, ...], unit: str) -> str:
    if not values:
        return "-"
    text = shown(median(values), unit)
    if len(values) > 1 and max(values) > min(values):
        text += f" ({shown(min(values), '')}..{shown(max(values), '')})"
    return text


def shown(value: float, unit: str) -> str:
    """Return a number with its unit, with as many digits as it deserves."""
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f} {unit}".strip()
