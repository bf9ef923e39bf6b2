"""What the `cf` command line, version 8.18, asks for each of its commands, in its order, and what it reads in the answers.

No `cf` is needed: its requests are replayed over a real socket, with its headers, its order of query keys and its encoding. As in
its own language, another type in what it reads is a failure, and a missing key is one here too.
"""

import base64
import json
import time
from typing import get_args

import httpx2
import pytest

import harness
from celeriac.emulator import AppConfig, ProcessConfig, SidecarConfig
from celeriac.emulator.health import HealthCheck
from emulator.conftest import SLEEPER

OLDEST = -6795364578871345152
"""Where `cf logs --recent` begins to read: a negative time, long before any line."""
ENVELOPE = {
    "timestamp",
    "source_id",
    "instance_id",
    "deprecated_tags",
    "tags",
    "log",
    "gauge",
    "counter",
    "timer",
    "event",
}
"""What its strict decoder knows of an envelope."""
OF_EVENTS = (
    "index",
    "reason",
    "cell_id",
    "instance",
    "exit_description",
    "exit_status",
    "recursive",
    "disk_quota",
    "instances",
)
OF_EVENTS = (*OF_EVENTS, "memory", "state", "command")
HEADERS = {
    "Accept": "application/json",
    "Content-Type": "application/json",
    "User-Agent": "cf/8.18.4 (amd64 linux)",
    "X-B3-TraceId": "41ebc3b3ba3a4d4c6b9e0a4e1b2a3c4d",
    "X-B3-SpanId": "6b9e0a4e1b2a3c4d",
}
NUMBER = (int, float)
SHOP = AppConfig(
    "shop",
    (ProcessConfig("echo ready; exec sleep 1000", instances=2), ProcessConfig(SLEEPER, type="web")),
    {"COLOUR": "blue"},
    services={"p.redis": [{"name": "broker", "label": "p.redis", "credentials": {}}]},
    routes=("shop.example.org",),
    sidecars=(SidecarConfig("proxy", SLEEPER, ("worker",)),),
)


def read(answer, path, kind=str):
    """Return what is at a path of keys, which must be there and of this kind."""
    for key in path.split("."):
        answer = answer[int(key) if isinstance(answer, list) else key]
    assert isinstance(answer, kind), f"{path} is {answer!r}"
    assert bool in (get_args(kind) or (kind,)) or not isinstance(answer, bool), f"{path} is {answer!r}"
    return answer


