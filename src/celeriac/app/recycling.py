"""Whether a person can have a worker recycled, by the keeper's last word: told before it is ordered, and when it is."""

from msgspec.structs import replace

from celeriac.core.finding import Finding
from celeriac.core.memory import Board
from celeriac.core.model import Verdict
from celeriac.core.recyclable import unfit


def no_recycling(finding: Finding, board: Board) -> str | None:
    """Return why this worker cannot be recycled, or None if it can; the board holds apps once for all findings."""
    if finding.place.node and finding.place.mapped:
        return "it shares its container with other nodes"
    if finding.verdict is Verdict.HUNG:
        return "it is hung, and hears no order: restart it"
    where = (finding.place.platform, finding.place.app)
    app = next((one for one in board.apps if (one.platform, one.name) == where), None)
    return unfit(replace(finding.site, app=app) if finding.site else None)
