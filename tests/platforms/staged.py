"""The same small app on each platform: process types with their commands, run as real processes."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import harness
from celeriac.adapters.cloudfoundry import Budget, CloudFoundry, Credentials, Options, Session
from celeriac.adapters.local_processes import Connection, LocalProcesses, LocalRecords
from celeriac.core.errors import UnreachableError
from celeriac.core.model import App, Crash, Instance, InstanceState
from celeriac.emulator import AppConfig, Emulator, EmulatorConfig, ProcessConfig, UserConfig
from celeriac.emulator.space_config import OrganizationConfig, QuotaConfig, Role, RolesConfig
from celeriac.platform_ports import AppOrders, AppRecords, PlatformRights
from celeriac.processes import Child, running, spawn

WORKER = 'echo "I am $CF_INSTANCE_INDEX $CF_INSTANCE_GUID"; exec sleep 1000'
MOST = 100
"""How many instances may run: what `celeriac local` allows, and here the quota of the organization."""

NOBODY = 65534
ENV = {"GREETING": "hello", "DB_PASSWORD": "hunter2", "BROKER_URL": "redis://:hunter2@127.0.0.1:1/0"}


@dataclass
class Stage:
    """A running platform with the app `shop`, and its ports; `most` instances of it may run.

    `end` ends the platform. `stranger` is the same platform for somebody who may order nothing there. The last three tell of
    the `celeriac local` that it is, if it is one.
    """

    kind: str
    platform: CloudFoundry | LocalProcesses
    records: AppRecords
    orders: AppOrders
    rights: PlatformRights
    end: Callable[[], object]
    stranger: Callable[[], AbstractContextManager["Stage"]] = field(repr=False)
    most: int = MOST
    child: Child | None = None
    log: Path | None = None
    socket: Path | None = None

    def app(self) -> App:
        return self.platform.apps()[0]

    def one(self, index: int = 0, process: str = "worker") -> Instance:
        return next(each for each in self.app().instances if (each.process, each.index) == (process, index))

    def crashes(self, since: float) -> tuple[Crash, ...]:
        """Return the crashes as a keeper asks for them: beside the apps, that show whether anything moves."""
        self.platform.apps()
        return self.platform.crashes(since)

    def until_running(self, number: int) -> tuple[Instance, ...]:
        def all_run() -> tuple[Instance, ...] | None:
            found = self.app().instances
            good = [one for one in found if one.state is InstanceState.RUNNING and one.guid]
            return found if len(good) == len(found) == number else None

        return harness.wait_until(all_run, 15, f"{number} instances run", dump=self.dump)

    def guids(self) -> list[str | None]:
        return [one.guid for one in self.app().instances]

    def dump(self) -> str:
        return f"{self.app()}\n{self.log.read_text() if self.log else ''}"


@contextlib.contextmanager
def on_local(
    folder: Path, *, worker: str = WORKER, instances: int = 2, grace: float = 1.0, stdout: int | None = None
) -> Iterator[Stage]:
    """Run the app with `celeriac local`; its standard output goes to a file, or to `stdout`."""
    (folder / "Procfile").write_text(f"# the shop\nworker: {worker}\nweb: exec sleep 1000\n")
    (folder / "env").write_text("".join(f"{name}={value}\n" for name, value in ENV.items()))
    socket, log = folder / "own" / "shop.sock", folder / "local.log"
    argv = [sys.executable, "-m", "celeriac", "local", "--file", str(folder / "Procfile"), "--name", "shop"]
    argv += ["--scale", f"worker={instances}", "--scale", "web=0", "--env-file", str(folder / "env")]
    argv += ["--socket", str(socket), "--grace", str(grace)]
    with log.open("ab") as out:
        child = spawn(argv, name="celeriac local", stdout=out if stdout is None else stdout, stderr=out)
    with running(child, grace=5):
        connection = Connection(socket, timeout=5)

        def answers() -> bool:
            assert child.poll() is None, log.read_text()
            with contextlib.suppress(UnreachableError):
                connection.log_in()
                return True
            return False

        harness.wait_until(answers, 15, "it answers", dump=log.read_text)
        platform, records = LocalProcesses("here", connection, selectors=["shop", "gone"]), LocalRecords(connection)

        @contextlib.contextmanager
        def stranger() -> Iterator[Stage]:
            with as_another_user(socket):
                yield stage

        stage = Stage("local", platform, records, platform, platform, lambda: child.stop(5), stranger)
        stage.child, stage.log, stage.socket = child, log, socket
        yield stage


@contextlib.contextmanager
def as_another_user(socket: Path) -> Iterator[None]:
    """Be somebody who cannot connect to the socket; root, whom no mode of a file keeps out, becomes nobody for that."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    else:
        socket.chmod(0)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        else:
            socket.chmod(0o600)


@contextlib.contextmanager
def on_cloudfoundry(folder: Path, *, worker: str = WORKER, instances: int = 2, grace: float = 1.0) -> Iterator[Stage]:
    """Run the app on the emulated Cloud Foundry."""
    assert folder.is_dir()
    processes = (ProcessConfig(worker, instances=instances), ProcessConfig("exec sleep 1000", type="web", instances=0))
    config = EmulatorConfig(
        apps=(AppConfig("shop", processes, env=ENV),),
        users=(UserConfig("ada", "secret"), UserConfig("eve", "secret", roles=RolesConfig(Role.AUDITOR))),
        organizations=(OrganizationConfig("demo", quota=QuotaConfig(instances=MOST)),),
        grace_seconds=grace,
        speed=15,
    )
    with Emulator(config) as emulator:

        @contextlib.contextmanager
        def as_(user: str) -> Iterator[Stage]:
            session = Session(emulator.url, Credentials("platform.cf", username=user, password="secret"))
            session.budget = Budget(60_000)
            with contextlib.closing(session):
                options = Options(autoscaler=emulator.url)
                names = {"org": "demo", "space": "dev", "selectors": ["shop", "gone"]}
                cloud = CloudFoundry("cf", session, **names, options=options)
                end = emulator.stop
                yield Stage("cloudfoundry", cloud, cloud.records, cloud.orders, cloud.rights, end, lambda: as_("eve"))

        with as_("ada") as stage:
            yield stage


STAGES = {"local": on_local, "cloudfoundry": on_cloudfoundry}