class CommandLine:
    """One `cf` with its own login and target."""

    def __init__(self, url):
        self.http = httpx2.Client(headers=HEADERS, timeout=10, trust_env=False)
        self.asked = []
        self.api(url)

    def ask(self, method, path, body=None, status=200, at=None):
        """Send one request exactly as written; the answer's status is the documented one."""
        content = None if body is None else json.dumps(body).encode()
        answer = self.http.request(method, (at or self.url) + path, content=content)
        assert str(answer.request.url).endswith(path), "the client has changed the request"
        self.asked.append(f"{method} {path.partition('?')[0]}")
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    # cf api, auth, login, target

    def api(self, url):
        self.url = url
        links = self.ask("GET", "/")["links"]
        self.version = tuple(int(part) for part in read(links, "cloud_controller_v3.meta.version").split("."))
        self.login_url, self.uaa = read(links, "login.href"), read(links, "uaa.href")
        self.log_cache = read(links, "log_cache.href")
        assert read(links, "cloud_controller_v3.href") == f"{url}/v3"

    def token(self, basic, form):
        answer = self.http.post(
            f"{self.login_url}/oauth/token",
            data=form,
            auth=basic,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        assert answer.status_code == 200, answer.text
        self.asked.append("POST /oauth/token")
        tokens = answer.json()
        assert read(tokens, "token_type") == "bearer"
        self.claims = self.decoded(read(tokens, "access_token"))
        assert read(self.claims, "exp", NUMBER) > time.time()
        self.http.headers["Authorization"] = f"{tokens['token_type']} {tokens['access_token']}"
        return tokens

    @staticmethod
    def decoded(token):
        _, claims, _ = token.split(".")
        return json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))

    def prompts(self):
        answer = self.ask("GET", "/login", at=self.login_url)
        return {name: [read(one, str(at)) for at in (0, 1)] for name, one in read(answer, "prompts", dict).items()}

    def auth(self, name):
        tokens = self.token(("cf", ""), {"grant_type": "password", "username": name, "password": "secret"})
        assert all(read(self.claims, name) for name in ("user_id", "user_name", "origin"))
        self.refresh_token = read(tokens, "refresh_token")

    def auth_as_client(self, name, secret):
        self.token((name, secret), {"grant_type": "client_credentials"})
        assert read(self.claims, "client_id") == name
        assert "user_name" not in self.claims

    def refresh(self):
        tokens = self.token(("cf", ""), {"grant_type": "refresh_token", "refresh_token": self.refresh_token})
        assert read(tokens, "refresh_token")

    def target(self, org, space):
        found = self.ask("GET", f"/v3/organizations?names={org}&page=1&per_page=1")
        self.org = read(found, "resources.0.guid")
        found = self.ask("GET", f"/v3/spaces?names={space}&organization_guids={self.org}&page=1&per_page=1")
        self.space = read(found, "resources.0.guid")
        assert read(found, "resources.0.relationships.organization.data.guid") == self.org

    def choices(self):
        """Ask as `cf login` does where no organization or space is named."""
        orgs = self.ask("GET", "/v3/organizations?order_by=name")
        spaces = self.ask("GET", f"/v3/spaces?order_by=name&organization_guids={self.org}")
        return [[read(one, "name") for one in found["resources"]] for found in (orgs, spaces)]

    # what several commands share

    def find(self, name):
        found = self.ask("GET", f"/v3/apps?names={name}&space_guids={self.space}")
        assert read(found, "pagination.next", dict | None) is None
        return self.app_of(found["resources"][0])

    @staticmethod
    def app_of(one):
        assert read(one, "state") in ("STARTED", "STOPPED")
        assert read(one, "lifecycle.type") == "buildpack"
        assert isinstance(read(one, "metadata.labels", dict), dict)
        return one

    def processes(self, app):
        return self.ask("GET", f"/v3/apps/{app['guid']}/processes")["resources"]

    def stats(self, process):
        found = self.ask("GET", f"/v3/processes/{process['guid']}/stats")["resources"]
        return [self.instance(one) for one in found]

    @staticmethod
    def instance(one):
        shown = {"index": read(one, "index", int), "state": read(one, "state"), "type": read(one, "type")}
        assert read(one, "uptime", int) >= 0
        assert read(one, "details", str | None) is None or one["details"]
        assert read(one, "isolation_segment", str | None) is None
        read(one, "routable", bool | None)
        if shown["state"] != "DOWN":
            for name in ("mem_quota", "disk_quota", "log_rate_limit"):
                read(one, name, int | None)
            for name in ("mem", "disk", "log_rate", "cpu", "cpu_entitlement"):
                read(one, f"usage.{name}", NUMBER if name.startswith("cpu") else int)
        return shown

    def summary(self, name):
        app = self.find(name)
        guid, shown = app["guid"], {"name": app["name"], "requested state": app["state"].lower(), "processes": {}}
        for process in self.processes(app):
            kind = read(process, "type")
            sidecars = self.ask("GET", f"/v3/processes/{process['guid']}/sidecars")["resources"]
            instances = self.stats(process)
            assert len(instances) == read(process, "instances", int)
            assert read(process, "memory_in_mb", int) > 0
            assert read(process, "health_check.type") == "process"
            shown["processes"][kind] = [each["state"] for each in instances]
            shown[f"sidecars of {kind}"] = [read(each, "name") for each in sidecars]
            assert all(read(each, "command") for each in sidecars)
        routes = self.ask("GET", f"/v3/apps/{guid}/routes")["resources"]
        shown["routes"] = [read(each, "url") for each in routes]
        droplet = self.ask("GET", f"/v3/apps/{guid}/droplets/current")
        shown |= {"last uploaded": read(droplet, "created_at"), "stack": read(droplet, "stack")}
        for each in read(droplet, "buildpacks", list):
            assert all(isinstance(each[key], str) for key in ("name", "version", "detect_output", "buildpack_name"))
        shown["deployment"] = self.active_deployment(guid)
        return shown

    def active_deployment(self, guid):
        """Return the status of the app's newest deployment, if one is active."""
        query = f"app_guids={guid}&order_by=-created_at&page=1&per_page=1&status_values=ACTIVE"
        return [self.deployment_of(each) for each in self.ask("GET", f"/v3/deployments?{query}")["resources"]]

    @staticmethod
    def deployment_of(one):
        assert read(one, "status.details.last_status_change").endswith("Z")
        assert read(one, "options.max_in_flight", int) > 0
        assert read(one, "strategy") == "rolling"
        assert read(one, "droplet.guid")
        assert all(read(each, "guid") for each in read(one, "new_processes", list))
        return f"{read(one, 'status.value')} {read(one, 'status.reason')}"

    def poll(self, app):
        """Wait as `cf` does until each process is empty or has one instance that runs."""
        processes = self.processes(app)

        def over():
            states = [{each["state"] for each in self.stats(process)} for process in processes]
            if any(found == {"CRASHED"} for found in states):
                return "crashed"
            return "running" if all(not found or "RUNNING" in found for found in states) else None

        return harness.wait_until(over, 20, "the app is up, or has crashed")

    # the commands

    def apps(self):
        found = self.ask("GET", f"/v3/apps?order_by=name&per_page=5000&space_guids={self.space}")["resources"]
        guids = "%2C".join(self.app_of(each)["guid"] for each in found)
        if self.version >= (3, 211, 0):
            query = f"embed=process_instances&space_guids={self.space}"
            processes = self.ask("GET", f"/v3/processes?{query}")["resources"]
            states = {one["guid"]: [self.brief(each) for each in one["process_instances"]] for one in processes}
        else:
            processes = self.ask("GET", f"/v3/processes?app_guids={guids}")["resources"]
            states = {one["guid"]: [each["state"] for each in self.stats(one)] for one in processes}
        routes = self.ask("GET", f"/v3/routes?app_guids={guids}")["resources"]
        lines = {each["guid"]: {"name": each["name"], "state": each["state"].lower(), "routes": []} for each in found}
        for one in processes:
            app = read(one, "relationships.app.data.guid")
            lines[app][read(one, "type")] = f"{states[one['guid']].count('RUNNING')}/{read(one, 'instances', int)}"
        for route in routes:
            for each in read(route, "destinations", list):
                lines[read(each, "app.guid")]["routes"].append(read(route, "url"))
        return list(lines.values())

    @staticmethod
    def brief(one):
        assert read(one, "index", int) >= 0
        assert read(one, "since", int) >= 0
        return read(one, "state")

    def packages(self, app):
        """See that there is nothing to stage: the newest package has a droplet."""
        query = f"app_guids={app['guid']}&order_by=-created_at&page=1&per_page=1"
        newest = self.ask("GET", f"/v3/packages?{query}")["resources"]
        for package in newest:
            assert read(package, "type") == "bits"
            path = f"/v3/packages/{read(package, 'guid')}/droplets?page=1&per_page=1&states=STAGED"
            [droplet] = self.ask("GET", path)["resources"]
            assert read(droplet, "state") == "STAGED"

    def stop_and_start(self, app):
        if app["state"] == "STARTED":
            assert self.ask("POST", f"/v3/apps/{app['guid']}/actions/stop")["state"] == "STOPPED"
        assert self.ask("POST", f"/v3/apps/{app['guid']}/actions/start")["state"] == "STARTED"
        return self.poll(app)

    def restart(self, name):
        app = self.find(name)
        self.packages(app)
        if self.stop_and_start(app) == "crashed":
            return "Start unsuccessful"
        return self.summary(name)

    def restart_rolling(self, name, *, gives_up=False, **options):
        app = self.find(name)
        self.packages(app)
        relationships = {"app": {"data": {"guid": app["guid"]}}}
        told = ({"options": options} if options else {}) | {"strategy": "rolling", "relationships": relationships}
        made = self.ask("POST", "/v3/deployments", told, status=201)
        path = f"/v3/deployments/{read(made, 'guid')}"
        if gives_up:
            assert self.deployment_of(self.ask("GET", path)) == "ACTIVE DEPLOYING"
            assert self.ask("POST", f"{path}/actions/cancel") is None
            return None
        harness.wait_until(
            lambda: self.deployment_of(self.ask("GET", path)) == "FINALIZED DEPLOYED", 20, "it is deployed"
        )
        self.poll(app)
        return self.summary(name)

    def restart_app_instance(self, name, index, kind="web", status=204):
        path = f"/v3/apps/{self.find(name)['guid']}/processes/{kind}/instances/{index}"
        return self.ask("DELETE", path, status=status)

    def scale(self, name, kind="web", **wanted):
        app = self.find(name)
        answer = self.ask("POST", f"/v3/apps/{app['guid']}/processes/{kind}/actions/scale", wanted, status=202)
        for field, value in wanted.items():
            assert read(answer, field, int) == value
        if wanted.keys() - {"instances"}:  # memory, disk and the log rate want a restart, which `-f` agrees to
            self.stop_and_start(app)
        elif app["state"] == "STARTED":
            self.poll(app)
        return self.summary(name)

    def logs(self, name):
        app = self.find(name)
        major = int(read(self.ask("GET", "/api/v1/info", at=self.log_cache), "version").split(".")[0])
        assert major >= 2
        query = f"descending=true&envelope_types=LOG&limit=1000&start_time={OLDEST}"
        found = self.ask("GET", f"/api/v1/read/{app['guid']}?{query}", at=self.log_cache)
        return [self.line(one) for one in reversed(found["envelopes"]["batch"])]

    def tail(self, name):
        """Find the newest line, then walk on from it."""
        path = f"/api/v1/read/{self.find(name)['guid']}"
        newest = self.ask("GET", f"{path}?descending=true&envelope_types=LOG&limit=1", at=self.log_cache)
        start = int(read(newest, "envelopes.batch.0.timestamp"))
        while True:
            query = f"envelope_types=LOG&limit=1000&start_time={start}"
            batch = self.ask("GET", f"{path}?{query}", at=self.log_cache)["envelopes"]["batch"]
            yield [self.line(one) for one in batch]
            start = int(batch[-1]["timestamp"]) + 1 if batch else start

    @staticmethod
    def line(envelope):
        assert not envelope.keys() - ENVELOPE, "its decoder refuses the whole answer"
        payload = base64.b64decode(read(envelope, "log.payload"), validate=True).decode()
        seconds, rest = divmod(int(read(envelope, "timestamp")), 10**9)
        at = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest // 10**7:02}+0000"
        source = f"[{read(envelope, 'tags.source_type')}/{read(envelope, 'instance_id')}]"
        return f"   {at} {source} {read(envelope, 'log.type')} {payload}"

    def events(self, name):
        query = f"order_by=-created_at&page=1&target_guids={self.find(name)['guid']}"
        return [self.event(one) for one in self.ask("GET", f"/v3/audit_events?{query}")["resources"]]

    @staticmethod
    def event(one):
        data = read(one, "data", dict)
        told = [f"{key}: {value}" for key in OF_EVENTS if (value := data.get(key, data.get("request", {}).get(key)))]
        assert read(one, "created_at").endswith("Z")
        return read(one, "type"), read(one, "actor.name"), ", ".join(told)

    def env(self, name):
        answer = self.ask("GET", f"/v3/apps/{self.find(name)['guid']}/env")
        parts = ("environment_variables", "running_env_json", "staging_env_json")
        parts = (*parts, "system_env_json", "application_env_json")
        return {part: read(answer, part, dict) for part in parts}

    def create_app_manifest(self, name):
        answer = self.http.get(f"{self.url}/v3/apps/{self.find(name)['guid']}/manifest")
        assert answer.status_code == 200
        return answer.text


