"""Cloud Controller: the apps and processes of all spaces, and the actions on them that an API caller may ask for.

One lock makes each action whole; it may call Diego and the audit trail, and neither calls back.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from celeriac.emulator.audit import AuditTrail, Party
from celeriac.emulator.config import AppConfig, EmulatorConfig, ProcessConfig
from celeriac.emulator.diego import Diego
from celeriac.emulator.entities import WEB, App, Process, Workload, lrp_guid, new_guid, stable_guid
from celeriac.emulator.errors import not_found, unprocessable
from celeriac.emulator.lrp import ActualLrp
from celeriac.emulator.quotas import Running, excess
from celeriac.emulator.spaces import Spaces, space_guid


@dataclass(frozen=True, slots=True)
class Observation:
    """A process and its instances at one moment; `desired` is False while its app is stopped."""

    process: Process
    desired: bool
    slots: Mapping[int, ActualLrp]


@dataclass(frozen=True, slots=True)
class Scaling:
    """What a process shall have; None leaves it as it is. Sizes are in MB, the log rate in bytes per second."""

    instances: int | None = None
    memory_mb: int | None = None
    disk_mb: int | None = None
    log_bytes_per_second: int | None = None

    def fields(self) -> dict[str, int]:
        """Return what changes."""
        told = {name: getattr(self, name) for name in ("instances", "memory_mb", "disk_mb", "log_bytes_per_second")}
        return {name: value for name, value in told.items() if value is not None}


class CloudController:
    """Holds the apps that the configuration put into the spaces; what a quota forbids raises `ApiError` 422."""

    def __init__(self, config: EmulatorConfig, spaces: Spaces, diego: Diego, audit: AuditTrail) -> None:
        now = int(time.time())
        self._spaces = spaces
        self._diego = diego
        self._audit = audit
        self._apps: dict[str, App] = {}
        self._processes: dict[str, Process] = {}
        self._lock = threading.RLock()
        for app in config.apps:
            self._seed(app, config.place(app.org, app.space), now)

    def run_seeded(self) -> None:
        """Start the apps that the configuration wants started."""
        with self._lock:
            for app in self._apps.values():
                if app.started:
                    self._desire(app)

    def apps(self) -> list[App]:
        with self._lock:
            return list(self._apps.values())

    def app(self, guid: str) -> App | None:
        with self._lock:
            return self._apps.get(guid)

    def processes(self) -> list[Process]:
        with self._lock:
            return list(self._processes.values())

    def process(self, guid: str) -> Process | None:
        with self._lock:
            return self._processes.get(guid)

    def process_of(self, app_guid: str, process_type: str) -> Process | None:
        """Return the process of one type of an app: while a deployment is active, its new one."""
        with self._lock:
            found = (each for each in reversed(self._of(app_guid)) if each.type == process_type)
            return next(found, None)

    def observe(self, process: Process) -> Observation:
        """Return a process as it is now, with the instances of its current generation."""
        with self._lock:
            current = self._processes.get(process.guid, process)  # a deployment may have ended it meanwhile
            desired = self._apps[current.app_guid].started
            return Observation(current, desired, self._diego.instances(lrp_guid(current)))

    def start(self, app_guid: str, actor: Party) -> App:
        """Start an app; one that is started already goes on as it is."""
        with self._lock:
            app = self._apps[app_guid]
            if not app.started:
                self._check_quotas(self._of(app_guid))
            self._record("start", app, actor)
            return app if app.started else self._begin_generation(app)

    def stop(self, app_guid: str, actor: Party) -> App:
        """Stop an app; its instances drain."""
        with self._lock:
            app = self._apps[app_guid]
            self._record("stop", app, actor)
            self._remove(app)
            return self._keep_app(replace(app, started=False))

    def restart(self, app_guid: str, actor: Party) -> App:
        """Start a new generation at once, while the instances of the old one drain."""
        with self._lock:
            app = self._apps[app_guid]
            self._record("restart", app, actor)
            self._remove(app)
            return self._begin_generation(app)

    def scale(self, process: Process, wanted: Scaling, actor: Party) -> Process:
        """Change the instances of a process at once, or what each may take from the next start on."""
        with self._lock:
            current = self._current(process)
            app = self._apps[current.app_guid]
            changed = replace(current, **wanted.fields())  # type: ignore[arg-type]  # the names are those of Process
            if app.started:
                self._check_quotas([changed])
            scaled = self._keep_process(changed)
            self._audit.scale(self._workload(app, scaled), wanted.fields(), actor)
            if app.started:
                self._diego.scale(lrp_guid(scaled), scaled.instances)
            return scaled

    def terminate(self, process: Process, index: int, actor: Party) -> bool:
        """Restart one instance; False if the process has no such index."""
        with self._lock:
            current = self._current(process)
            if not 0 <= index < current.instances:
                return False
            self._audit.terminate(self._workload(self._apps[current.app_guid], current), index, actor)
            self._diego.retire(lrp_guid(current), index)
            return True

    def begin_web(self, app_guid: str, guid: str) -> None:
        """Start a new web process with this guid beside an app's old one, if it has one, as a deployment does."""
        with self._lock:
            old = self.process_of(app_guid, WEB)
            if old:
                self._renew(replace(old, guid=guid, created_at=int(time.time())))

    def keep_web(self, app_guid: str, guid: str) -> None:
        """End all web processes of an app but the one with this guid; without it all stay."""
        with self._lock:
            others = [each for each in self._of(app_guid) if each.type == WEB and each.guid != guid]
            if guid in self._processes:
                self._end(others)

    def drop_web(self, app_guid: str, guid: str) -> None:
        """End the web process that a deployment began, if it did."""
        with self._lock:
            self._end([each for each in self._of(app_guid) if each.guid == guid])

    def renew_others(self, app_guid: str) -> None:
        """Start a new generation of all processes but the web process, as a deployment does at its end."""
        with self._lock:
            for process in [each for each in self._of(app_guid) if each.type != WEB]:
                self._diego.remove(lrp_guid(process))
                self._renew(process)

    def _renew(self, process: Process) -> None:
        app = self._keep_app(replace(self._apps[process.app_guid], started=True))
        self._diego.desire(self._workload(app, self._keep_process(replace(process, version=new_guid()))))

    def _end(self, processes: list[Process]) -> None:
        for process in processes:
            self._diego.remove(lrp_guid(process))
            del self._processes[process.guid]

    def change(self, app_guid: str, actor: Party, **fields: object) -> App:
        """Change what people set on an app: labels, annotations, features, or variables, which wait for a restart."""
        with self._lock:
            app = self._keep_app(replace(self._apps[app_guid], **fields))  # type: ignore[arg-type]
            self._audit.update(self._workload(app, self._of(app_guid)[0]), list(fields), actor)
            return app

    def workload(self, app_guid: str) -> Workload:
        """Return an app with its first process, as events tell of it."""
        with self._lock:
            return self._workload(self._apps[app_guid], self._of(app_guid)[0])

    def workloads(self) -> list[Workload]:
        """Return every process with its app."""
        with self._lock:
            return [self._workload(self._apps[each.app_guid], each) for each in self._processes.values()]

    def _begin_generation(self, app: App) -> App:
        for process in self._of(app.guid):
            self._keep_process(replace(process, version=new_guid()))
        started = self._keep_app(replace(app, started=True))
        self._desire(started)
        return started

    def _desire(self, app: App) -> None:
        for process in self._of(app.guid):
            self._diego.desire(self._workload(app, process))

    def _remove(self, app: App) -> None:
        for process in self._of(app.guid):
            self._diego.remove(lrp_guid(process))

    def _record(self, verb: str, app: App, actor: Party) -> None:
        self._audit.app_action(verb, self.workload(app.guid), actor)

    def _current(self, process: Process) -> Process:
        """Return a process as it is now; one that a deployment has ended meanwhile is not found."""
        current = self._processes.get(process.guid)
        if current is None:
            raise not_found("Process")
        return current

    def _of(self, app_guid: str) -> list[Process]:
        return [process for process in self._processes.values() if process.app_guid == app_guid]

    def _check_quotas(self, changed: list[Process]) -> None:
        """Refuse what is too much, were these processes to run beside all others of started apps."""
        guids = {process.guid for process in changed}
        others = [each for each in self._processes.values() if each.guid not in guids]
        run = [self._running(each) for each in others if self._apps[each.app_guid].started]
        added = [self._running(each) for each in changed]
        if found := excess([*run, *added], added):
            raise unprocessable(", ".join(found))

    def _running(self, process: Process) -> Running:
        return Running(process, self._spaces.space(self._apps[process.app_guid].space_guid))

    def _workload(self, app: App, process: Process) -> Workload:
        return Workload(self._spaces.space(app.space_guid), app, process)

    def _keep_app(self, app: App) -> App:
        self._apps[app.guid] = replace(app, updated_at=int(time.time()))
        return self._apps[app.guid]

    def _keep_process(self, process: Process) -> Process:
        self._processes[process.guid] = replace(process, updated_at=int(time.time()))
        return self._processes[process.guid]

    def _seed(self, config: AppConfig, place: tuple[str, str], now: int) -> None:
        guid = stable_guid(*place, config.name)
        self._apps[guid] = App(
            guid=guid,
            name=config.name,
            space_guid=space_guid(*place),
            started=config.started,
            env=config.env,
            cwd=config.cwd,
            created_at=now,
            updated_at=now,
            files=config.files,
            labels=config.labels,
            annotations=config.annotations,
            services=config.services,
            routes=config.routes,
            sidecars=config.sidecars,
            autoscaler=config.autoscaler,
        )
        for process in config.processes:
            seeded = _process(guid, process, now)
            self._processes[seeded.guid] = seeded


def _process(app_guid: str, config: ProcessConfig, now: int) -> Process:
    return Process(
        # The platform gives an app's first web process the guid of the app.
        guid=app_guid if config.type == WEB else stable_guid(app_guid, config.type),
        app_guid=app_guid,
        type=config.type,
        command=config.command,
        instances=config.instances,
        memory_mb=config.memory_mb,
        health_check_timeout=config.health_check_timeout,
        health_check=config.health_check,
        disk_mb=config.disk_mb,
        version=new_guid(),
        created_at=now,
        updated_at=now,
    )
