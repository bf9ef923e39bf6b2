"""An independent witness: the PyPI package cloudfoundry-client asks the emulator, and what it did is looked up inside."""

import base64
import json
import subprocess
from pathlib import Path

import pytest
import yaml

import harness
from celeriac.emulator import AppConfig, Fault, FaultKind, ProcessConfig, TokenConfig
from celeriac.emulator.errors import ApiError
from celeriac.emulator.lrp import LrpState
from emulator.conftest import SLEEPER

ROOT = Path(__file__).parent.parent.parent
PYTHON = ROOT / ".venv-cloudfoundry-client" / "bin" / "python"
SCRIPT = Path(__file__).with_name("with_cloudfoundry_client.py")
TALKER = "echo hello from $CF_INSTANCE_INDEX; echo oh dear >&2; exec sleep 1000"


class Refused(Exception):  # noqa: N818 (an answer, not a defect)
    """What the package raised."""

    def __init__(self, status, body, request_id):
        super().__init__(f"{status} {body}")
        self.status, self.body, self.request_id = status, body, request_id


class Package:
    """The package in a process of its own, which ends with its standard input."""

    def __init__(self, folder):
        self._errors = (folder / "cloudfoundry-client.log").open("w+")
        self._popen = subprocess.Popen(
            [PYTHON, "-I", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True
        )

    def __getattr__(self, order):
        return lambda *arguments: self._ask(order, *arguments)

    def _ask(self, *order):
        self._popen.stdin.write(json.dumps(order) + "\n")
        self._popen.stdin.flush()
        line = self._popen.stdout.readline()
        assert line, f"the package stumbled over {order}:\n{self._said()}"
        answer = json.loads(line)
        if "refused" in answer:
            raise Refused(**answer["refused"])
        return answer["told"]

    def _said(self):
        self._errors.seek(0)
        return self._errors.read()

    def close(self):
        self._popen.kill()
        self._popen.communicate()
        self._errors.close()


@pytest.fixture
def package(tmp_path):
    """Return the package, not logged in."""
    if not PYTHON.exists():
        harness.absent("cloudfoundry-client in .venv-cloudfoundry-client (make test installs it)")
    package = Package(tmp_path)
    yield package
    package.close()


@pytest.fixture
def running(launch):
    """Return a foundation of two apps, of which one has two processes; Diego converges only when told to."""
    processes = (ProcessConfig(TALKER, instances=2), ProcessConfig(SLEEPER, type="beat"))
    shop = AppConfig("shop", processes, env={"A": "b"}, routes=("shop.example.org",))
    running = launch(apps=(shop, AppConfig("mail", (ProcessConfig(SLEEPER),), space="other")), speed=0.01)
    settled(running, 2)
    return running


@pytest.fixture
def asked(running, package):
    """Return the package, logged in as Ada."""
    package.log_in(running.emulator.url, "ada", "secret")
    return package


def inside(running, name="shop"):
    """Return the emulator's own app of this name."""
    [app] = [each for each in running.emulator.foundation.controller.apps() if each.name == name]
    return app


def process_inside(running, name="shop", kind="worker"):
    return running.emulator.foundation.controller.process_of(inside(running, name).guid, kind)


def slots(running, name="shop", kind="worker"):
    return running.emulator.foundation.controller.observe(process_inside(running, name, kind)).slots


def guids(running, name="shop", kind="worker"):
    """Return the guid of each instance that runs."""
    found = slots(running, name, kind).items()
    return {index: slot.instance_guid for index, slot in found if slot.state is LrpState.RUNNING}


def settled(running, instances):
    """Wait until so many workers run, and return their guids."""
    harness.wait_until(
        lambda: len(guids(running)) == instances, 10, f"{instances} instances run", dump=lambda: slots(running)
    )
    return guids(running)


def event_types(running):
    events, app = running.emulator.foundation.audit.events(), inside(running)
    return sorted(each.type for each in events if each.target.guid == app.guid)


def test_it_logs_in_by_password_and_finds_everything(running, package):
    assert package.log_in(running.emulator.url, "ada", "secret") == f"{running.emulator.url}/v3"
    controller = running.emulator.foundation.controller

    [org] = package.organizations()
    spaces = {each["name"]: each for each in package.spaces(org["guid"])}
    total, apps = package.apps()

    assert (org["name"], spaces.keys()) == ("demo", {"dev", "other"})
    assert (total, [app["guid"] for app, _, _ in apps]) == (2, [inside(running, n).guid for n in ("mail", "shop")])
    assert [(space["name"], of["name"]) for _, space, of in apps] == [("other", "demo"), ("dev", "demo")]
    assert package.apps({"space_guids": spaces["dev"]["guid"]})[0] == 1
    assert [quota["name"] for quota in package.quotas()] == ["demo"]
    assert {role["type"] for role in package.roles()} == {"space_developer"}
    assert package.environment(inside(running).guid)["environment_variables"] == {"A": "b"}

    processes = package.processes(inside(running).guid)
    known = [each for each in controller.processes() if each.app_guid == inside(running).guid]
    assert {each["guid"]: (each["type"], each["instances"]) for each in processes} == {
        each.guid: (each.type, each.instances) for each in known
    }
    assert package.app_of(processes[0]["guid"])["name"] == "shop"
    assert package.missing() == ["v2", "doppler", "rlpgateway"]


def test_it_reads_the_instances(running, asked):
    process = process_inside(running).guid
    stats = asked.stats(process)

    assert {each["index"]: each["instance_guid"] for each in stats} == guids(running)
    assert [each["state"] for each in stats] == ["RUNNING", "RUNNING"]
    assert {each["type"] for each in stats} == {"worker"}
    assert [(each["index"], each["state"]) for each in asked.instances(process)] == [(0, "RUNNING"), (1, "RUNNING")]


def test_it_finds_the_parts_of_an_app(running, asked):
    shop = inside(running)
    (routes, packages, droplets), manifest = asked.parts(shop.guid)

    assert [each["url"] for each in routes] == ["shop.example.org"]
    assert [each["guid"] for each in packages] == [shop.package_guid]
    assert [each["guid"] for each in droplets] == [shop.droplet_guid]
    assert asked.current_droplet(shop.guid)["guid"] == shop.droplet_guid
    [described] = yaml.safe_load(manifest)["applications"]
    assert (described["name"], described["env"]) == ("shop", {"A": "b"})
    assert {each["type"]: each["instances"] for each in described["processes"]} == {"worker": 2, "beat": 1}


def test_it_restarts_one_instance(running, asked):
    before = settled(running, 2)

    assert asked.restart_instance(process_inside(running).guid, 1) == 204
    harness.wait_until(lambda: 1 not in slots(running), 10, "index 1 has drained")
    assert [each["state"] for each in asked.stats(process_inside(running).guid)] == ["RUNNING", "DOWN"]
    running.converge()
    after = settled(running, 2)

    assert after[0] == before[0]
    assert after[1] != before[1]
    assert event_types(running) == ["audit.app.process.terminate_instance"]


def test_it_restarts_the_app(running, asked):
    before, version = settled(running, 2), process_inside(running).version

    assert asked.restart(inside(running).guid)["state"] == "STARTED"
    after = settled(running, 2)

    assert not set(before.values()) & set(after.values())
    assert process_inside(running).version != version
    assert event_types(running) == ["audit.app.restart"]


def test_it_stops_and_starts_the_app(running, asked):
    settled(running, 2)

    assert asked.stop(inside(running).guid)["state"] == "STOPPED"
    harness.wait_until(lambda: not slots(running), 10, "both instances have ended")
    assert not inside(running).started
    assert asked.start(inside(running).guid)["state"] == "STARTED"

    settled(running, 2)
    assert event_types(running) == ["audit.app.start", "audit.app.stop"]


def test_it_scales_a_process_up_and_down(running, asked):
    before, process = settled(running, 2), process_inside(running).guid

    assert asked.scale(process, 3)["instances"] == 3
    more = settled(running, 3)
    assert asked.scale(process, 1)["instances"] == 1
    harness.wait_until(lambda: len(slots(running)) == 1, 10, "the highest have ended")

    assert before.items() < more.items()
    assert guids(running) == {0: before[0]}
    assert process_inside(running).instances == 1
    assert event_types(running) == ["audit.app.process.scale"] * 2


def test_it_deploys_the_app(running, asked):
    assert asked.deploy(inside(running).guid)["status"]["value"] == "ACTIVE"

    assert running.emulator.foundation.deployments.busy(inside(running).guid)


def test_it_reads_audit_events_page_by_page(running, asked):
    process = process_inside(running).guid
    for instances in (3, 2, 3):
        asked.scale(process, instances)
    asked.restart(inside(running).guid)

    events = asked.events(inside(running).guid)
    known = [each for each in running.emulator.foundation.audit.events() if each.target.guid == inside(running).guid]

    assert len(known) == 4
    assert sorted(each["guid"] for each in events) == sorted(each.guid for each in known)
    assert {each["actor"]["name"] for each in events} == {"ada"}
    told = [each["data"]["request"]["instances"] for each in events if each["type"] == "audit.app.process.scale"]
    assert sorted(told) == [2, 3, 3]


def test_it_reads_recent_logs_through_its_session(running, asked):
    app = inside(running).guid

    def said():
        envelopes = [each for each in asked.recent_logs(app) if each["tags"]["source_type"] == "APP/PROC/WORKER"]
        return {(each["instance_id"], _line(each), each["log"]["type"]) for each in envelopes}

    greeting = {(index, f"hello from {index}", "OUT") for index in ("0", "1")}
    complaint = {(index, "oh dear", "ERR") for index in ("0", "1")}
    harness.wait_until(lambda: said() == greeting | complaint, 10, "all have spoken", dump=said)


def _line(envelope):
    return base64.b64decode(envelope["log"]["payload"]).decode()


def test_a_robot_and_the_login_of_cf_are_logins_too(running, package, tmp_path):
    package.log_in_as_robot(running.emulator.url, "robot", "r2d2")
    package.restart(inside(running).guid)
    package.log_in(running.emulator.url, "ada", "secret")
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"Target": running.emulator.url, "RefreshToken": package.tokens()[1]}))
    package.log_in_as_cf(str(config))
    package.restart(inside(running).guid)

    events = running.emulator.foundation.audit.events()
    assert sorted(each.actor.name for each in events if each.type == "audit.app.restart") == ["ada", "robot"]


