"""What claims say: groups, names, scopes. A value may be a list or one bare text; texts are never split at commas."""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from celeriac.core.naming import legible


class Groups(Struct, frozen=True):
    """Somebody's groups as they were told, and where that was, in words."""

    names: tuple[str, ...]
    told: str


def groups(claims: Mapping[str, Any], named: Iterable[str], where: str) -> Groups | None:
    """Return the groups of all claims that may hold some, None if there are none."""
    found: dict[str, None] = {}
    holding = []
    for name in named:
        values = texts(claims.get(name))
        if values:
            holding.append(name)
            found.update(dict.fromkeys(values))
    if not found:
        return None
    count = f"{len(found)} {'group' if len(found) == 1 else 'groups'}"
    return Groups(tuple(found), f"{count} in {' and '.join(holding)} of the {where}")


def texts(told: object) -> list[str]:
    """Return the texts of a claim: a bare one is a list of one, and what is no text is left out."""
    several = told if isinstance(told, list) else [told]
    return [one for one in several if isinstance(one, str) and one.strip()]


def first(claims: Mapping[str, Any], named: Iterable[str]) -> str:
    """Return the first of these claims that holds a text, or nothing."""
    return next((value for name in named if (value := text(claims, name))), "")


def name(claims: Mapping[str, Any], named: Iterable[str]) -> str:
    """Return what a person is called, fit to be shown: the first of these claims that has something of it left."""
    return next((shown for one in named if (shown := legible(text(claims, one) or ""))), "")


def text(claims: Mapping[str, Any], name: str) -> str | None:
    """Return a claim that must be one text, None if it is none."""
    value = claims.get(name)
    return value if isinstance(value, str) and value.strip() else None


def scopes(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a token may do: Ping has it as a list or as one text with spaces between."""
    return tuple(scope for one in texts(claims.get("scope", claims.get("scp"))) for scope in one.split())


def client(claims: Mapping[str, Any]) -> str | None:
    """Return the id of the program that a token was given to."""
    return first(claims, ("client_id", "azp", "cid")) or None


def seconds(claims: Mapping[str, Any], name: str) -> float | None:
    """Return a number of seconds, None if it is none."""
    value = claims.get(name)
    try:
        return float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None