@pytest.fixture
def at(launch):
    """Return a `cf` that is logged in and has its target, at a foundation with these settings."""
    lines = []

    def start(**settings):
        running = launch(**({"apps": (SHOP, IDLE), "speed": 100, "grace_seconds": 1} | settings))
        lines.append(CommandLine(running.emulator.url))
        lines[-1].auth("ada")
        lines[-1].target("demo", "dev")
        lines[-1].running = running
        lines[-1].asked.clear()
        return lines[-1]

    yield start
    for line in lines:
        line.http.close()


IDLE = AppConfig("idle", (ProcessConfig(SLEEPER),), started=False)
BUSY = {"worker": ["RUNNING", "RUNNING"], "web": ["RUNNING"]}
FIND, STOP, START = "GET /v3/apps", "POST /v3/apps/{}/actions/stop", "POST /v3/apps/{}/actions/start"


@pytest.fixture
def cf(at):
    line = at()
    line.running.cf.wait_states("RUNNING", "RUNNING")
    line.running.cf.wait_states("RUNNING", kind="web")
    return line


def guid(line, name="shop"):
    return line.running.cf.app(name)["guid"]


def version(line):
    return line.running.cf.process()["version"]


@pytest.fixture
def fresh(launch):
    """Return a `cf` that knows nothing but the address of a foundation."""
    running = launch(apps=(SHOP,))
    line = CommandLine(running.emulator.url)
    line.running = running
    yield line
    line.http.close()


