"""The same small app on each platform: process types with their commands, run as real processes."""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import harness
from celeriac.adapters.cloudfoundry import CloudFoundry, Credentials, Session
from celeriac.adapters.local_processes import Connection, LocalProcesses, LocalRecords
from celeriac.core.model import App, Crash, Instance, InstanceState
from celeriac.emulator import AppConfig, ClientConfig, Emulator, EmulatorConfig, ProcessConfig, UserConfig
from celeriac.processes import Child, running, spawn

WORKER = 'echo "I am $CF_INSTANCE_INDEX $CF_INSTANCE_GUID"; exec sleep 1000'
ENV = {"GREETING": "hello", "DB_PASSWORD": "hunter2", "BROKER_URL": "redis://:hunter2@127.0.0.1:1/0"}


@dataclass
class Stage:
    """A running platform with the app `shop`; the last three tell of the `celeriac local` that it is, if it is one."""

    kind: str
    platform: CloudFoundry | LocalProcesses
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

    def dump(self) -> str:
        return f"{self.app()}\n{self.log.read_text() if self.log else ''}"

    def records(self) -> LocalRecords:
        assert self.socket is not None
        return LocalRecords(Connection(self.socket, timeout=5))


@contextlib.contextmanager
def on_local(folder: Path, *, worker: str = WORKER, instances: int = 2, grace: float = 1.0) -> Iterator[Stage]:
    """Run the app with `celeriac local`."""
    (folder / "Procfile").write_text(f"# the shop\nworker: {worker}\nweb: exec sleep 1000\n")
    (folder / "env").write_text("".join(f"{name}={value}\n" for name, value in ENV.items()))
    socket, log = folder / "own" / "shop.sock", folder / "local.log"
    argv = [sys.executable, "-m", "celeriac", "local", "--file", str(folder / "Procfile"), "--name", "shop"]
    argv += ["--scale", f"worker={instances}", "--scale", "web=0", "--env-file", str(folder / "env")]
    argv += ["--socket", str(socket), "--grace", str(grace)]
    with log.open("ab") as out:
        child = spawn(argv, name="celeriac local", stdout=out, stderr=out)
    with running(child, grace=5):
        harness.wait_until(lambda: socket.exists() or child.poll() is not None, 15, "it answers", dump=log.read_text)
        assert child.poll() is None, log.read_text()
        platform = LocalProcesses("here", Connection(socket, timeout=5), selectors=["shop", "gone"])
        yield Stage("local", platform, child, log, socket)


@contextlib.contextmanager
def on_cloudfoundry(folder: Path, *, worker: str = WORKER, instances: int = 2, grace: float = 1.0) -> Iterator[Stage]:
    """Run the app on the emulated Cloud Foundry."""
    assert folder.is_dir()
    processes = (ProcessConfig(worker, instances=instances), ProcessConfig("exec sleep 1000", type="web", instances=0))
    config = EmulatorConfig(
        apps=(AppConfig("shop", processes, env=ENV),),
        users=(UserConfig("ada", "secret"),),
        clients=(ClientConfig("robot", "r2d2-secret"),),
        grace_seconds=grace,
        speed=15,
    )
    with Emulator(config) as emulator:
        session = Session(emulator.url, Credentials("platform.cf", username="ada", password="secret"))
        with contextlib.closing(session):
            platform = CloudFoundry("cf", session, org="demo", space="dev", selectors=["shop", "gone"])
            yield Stage("cloudfoundry", platform)


STAGES = {"local": on_local, "cloudfoundry": on_cloudfoundry}
