"""Celeriac and the sample app, started from their manifests as they stand in the repository."""

import base64
import contextlib
import os
import sys
from pathlib import Path

import httpx2
import pytest

import harness
from celeriac.adapters.cloudfoundry import Credentials, Session
from celeriac.client import Celeriac, ClientError
from celeriac.core.errors import PortError
from celeriac.processes import running, spawn

pytestmark = pytest.mark.live
ROOT = Path(__file__).parent.parent.parent
CELERIAC = ROOT / "deploy" / "cloudfoundry" / "manifest.yml"
WORKERS = ROOT / "examples" / "worker-app" / "manifest.yml"


class Foundation:
    """An emulator of these manifests, and what is asked of it."""

    def __init__(self, folder, redis_port, *manifests):
        port = harness.free_port()
        self.api = f"http://127.0.0.1:{port}"
        self.log = folder / "emulator.log"
        self.ready = folder / "emulator.url"
        config = folder / "emulator.toml"
        config.write_text(
            f'port = {port}\nready_file = "{self.ready}"\ngrace_seconds = 3\n'
            '[[clients]]\nid = "celeriac"\nsecret = "s3cret"\n'
            f'[[services]]\nname = "shop-broker"\nlabel = "p.redis"\ntags = ["redis"]\n'
            f'credentials = {{ host = "127.0.0.1", port = {redis_port}, password = "" }}\n'
        )
        given = {"cf_api": self.api, "cf_org": "demo", "cf_space": "dev"}
        given |= {"client_id": "celeriac", "client_secret": "s3cret"}
        variables = [f"--var={name}={value}" for name, value in given.items()]
        self.argv = [sys.executable, "-m", "celeriac", "emulator", "--config", str(config), *variables]
        self.argv += [f"--manifest={path}" for path in manifests]
        self.session = Session(self.api, Credentials("platform.cf", client_id="celeriac", client_secret="s3cret"))

    @contextlib.contextmanager
    def started(self):
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        with self.log.open("ab") as out:
            child = spawn(self.argv, env={**os.environ, "PATH": path}, stdout=out, stderr=out)
        with contextlib.closing(self.session), running(child, grace=10):
            yield

    def wait(self, condition, within, why):
        return harness.wait_until(condition, within, why, dump=self.dump, every=0.2)

    def app(self, name):
        return next(self.session.pages("/v3/apps", names=name))["guid"]

    def stats(self, name, kind):
        return self.session.get(f"/v3/apps/{self.app(name)}/processes/{kind}/stats")["resources"]

    def lines(self, name):
        read = self.session.get(f"/api/v1/read/{self.app(name)}", limit="1000", envelope_types="LOG")
        return [base64.b64decode(each["log"]["payload"]).decode() for each in read["envelopes"]["batch"]]

    def dump(self):
        said = [self.log.read_text()[-3000:]]
        for name in ("celeriac", "worker-app"):
            with contextlib.suppress(PortError, StopIteration):  # what can be shown is shown
                said += [name, *self.lines(name)[-60:]]
        return "\n".join(said)


def console_port(foundation):
    running = [one for one in foundation.stats("celeriac", "web") if one["state"] == "RUNNING"]
    return running[0]["instance_ports"][0]["internal"] if running else None


@pytest.mark.timeout(150)
def test_both_manifests_start_and_celeriac_sees_the_workers_well(tmp_path, redis_server):
    foundation = Foundation(tmp_path, redis_server.port, CELERIAC, WORKERS)
    with foundation.started():
        foundation.wait(foundation.ready.exists, 20, "the emulator is ready")
        port = foundation.wait(lambda: console_port(foundation), 30, "Celeriac runs")

        def answers():
            try:
                return httpx2.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).status_code == 200
            except httpx2.TransportError:
                return False

        foundation.wait(answers, 40, "Celeriac answers at the port that the platform gave it")
        with Celeriac(f"http://127.0.0.1:{port}") as client:

            def well():
                try:
                    found = client.workers()
                except ClientError:
                    return None
                return found if [one.verdict for one in found] == ["healthy", "healthy"] else None

            workers = foundation.wait(well, 60, "both workers are healthy")
        guids = {one["instance_guid"]: one["index"] for one in foundation.stats("worker-app", "worker")}
        assert {one.instance.guid: one.instance.index for one in workers} == guids
        assert {one.instance.app for one in workers} == {"worker-app"}


@pytest.mark.timeout(90)
def test_a_store_on_the_apps_own_disk_is_a_crash_that_names_the_flag(tmp_path, redis_server):
    folder = tmp_path / "pushed"
    folder.mkdir()
    (folder / "celeriac.toml").write_text((CELERIAC.parent / "celeriac.toml").read_text())
    manifest = folder / "manifest.yml"
    manifest.write_text(CELERIAC.read_text().replace(" --ephemeral-store", ""))
    foundation = Foundation(tmp_path, redis_server.port, manifest)
    with foundation.started():
        foundation.wait(foundation.ready.exists, 20, "the emulator is ready")
        crashed = lambda: list(foundation.session.pages("/v3/audit_events", types="audit.app.process.crash"))  # noqa: E731
        [first, *_] = foundation.wait(crashed, 40, "Celeriac has crashed")

        assert first["data"]["exit_description"] == "APP/PROC/WEB: Exited with status 2"
        assert any("start with --ephemeral-store" in line for line in foundation.lines("celeriac"))