def test_api_auth_and_target(fresh):
    assert fresh.prompts()["password"] == ["password", "Password"]
    fresh.auth("ada")
    fresh.target("demo", "dev")

    assert fresh.asked == ["GET /", "GET /login", "POST /oauth/token", "GET /v3/organizations", "GET /v3/spaces"]
    assert fresh.claims["user_name"] == "ada"
    assert fresh.choices() == [["demo"], ["dev"]]
    assert fresh.version >= (3, 99, 0)  # below it warns


def test_login_by_a_passcode(fresh):
    code = httpx2.get(f"{fresh.login_url}/passcode", auth=("ada", "secret"), trust_env=False).text
    fresh.token(("cf", ""), {"grant_type": "password", "passcode": code})

    assert f"Get one at {fresh.login_url}/passcode" in fresh.prompts()["passcode"][1]
    assert fresh.claims["user_name"] == "ada"


def test_login_as_a_client(fresh):
    fresh.auth_as_client("robot", "r2d2")
    fresh.target("demo", "dev")

    assert fresh.find("shop")["name"] == "shop"


def test_a_token_is_renewed(fresh):
    fresh.auth("ada")
    before = fresh.http.headers["Authorization"]
    fresh.refresh()

    assert fresh.http.headers["Authorization"] != before
    fresh.target("demo", "dev")


