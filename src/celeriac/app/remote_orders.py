"""What the keeper orders by remote control, of the very process that it is for."""

from celeriac.app.gather import Gatherer
from celeriac.core import recycle as recycling
from celeriac.core import story
from celeriac.core.act import Act
from celeriac.core.errors import MissingError, PortError, UnreachableError
from celeriac.core.incident import Recycling
from celeriac.core.repair import Repair, RepairKind
from celeriac.ports import Hands


def mend(act: Act, repair: Repair, gatherer: Gatherer) -> Act:
    """Have the worker itself mend what it lacks, if it still is the process that lacked it."""
    hands, node, clock = gatherer.hands, act.remedy.node or "", gatherer.clock
    if hands is None:
        return story.failed(act, clock(), "remote control is not configured")
    try:
        if f"{node}#{act.remedy.pid}" not in gatherer.processes(node):
            return story.unclear(act, clock(), f"not touched: {node} is not the process it was, or does not answer")
        said = hands.repair(node, repair)
    except (UnreachableError, MissingError) as error:
        return story.unclear(act, clock(), str(error))
    except PortError as error:
        return story.failed(act, clock(), str(error))
    return story.acted(act, clock(), f"{node} says: {said}; waiting for proof")


def recycle(act: Act, gatherer: Gatherer, *, until: float) -> Act:
    """Give the next order of a recycling, if the process is the one that it is for, before the look has grown old."""
    hands, node, clock = gatherer.hands, act.remedy.node or "", gatherer.clock
    if hands is None:
        return story.failed(act, clock(), "remote control is not configured")
    try:
        if f"{node}#{act.remedy.pid}" not in gatherer.processes(node):
            return recycling.unclear(act, clock(), f"not told: {node} is not the process it was, or does not answer")
        if clock() > until:
            return recycling.unclear(act, clock(), "not told: what was seen has grown old before the order")
        text = _give(act, hands, node)
    except (UnreachableError, MissingError) as error:
        return recycling.unclear(act, clock(), str(error))
    except PortError as error:
        return recycling.refused(act, clock(), str(error))
    return recycling.given(act, clock(), text)


def _give(act: Act, hands: Hands, node: str) -> str:
    queues = act.remedy.queues
    if act.remedy.step is Recycling.SHUTDOWN:
        hands.shutdown(node)
        return "told to end; the platform starts it again"
    if act.remedy.step is Recycling.GIVE_BACK:
        return _said(node, [hands.repair(node, Repair(RepairKind.ADD_CONSUMER, name)) for name in queues])
    return _said(node, [hands.cancel(node, name) for name in queues])


def _said(node: str, answers: list[str]) -> str:
    return f"{node} says: {'; '.join(answers) or 'it consumes nothing'}"
