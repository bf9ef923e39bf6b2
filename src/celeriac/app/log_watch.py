"""Reading the logs of workers that are looked at more closely: each again after some seconds, a few at a time."""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any

from celeriac.app.asking import Asked
from celeriac.core.exhibits import Line
from celeriac.core.finding import Finding
from celeriac.core.logs import Logged, read_all
from celeriac.core.model import Incarnation, Instance
from celeriac.core.readings import Known, Reading
from celeriac.evidence_ports import PlatformRecords

LINES = 300
EVERY_S = 10.0
AT_ONCE = 5
APART_S = 1.0
"""How far the platform's clock may be from ours: lines of an earlier life are not this one's."""


class LogWatch:
    """Keeps what the logs of the nodes in question tell, as of each one's last reading."""

    def __init__(self, records: PlatformRecords, ask: Callable[[Callable[[], Any]], Asked[Any]]) -> None:
        self._records, self._ask = records, ask
        self._asked: dict[str, tuple[Asked[tuple[Line, ...]], Incarnation]] = {}
        self._read_at: dict[str, float] = {}
        self.logged: dict[str, Reading[Logged]] = {}

    def go_on(self, where: Mapping[str, tuple[Incarnation, Instance]], now: float) -> None:
        """Ask for those that are due, and take up what was answered; waits for nobody, and forgets who is in question no more."""
        for node, (asked, one) in list(self._asked.items()):
            if asked.done(within=0.0):
                del self._asked[node]
                self.logged[node] = _told(asked.answer(), one)
        self.logged = {node: told for node, told in self.logged.items() if node in where}
        self._read_at = {node: at for node, at in self._read_at.items() if node in where}
        due = [node for node in where if node not in self._asked and now - self._read_at.get(node, 0.0) >= EVERY_S]
        for node in sorted(due, key=lambda node: self._read_at.get(node, 0.0))[: AT_ONCE - len(self._asked)]:
            one, instance = where[node]
            self._read_at[node] = now
            self._asked[node] = (self._ask(partial(self._records.logs, instance, LINES)), one)


def _told(answer: Reading[tuple[Line, ...]], one: Incarnation) -> Reading[Logged]:
    if not isinstance(answer, Known):
        return answer
    lines = ((line.at, line.text) for line in answer.value if line.at is not None)
    return Known(read_all((at, text) for at, text in lines if at >= one.first_seen_at - APART_S), answer.at)


def running(findings: Iterable[Finding], nodes: Collection[str]) -> dict[str, tuple[Incarnation, Instance]]:
    """Return which of these nodes run in an instance that has a log."""
    return {
        one.node: (one.site.incarnation, one.site.instance)
        for one in findings
        if one.node in nodes and one.node and one.site and one.site.incarnation and one.site.instance
    }