@pytest.mark.parametrize(("api_version", "asks"), [("3.228.0", 0), ("3.190.0", 3)])
def test_apps(at, api_version, asks):
    line = at(api_version=api_version)
    line.running.cf.wait_states("RUNNING", "RUNNING")
    line.running.cf.wait_states("RUNNING", kind="web")

    assert line.apps() == [
        {"name": "idle", "state": "stopped", "routes": [], "worker": "0/1"},
        {"name": "shop", "state": "started", "routes": ["shop.example.org"], "worker": "2/2", "web": "1/1"},
    ]
    of_stats = [one for one in line.asked if one.endswith("/stats")]
    assert len(of_stats) == asks
    assert [one for one in line.asked if one not in of_stats] == [FIND, "GET /v3/processes", "GET /v3/routes"]


def test_app(cf):
    shown = cf.summary("shop")

    assert (shown["name"], shown["requested state"], shown["processes"]) == ("shop", "started", BUSY)
    assert (shown["sidecars of worker"], shown["sidecars of web"]) == (["proxy"], [])
    assert (shown["routes"], shown["deployment"], shown["stack"]) == (["shop.example.org"], [], "cflinuxfs4")
    shown = cf.summary("idle")
    assert (shown["requested state"], shown["processes"], shown["routes"]) == ("stopped", {"worker": ["DOWN"]}, [])


def test_app_guid(cf):
    assert cf.find("shop")["guid"] == guid(cf)
    assert cf.asked == [FIND]


def test_an_app_that_is_not_there(cf):
    assert cf.ask("GET", f"/v3/apps?names=nothing&space_guids={cf.space}")["resources"] == []


def test_restart_stops_and_starts(cf):
    before = version(cf)
    shown = cf.restart("shop")

    assert set(shown["processes"]["worker"]) <= {"RUNNING", "STARTING"}
    assert "RUNNING" in shown["processes"]["worker"]
    assert version(cf) != before
    app = cf.running.cf.app()
    package = f"/v3/packages/{cf.running.cf.get('/v3/apps/' + app['guid'] + '/packages')['resources'][0]['guid']}"
    assert cf.asked[:5] == [
        FIND, "GET /v3/packages", f"GET {package}/droplets", STOP.format(app["guid"]), START.format(app["guid"]),
    ]  # fmt: skip


def test_restart_of_a_stopped_app_starts_it(cf):
    assert cf.restart("idle")["processes"] == {"worker": ["RUNNING"]}
    assert STOP.format(guid(cf, "idle")) not in cf.asked


def test_restart_of_what_crashes(at):
    process = ProcessConfig(
        "exit 3", health_check=HealthCheck("port")
    )  # by a check of its process it would run for a moment
    line = at(apps=(AppConfig("shop", (process,)),), speed=1)

    assert line.restart("shop") == "Start unsuccessful"


@pytest.mark.parametrize("options", [{}, {"max_in_flight": 2}])
def test_restart_rolling(cf, options):
    before = version(cf)
    shown = cf.restart_rolling("shop", **options)

    assert shown["processes"]["web"] == ["RUNNING"]
    assert shown["deployment"] == []
    assert version(cf) != before
    assert cf.asked[3] == "POST /v3/deployments"


