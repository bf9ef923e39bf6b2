"""Typed reading of TOML tables, with errors that a person can act on.

Each reading method takes the key out of the table; `close` then refuses what nobody asked for.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar


class EmulatorConfigError(Exception):
    """The configuration cannot be used; the message names the key and what to write instead."""


class Table:
    """One table of the file; `place` is its path in the file, empty for the whole."""

    def __init__(self, content: Mapping[str, object], place: str = "") -> None:
        self._left = dict(content)
        self._known: set[str] = set()
        self._place = place

    def has(self, key: str) -> bool:
        return key in self._left

    def left(self) -> list[str]:
        """Return the keys that nobody has read yet."""
        return list(self._left)

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text that is not empty; without a default the key is required."""
        value = self._take(key, default)
        if value is None:
            raise self.error(key, "is missing: give it a text in quotes")
        if not isinstance(value, str) or not value.strip():
            raise self.error(key, f"is {value!r}: give a text in quotes that is not empty")
        return value

    def choice(self, key: str, default: str, choices: Sequence[str]) -> str:
        """Return one of the texts in `choices`."""
        value = self.text(key, default)
        if value not in choices:
            raise self.error(key, f"is {value!r}: give {' or '.join(repr(choice) for choice in choices)}")
        return value

    def whole(self, key: str, default: int | None, *, least: int = 0, most: int = 2**31 - 1) -> int | None:
        """Return a whole number within both bounds."""
        value = self._take(key, default)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.error(key, f"is {value!r}: give a whole number from {least} to {most}")
        return value

    def count(self, key: str, default: int, *, least: int = 0, most: int = 2**31 - 1) -> int:
        """Return a whole number within both bounds, never None."""
        value = self.whole(key, default, least=least, most=most)
        return default if value is None else value

    def seconds(self, key: str, default: float, *, zero: bool = False) -> float:
        """Return a number above 0, or from 0 on if `zero`."""
        value = self._take(key, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or value < 0 or (value == 0 and not zero):
            raise self.error(key, f"is {value!r}: give a number {'from 0 on' if zero else 'above 0'}")
        return float(value)

    def number(self, key: str, default: float, *, least: float | None) -> float:
        """Return a number from `least` on, or any if that is None."""
        value = self._take(key, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or (least is not None and value < least):
            raise self.error(key, f"is {value!r}: give a number" + ("" if least is None else f" from {least:g} on"))
        return float(value)

    def texts(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """Return a list of texts."""
        value = self._take(key, list(default))
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(key, f"is {value!r}: give a list of texts")
        return tuple(value)

    def mapping(self, key: str) -> dict[str, str]:
        """Return a table of texts, empty if the key is missing."""
        value = self._take(key, {})
        if not isinstance(value, dict):
            raise self.error(key, f"is {value!r}: give a table of texts")
        for name, text in value.items():
            if not isinstance(text, str):
                raise self.error(f"{key}.{name}", f"is {text!r}: put the value in quotes")
        return value

    def values(self, key: str) -> dict[str, object]:
        """Return a table of anything, empty if the key is missing."""
        value = self._take(key, {})
        if not isinstance(value, dict):
            raise self.error(key, f"is {value!r}: give a table")
        return value

    def truth(self, key: str) -> bool:
        """Return true or false; false if the key is missing."""
        value = self._take(key, False)
        if not isinstance(value, bool):
            raise self.error(key, f"is {value!r}: give true or false")
        return value

    def table(self, key: str) -> "Table":
        """Return a table in this one, empty if the key is missing."""
        value = self._take(key, {})
        if not isinstance(value, dict):
            raise self.error(key, f"is {value!r}: write it as [{self._path(key)}]")
        return Table(value, self._path(key))

    def tables(self, key: str) -> "list[Table]":
        """Return a list of tables in this one, empty if the key is missing."""
        value = self._take(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.error(key, f"is {value!r}: write it as [[{self._path(key)}]]")
        return [Table(item, f"{self._path(key)}[{number}]") for number, item in enumerate(value)]

    def close(self) -> None:
        """Refuse keys that were not read, with the nearest known key."""
        for key in self._left:
            near = difflib.get_close_matches(key, self._known, n=1)
            fix = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(sorted(self._known))}"
            raise self.error(key, f"is not a key of the emulator: {fix}")

    def error(self, key: str, what: str) -> EmulatorConfigError:
        """Make the error for a key of this table."""
        return EmulatorConfigError(f"{self._path(key)} {what}")

    def _take(self, key: str, default: object) -> object:
        self._known.add(key)
        return self._left.pop(key, default)

    def _path(self, key: str) -> str:
        return f"{self._place}.{key}" if self._place else key


Item = TypeVar("Item")


def unique(items: Iterable[Item], what: str, key: str) -> tuple[Item, ...]:
    """Return the items, or refuse two with the same value of an attribute."""
    seen: set[object] = set()
    kept = tuple(items)
    for item in kept:
        name = getattr(item, key)
        if name in seen:
            message = f"{what}: {key} {name!r} stands there twice: give each its own"
            raise EmulatorConfigError(message)
        seen.add(name)
    return kept
