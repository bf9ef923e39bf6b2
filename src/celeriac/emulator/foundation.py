"""The whole emulated foundation, wired together, as the routes find it."""

from dataclasses import dataclass

from celeriac.emulator.audit import AuditTrail
from celeriac.emulator.cloud_controller import CloudController
from celeriac.emulator.config import EmulatorConfig
from celeriac.emulator.deployments import Deployments
from celeriac.emulator.diego import Diego
from celeriac.emulator.logcache import LogCache
from celeriac.emulator.presenters import Presenters
from celeriac.emulator.roles import Roles
from celeriac.emulator.spaces import Spaces
from celeriac.emulator.uaa import Uaa
from celeriac.emulator.usage import Meter


@dataclass(frozen=True, slots=True)
class Foundation:
    """Every part that a route may need; `url` is the one address of API, login, UAA and log cache."""

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


def build(config: EmulatorConfig, url: str) -> Foundation:
    """Wire a foundation that nothing runs in yet."""
    logs = LogCache(config.log_lines_per_app)
    audit = AuditTrail(logs)
    diego = Diego(config, logs, url, audit.crash)
    spaces = Spaces(config)
    controller = CloudController(config, spaces, diego, audit)
    return Foundation(
        config=config,
        url=url,
        uaa=Uaa(config, url),
        logs=logs,
        audit=audit,
        diego=diego,
        spaces=spaces,
        roles=Roles(config, spaces.all),
        controller=controller,
        deployments=Deployments(config, controller, audit),
        presenters=Presenters(url),
        meter=Meter(),
    )