def test_it_renews_a_token_that_has_expired(launch, package):
    running = launch(tokens=TokenConfig(access_seconds=1))
    package.log_in(running.emulator.url, "ada", "secret")
    [first, _] = package.tokens()

    def expired():
        try:
            return not running.emulator.foundation.uaa.caller(first)
        except ApiError:
            return True

    harness.wait_until(expired, 10, "the token has expired")
    running.emulator.foundation.uaa._lifetimes = TokenConfig()  # the next one lives long enough on any machine
    assert package.apps()[0] == 1
    assert package.tokens()[0] != first


def test_refusals_are_what_the_package_expects(launch, package):
    running = launch()
    settled(running, 1)
    process, app = process_inside(running).guid, inside(running).guid

    with pytest.raises(Refused, match="Bad credentials") as caught:
        package.log_in(running.emulator.url, "eve", "guessed")
    assert caught.value.status == 401
    package.log_in(running.emulator.url, "eve", "secret")
    before = guids(running)

    for status, code, order in (
        (403, 10003, lambda: package.restart(app)),
        (403, 10003, lambda: package.restart_instance(process, 0)),
        (403, 10003, lambda: package.scale(process, 2)),
        (404, 10010, lambda: package.processes("nowhere")),
        (400, 10005, lambda: package.apps({"nmes": "shop"})),
    ):
        with pytest.raises(Refused) as caught:
            order()
        [error] = caught.value.body["errors"]
        assert (caught.value.status, error["code"]) == (status, code)
        assert caught.value.request_id
    assert guids(running) == before


def test_faults_are_what_the_package_expects(running, asked):
    faults, process = running.emulator.foundation.faults, process_inside(running).guid

    for kind, status, word in (
        (FaultKind.DIEGO_DOWN, 503, "CF-InstancesUnavailable"),
        (FaultKind.BAD_GATEWAY, 502, "<html"),
        (FaultKind.TOKENS_EXPIRED, 401, ""),
    ):
        faults.put(Fault(kind))
        with pytest.raises(Refused) as caught:
            asked.stats(process)
        faults.clear()
        assert caught.value.status == status
        assert word in str(caught.value.body)

    asked.log_in(running.emulator.url, "ada", "secret")
    assert len(asked.stats(process)) == 2
