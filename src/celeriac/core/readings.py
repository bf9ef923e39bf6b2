"""Readings: a fact with its time, or the reason why there is none.

A source that fails never looks like a dead worker: it gives `Unknown(why)`, and the rules decide what that means.
Times are seconds since the epoch (UTC) everywhere in the core.
"""

from typing import Generic, TypeAlias, TypeVar

from msgspec import Struct

T = TypeVar("T")


class Known(Struct, Generic[T], frozen=True, tag="known"):
    """A value and when it was read."""

    value: T
    at: float


class Unknown(Struct, frozen=True, tag="unknown"):
    """Why there is no value; the text is shown to people."""

    why: str
    at: float = 0.0


Reading: TypeAlias = Known[T] | Unknown


class Evidence(Struct, frozen=True):
    """One line of a verdict's proof: which signal, what it read, and when; `rules_out` names an alternative."""

    signal: str
    reading: str
    at: float
    rules_out: str | None = None
