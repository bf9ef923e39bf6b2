"""Health checks by port and by HTTP, with real processes: a start, a death by one failed probe, and a start too slow."""

import sys

import harness
from celeriac.emulator import AppConfig, ProcessConfig
from celeriac.emulator.config import SidecarConfig
from celeriac.emulator.health import HealthCheck

SERVER = """
import http.server, os, pathlib, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        pathlib.Path({asked!r}).write_text(self.headers["User-Agent"])
        broken = pathlib.Path({broken!r}).exists()
        self.send_response(503 if broken or self.path != "/alive" else 200)
        self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def checked(launch, command, check, timeout=None):
    process = ProcessConfig(command, type="web", health_check=check, health_check_timeout=timeout)
    return launch(apps=(AppConfig("shop", (process,)),)).cf


def served(tmp_path):
    script = tmp_path / "server.py"
    script.write_text(SERVER.format(asked=str(tmp_path / "asked"), broken=str(tmp_path / "broken")))
    return f"exec {sys.executable} {script}"


def crash(cf, within=15):
    crashes = lambda: cf.events("shop", "audit.app.process.crash")  # noqa: E731
    return harness.wait_until(crashes, within, "it has crashed", dump=cf.lines)[-1]["data"]["exit_description"]


def test_one_failed_http_probe_ends_an_instance(launch, tmp_path):
    cf = checked(launch, served(tmp_path), HealthCheck("http", "/alive", interval=1))
    cf.wait_states("RUNNING", kind="web")
    assert (tmp_path / "asked").read_text() == "diego-healthcheck"
    assert cf.process(kind="web")["health_check"] == {
        "type": "http",
        "data": {"timeout": None, "invocation_timeout": None, "interval": 1, "endpoint": "/alive"},
    }
    port = cf.stats(kind="web")[0]["instance_ports"][0]["internal"]

    (tmp_path / "broken").touch()

    assert crash(cf) == (
        "Instance became unhealthy: Liveness check unsuccessful: "
        f"failed to make HTTP request to '/alive' on port {port}: received status code 503"
    )
    assert "Container became healthy" in cf.lines()
    assert "Container became unhealthy" in cf.lines()


def test_an_instance_with_a_port_check_starts_when_it_listens(launch, tmp_path):
    cf = checked(launch, served(tmp_path), HealthCheck("port"))

    cf.wait_states("RUNNING", kind="web")

    assert cf.events("shop", "audit.app.process.crash") == []


def test_an_instance_that_never_listens_crashes_at_its_time_limit(launch):
    cf = checked(launch, "exec sleep 1000", HealthCheck("port"), timeout=2)
    assert cf.states(kind="web") == ["STARTING"]

    said = crash(cf)

    assert said.startswith(
        "Instance never healthy after 2s: Startup check unsuccessful: failed to make TCP connection to "
    )
    assert said.endswith(": connection refused")


def test_an_instance_that_ends_while_it_starts_is_an_ordinary_crash(launch):
    cf = checked(launch, "exit 3", HealthCheck("port"))

    assert crash(cf) == "APP/PROC/WEB: Exited with status 3"


def with_sidecar(launch, command):
    processes = (ProcessConfig("exec sleep 1000"), ProcessConfig("exec sleep 1000", type="other"))
    sidecar = SidecarConfig("helper", command, ("worker",))
    return launch(apps=(AppConfig("shop", processes, sidecars=(sidecar,)),)).cf


def test_a_sidecar_that_ends_is_a_crash_of_its_instance_alone(launch):
    cf = with_sidecar(launch, "echo $INSTANCE_GUID helps; exit 4")

    assert crash(cf) == "APP/PROC/WORKER/SIDECAR/HELPER: Exited with status 4"
    assert any(line.endswith(" helps") for line in cf.lines())
    assert cf.wait_states("RUNNING", kind="other")


def test_a_sidecar_ends_with_its_instance(launch, tmp_path):
    cf = with_sidecar(launch, f"echo $$ > {tmp_path}/pid; exec sleep 1000")
    cf.wait_states("RUNNING")
    pid = int(harness.wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), 10, "it runs"))

    cf.post(f"/v3/apps/{cf.app()['guid']}/actions/stop")

    harness.wait_until(lambda: not harness.alive(pid), 10, "the sidecar has ended")
    assert cf.events("shop", "audit.app.process.crash") == []
