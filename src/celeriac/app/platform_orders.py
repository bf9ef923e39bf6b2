"""What the keeper orders of the platform for a whole app, once it has read again that it is the one it was ordered for."""

from collections.abc import Callable

from celeriac.app.gather import Gatherer
from celeriac.core import story
from celeriac.core.act import Act
from celeriac.core.at_once import generation
from celeriac.core.errors import PortError, RefusedError, UnreachableError
from celeriac.core.incident import Scale
from celeriac.core.model import App
from celeriac.platform_ports import AppOrders


def order_app(act: Act, gatherer: Gatherer, *, until: float) -> Act:
    """Give the order before the look has grown old; a platform that says no is told with its own reason."""
    orders, clock = gatherer.orders, gatherer.clock
    if orders is None:
        return story.failed(act, clock(), "no platform is configured that takes orders for a whole app")
    order = _scale if act.remedy.scale else _restart
    try:
        return order(act, orders, orders.read(act.remedy.place), clock, until)
    except UnreachableError as error:
        return story.unclear(act, clock(), str(error))
    except PortError as error:
        return story.failed(act, clock(), str(error))


def _restart(act: Act, orders: AppOrders, app: App, clock: Callable[[], float], until: float) -> Act:
    if generation(app) != act.remedy.guid:
        text = "it has been started anew already; waiting for proof"
        return story.acted(act, clock(), text) if act.remedy.attempts > 1 else _another(act, clock())
    _in_time(clock(), until)
    orders.restart_app(app)
    return story.acted(
        act, clock(), "the platform stops all its instances and starts new ones; waiting for proof of each"
    )


def _another(act: Act, now: float) -> Act:
    return story.failed(act, now, "not ordered: somebody has started it anew since the order was given")


def _scale(act: Act, orders: AppOrders, app: App, clock: Callable[[], float], until: float) -> Act:
    scale = act.remedy.scale or Scale("", 0, 0)
    there = next((one.wanted for one in app.processes if one.type == scale.process), None)
    if there == scale.wanted:
        return story.acted(act, clock(), f"{scale.wanted} instances are wanted already; waiting for proof")
    if there != scale.before:
        said = "the platform shows no such process" if there is None else f"somebody has scaled it to {there} meanwhile"
        return story.failed(act, clock(), f"not ordered: {said}")
    if (owner := orders.scaled_by(app)) is not None:
        raise RefusedError(f"not ordered: {owner} scales it; change its limits there instead")
    _in_time(clock(), until)
    orders.scale(app, scale.process, scale.wanted)
    return story.acted(act, clock(), f"the platform wants {scale.wanted} instances from now on; waiting for proof")


def _in_time(now: float, until: float) -> None:
    if now > until:
        raise UnreachableError("not ordered: what was seen has grown old before the order")
