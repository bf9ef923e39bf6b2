"""What a person's own restart or approval passes, told before it is given: from what the keeper's guards judged by."""

from collections.abc import Callable, Iterable

from celeriac.core.finding import Finding
from celeriac.core.guard import Scene, passed
from celeriac.core.incident import HeldReason, Incident
from celeriac.core.ledger import Ledger
from celeriac.core.memory import Board
from celeriac.ports import Journal


def scene_of(board: Board, now: float) -> Scene | None:
    """Return what the keeper's guards judged by; None if it has not said so."""
    if board.policy is None:
        return None
    return Scene(board.findings, Ledger(board.remedies), board.policy, now, board.apps, board.changes)


def passes(finding: Finding | None, scene: Scene | None) -> list[str]:
    """Return what an order to restart this worker would pass now, a sentence each."""
    if finding is None or scene is None or not (finding.guid or finding.repair):
        return []
    return [f"{one.reason}: {one.text}" for one in passed(finding, scene)]


def passed_by_all(findings: Iterable[Finding], scene: Scene | None) -> list[str]:
    """Return what an order to restart all of these would pass now: each reason once, as the first of them has it."""
    found: dict[HeldReason, str] = {}
    if scene is not None:
        for one in (hold for finding in findings if finding.guid for hold in passed(finding, scene)):
            found.setdefault(one.reason, f"{one.reason}: {one.text}")
    return list(found.values())


class Passing:
    """The same for incidents; each cluster's board is read once."""

    def __init__(self, journal: Journal, clock: Callable[[], float]) -> None:
        self._journal, self._clock = journal, clock
        self._boards: dict[str, tuple[dict[str, Finding], Scene | None]] = {}

    def of(self, incident: Incident) -> list[str]:
        """Return what an approval of this incident would pass now."""
        if incident.over:
            return []
        if incident.cluster not in self._boards:
            self._boards[incident.cluster] = self._read(incident.cluster)
        findings, scene = self._boards[incident.cluster]
        if incident.place.of_app:
            members = (findings.get(one.id) for one in incident.members)
            return passed_by_all((one for one in members if one is not None), scene)
        return passes(findings.get(incident.place.id), scene)

    def _read(self, cluster: str) -> tuple[dict[str, Finding], Scene | None]:
        board = self._journal.board(cluster)
        if board is None:
            return {}, None
        return {one.place.id: one for one in board.findings}, scene_of(board, self._clock())