def test_restart_rolling_that_does_not_end_is_cancelled(at):
    line = at(start_seconds=600)
    line.restart_rolling("shop", gives_up=True)
    # Until then the new process may end between two requests of a summary.
    harness.wait_until(lambda: line.active_deployment(guid(line)) == [], 10, "the updater has cancelled it")
    assert line.summary("shop")["deployment"] == []


def test_app_shows_a_deployment_that_is_active(at):
    line = at(start_seconds=600)
    line.running.cf.post("/v3/deployments", {"relationships": {"app": {"data": {"guid": guid(line)}}}}, status=201)

    assert line.summary("shop")["deployment"] == ["ACTIVE DEPLOYING"]


def test_restart_app_instance(cf):
    before = [each["instance_guid"] for each in cf.running.cf.stats()]
    assert cf.restart_app_instance("shop", 1, "worker") is None

    def after():
        """Tell whether the second instance runs again, as another."""
        entries = cf.running.cf.stats()
        guids = [entry["instance_guid"] for entry in entries if entry["state"] == "RUNNING"]
        return guids if len(guids) == 2 and guids[1] != before[1] else None

    assert harness.wait_until(after, 10, "the second is another")[0] == before[0]


@pytest.mark.parametrize(
    ("kind", "index", "detail"), [("worker", 2, "Instance not found"), ("beat", 0, "Process not found")]
)
def test_restart_app_instance_of_what_is_not_there(cf, kind, index, detail):
    assert cf.restart_app_instance("shop", index, kind, status=404)["errors"][0]["detail"] == detail


def test_scale_instances(cf):
    shown = cf.scale("shop", "worker", instances=3)

    assert len(shown["processes"]["worker"]) == 3
    assert len(cf.scale("shop", "worker", instances=0)["processes"]["worker"]) == 0


def test_scale_memory_restarts(cf):
    before = version(cf)
    shown = cf.scale("shop", "worker", memory_in_mb=128, disk_in_mb=512)

    assert "RUNNING" in shown["processes"]["worker"]
    assert cf.running.cf.process()["memory_in_mb"] == 128
    assert version(cf) != before


def test_recent_logs(cf):
    harness.wait_until(lambda: "ready" in cf.running.cf.lines(), 10, "the workers speak")
    lines = cf.logs("shop")

    assert any(line.endswith("+0000 [APP/PROC/WORKER/1] OUT ready") for line in lines)
    assert any("[CELL/0] OUT Cell " in line for line in lines)
    assert lines == sorted(lines, key=lambda line: line.split()[0])


def test_followed_logs(cf):
    harness.wait_until(lambda: "ready" in cf.running.cf.lines(), 10, "the workers speak")
    walk, seen = cf.tail("shop"), []
    [first] = next(walk)
    cf.restart_app_instance("shop", 0, "worker")

    def follow():
        seen.extend(next(walk))
        return any("OUT ready" in line for line in seen)

    harness.wait_until(follow, 10, "the instance that is new speaks")
    assert first not in seen
    assert any("[API/0] OUT Terminating process" in line for line in seen)


def test_events(cf):
    cf.restart_app_instance("shop", 0, "worker")
    cf.scale("shop", "worker", instances=1)
    found = {kind: (who, told) for kind, who, told in cf.events("shop")}

    assert found["audit.app.process.terminate_instance"] == ("ada", "")
    assert found["audit.app.process.scale"] == ("ada", "instances: 1")


def test_events_of_a_crash(at):
    line = at(apps=(AppConfig("shop", (ProcessConfig("exit 3"),)),), speed=1)
    line.running.cf.wait_states("CRASHED")
    told = {kind: text for kind, _, text in line.events("shop")}

    for kind in ("app.crash", "audit.app.process.crash"):
        assert "reason: CRASHED" in told[kind]
        assert "exit_description: APP/PROC/WORKER: Exited with status 3" in told[kind]


def test_env(cf):
    shown = cf.env("shop")

    assert shown["environment_variables"] == {"COLOUR": "blue"}
    assert shown["application_env_json"]["VCAP_APPLICATION"]["application_name"] == "shop"
    assert shown["system_env_json"]["VCAP_SERVICES"]["p.redis"][0]["name"] == "broker"
    assert (shown["running_env_json"], shown["staging_env_json"]) == ({}, {})


def test_create_app_manifest(cf):
    assert cf.create_app_manifest("shop").startswith("---\napplications:\n- name: shop\n")
