"""The whole emulated foundation, wired together, as the routes find it."""

import time
from dataclasses import dataclass

from celeriac.emulator.audit import AuditTrail
from celeriac.emulator.clock import Clock, WallClock
from celeriac.emulator.cloud_controller import CloudController
from celeriac.emulator.config import EmulatorConfig
from celeriac.emulator.deployments import Deployments
from celeriac.emulator.diego import Diego
from celeriac.emulator.faults import FaultKind, Faults
from celeriac.emulator.gauges import Gauges
from celeriac.emulator.logcache import LogCache
from celeriac.emulator.presenters import Presenters
from celeriac.emulator.roles import Roles
from celeriac.emulator.spaces import Spaces
from celeriac.emulator.uaa import Uaa
from celeriac.emulator.usage import Meter


@dataclass(frozen=True, slots=True)
class Foundation:
    """Every part that a route may need; `url` is the one address of API, login, UAA and log cache.

    `clock` is what stamps its events, logs and answers; `faults` is what is wrong with it on demand.
    """

    config: EmulatorConfig
    url: str
    uaa: Uaa
    logs: LogCache
    audit: AuditTrail
    diego: Diego
    spaces: Spaces
    roles: Roles
    controller: CloudController
    deployments: Deployments
    presenters: Presenters
    meter: Meter
    gauges: Gauges
    faults: Faults
    clock: WallClock


def build(config: EmulatorConfig, url: str, true_time: Clock = time.time) -> Foundation:
    """Wire a foundation that nothing runs in yet."""
    uaa, faults = Uaa(config, url), Faults()
    faults.at_once = {FaultKind.TOKENS_EXPIRED: uaa.expire_all}
    faults.put(*config.faults)
    clock = WallClock(faults.ahead, true_time)
    logs = LogCache(config.log_lines_per_app, clock)
    audit = AuditTrail(logs, clock)
    diego = Diego(config, logs, url, audit.crash, lambda: faults.has(FaultKind.NO_CAPACITY))
    spaces = Spaces(config)
    controller = CloudController(config, spaces, diego, audit)
    meter = Meter()
    return Foundation(
        config=config,
        url=url,
        uaa=uaa,
        logs=logs,
        audit=audit,
        diego=diego,
        spaces=spaces,
        roles=Roles(config, spaces.all),
        controller=controller,
        deployments=Deployments(config, controller, audit, clock),
        presenters=Presenters(url),
        meter=meter,
        gauges=Gauges(controller, logs, meter),
        faults=faults,
        clock=clock,
    )
