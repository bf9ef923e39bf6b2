"""The table of roles: that of the settings, or the one that an administrator has put in its place."""

import threading
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from celeriac.access_ports import RoleTable, RoleTables
from celeriac.app.access.acting import Acting, done
from celeriac.core.access import Actor, Grant, Identity, Right, Rule, granted, matches, without_admin
from celeriac.core.errors import ConflictError

KEPT_S = 1.0
"""A change on another console holds here after so long; each request asks."""


class Fit(NamedTuple):
    """One row of the table, and whether it fits somebody."""

    rule: Rule
    fits: bool


class Roles:
    """Reads the table, and changes it; `given` is that of the settings, `clock` in seconds since the epoch.

    A changed table may name these `clusters`; where they are not told, any.
    """

    def __init__(
        self,
        given: Sequence[Rule],
        tables: RoleTables,
        clock: Callable[[], float],
        clusters: Collection[str] | None = None,
    ) -> None:
        self._given, self._tables, self._clock, self._clusters = tuple(given), tables, clock, clusters
        self._lock = threading.Lock()
        self._read_at, self._changed = float("-inf"), RoleTable((), 0.0, "")

    def rules(self) -> tuple[Rule, ...]:
        """Return the rows that hold now, in their order."""
        return self.changed().rules or self._given

    def changed(self) -> RoleTable:
        """Return the table as it was changed here; one without rows if that of the settings holds."""
        with self._lock:
            now = self._clock()
            if now - self._read_at >= KEPT_S:
                self._changed = self._tables.newest() or RoleTable((), 0.0, "")
                self._read_at = now
            return self._changed

    def grants(self, identity: Identity) -> tuple[Grant, ...]:
        """Return what somebody may, in the order of the table."""
        return granted(self.rules(), identity)

    def fits(self, identity: Identity) -> list[Fit]:
        """Return each row with whether it fits: why somebody has the role that they have."""
        return [Fit(rule, matches(rule, identity)) for rule in self.rules()]

    def history(self, acting: Acting, limit: int = 50) -> list[RoleTable]:
        """Return earlier tables, the newest first."""
        acting.need(Right.ADMINISTER, "see the table of roles")
        return self._tables.history(limit)

    def change(self, rules: Sequence[Rule], acting: Acting, why: str, asking: Identity | None = None) -> None:
        """Let another table hold from now on; none gives it back to the settings.

        Raises ConflictError where nobody would be an administrator, or whoever asks would be none any more, and where
        a row names a cluster that there is not.
        """
        acting.need(Right.ADMINISTER, "change the table of roles")
        meant = tuple(rules) or self._given
        if no := self._unknown(rules) or without_admin(meant) or _locked_out(meant, asking):
            raise ConflictError(f"The table of roles is not changed: {no}.")
        entry = done("change roles", "the table of roles", f"{len(meant)} rows")
        acting.note(replace(entry, before=_text(self.rules()), after=_text(meant), why=why))
        self._tables.change(RoleTable(tuple(rules), self._clock(), acting.actor.called, why))
        with self._lock:
            self._read_at = float("-inf")

    def _unknown(self, rules: Sequence[Rule]) -> str | None:
        """Return which clusters of the rows are none: a typing mistake would give nothing, and later perhaps too much."""
        if self._clusters is None:
            return None
        named = {name for rule in rules for name in rule.grant.clusters} - set(self._clusters)
        if not named:
            return None
        which = ", ".join(repr(name) for name in sorted(named))
        return f"there is no cluster {which}; there are: {', '.join(self._clusters)}"


def _locked_out(rules: Sequence[Rule], asking: Identity | None) -> str | None:
    """Return why whoever asks may not: a typing mistake in a group's name must not shut out all administrators.

    Of their rows the first that covers everything decides, so a weaker one that is moved up shuts them out as well.
    """
    if asking is None or Actor(asking.subject, granted(rules, asking)).may(Right.ADMINISTER):
        return None
    return "you would be no administrator any more, and could not undo it"


def _text(rules: Sequence[Rule]) -> str:
    return "; ".join(f"{one.text}: {one.grant.text}" for one in rules)
