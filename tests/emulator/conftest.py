"""A running emulator for each test or module, and a plain HTTP client that speaks to it as any client would."""

import base64

import httpx2
import pytest

import harness
from celeriac.emulator import AppConfig, ClientConfig, Emulator, EmulatorConfig, ProcessConfig, UserConfig

SLEEPER = "exec sleep 1000"


class Cf:
    """A caller of the emulated foundation."""

    def __init__(self, url, grant=None, basic=("cf", "")):
        self.url = url
        self.http = httpx2.Client(base_url=url, timeout=10, trust_env=False)
        if grant:
            answer = self.http.post("/oauth/token", data=grant, auth=basic)
            assert answer.status_code == 200, answer.text
            self.tokens = answer.json()
            self.http.headers["Authorization"] = f"bearer {self.tokens['access_token']}"

    def get(self, path, status=200, **params):
        answer = self.http.get(path, params=params or None)  # an empty one would drop the query of the path
        assert answer.status_code == status, answer.text
        return answer.json()

    def post(self, path, body=None, status=200):
        answer = self.http.post(path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def delete(self, path, status=204):
        answer = self.http.delete(path)
        assert answer.status_code == status, answer.text
        return answer

    def app(self, name="shop"):
        return self.get("/v3/apps", names=name)["resources"][0]

    def process(self, name="shop", kind="worker"):
        return self.get(f"/v3/apps/{self.app(name)['guid']}/processes/{kind}")

    def stats(self, name="shop", kind="worker"):
        return self.get(f"/v3/apps/{self.app(name)['guid']}/processes/{kind}/stats")["resources"]

    def states(self, name="shop", kind="worker"):
        return [entry["state"] for entry in self.stats(name, kind)]

    def wait_states(self, *states, name="shop", kind="worker"):
        harness.wait_until(
            lambda: self.states(name, kind) == list(states),
            10,
            f"{name} is in {states}",
            dump=lambda: (self.states(name, kind), self.lines(name)),
        )
        return self.stats(name, kind)

    def events(self, name="shop", *types):
        params = {"target_guids": self.app(name)["guid"], "per_page": 5000}
        return self.get("/v3/audit_events", **params, **({"types": ",".join(types)} if types else {}))["resources"]

    def envelopes(self, name="shop", **params):
        asked = {"limit": 1000, "envelope_types": "LOG"} | params
        return self.get(f"/api/v1/read/{self.app(name)['guid']}", **asked)["envelopes"]["batch"]

    def lines(self, name="shop", **params):
        return [self.decode(each) for each in self.envelopes(name, **params)]

    @staticmethod
    def decode(envelope):
        return base64.b64decode(envelope["log"]["payload"]).decode()


class Running:
    """An emulator in this process, with its caller."""

    def __init__(self, emulator):
        self.emulator = emulator
        self.callers = []
        self.cf = self.login("ada")

    def login(self, name):
        """Return a caller with the token of this person."""
        return self._caller({"grant_type": "password", "username": name, "password": "secret"})

    def login_robot(self):
        """Return a caller with the token of the robot."""
        return self._caller({"grant_type": "client_credentials"}, ("robot", "r2d2"))

    def anonymous(self):
        """Return a caller without a token."""
        return self._caller()

    def _caller(self, *login):
        self.callers.append(Cf(self.emulator.url, *login))
        return self.callers[-1]

    def close(self):
        for caller in self.callers:
            caller.http.close()
        self.emulator.stop()

    def slot(self, index=0, name="shop", kind="worker"):
        """Look inside: what the emulator knows of one index."""
        return self.slots(name, kind)[index]

    def slots(self, name="shop", kind="worker"):
        """Look inside: what the emulator knows of each index, also of those that scaling has ended."""
        controller = self.emulator.foundation.controller
        return controller.observe(controller.process(self.cf.process(name, kind)["guid"])).slots

    def converge(self):
        """Do now what the clock would do later."""
        self.emulator.foundation.diego.converge()


def configured(command=SLEEPER, *, instances=1, apps=None, app=None, **settings):
    app = AppConfig("shop", (ProcessConfig(command, instances=instances),), **(app or {}))
    return EmulatorConfig(
        apps=apps or (app,),
        users=(
            UserConfig("ada", "secret"),
            UserConfig("eve", "secret", ("cloud_controller.read",)),
            UserConfig("joe", "secret", ()),
        ),
        clients=(ClientConfig("robot", "r2d2"),),
        **settings,
    )


@pytest.fixture
def launch():
    """Start emulators that stop when the test ends."""
    started = []

    def start(command=SLEEPER, **settings):
        emulator = Emulator(configured(command, **settings))
        emulator.start()
        started.append(Running(emulator))
        return started[-1]

    yield start
    for running in started:
        running.close()


@pytest.fixture(scope="module")
def calm():
    """One emulator for tests that only read: three apps, one of them stopped."""
    apps = (
        AppConfig("shop", (ProcessConfig(SLEEPER, instances=2), ProcessConfig(SLEEPER, type="web", memory_mb=64))),
        AppConfig("mail", (ProcessConfig(SLEEPER, health_check_timeout=90),)),
        AppConfig("idle", (ProcessConfig(SLEEPER, instances=1),), started=False),
    )
    emulator = Emulator(configured(apps=apps))
    emulator.start()
    running = Running(emulator)
    running.cf.wait_states("RUNNING", "RUNNING")
    yield running
    running.close()
