"""Every route that the emulator answers is held to its published shape, and lets nobody in who has no token."""

import json

import pytest

import harness
from celeriac.emulator import (
    AppConfig,
    Emulator,
    EmulatorConfig,
    ProcessConfig,
    QuotaConfig,
    SidecarConfig,
    SpaceConfig,
    UserConfig,
)
from celeriac.emulator.app import PARTS
from emulator.conftest import SLEEPER, Running
from emulator.shapes import EMBEDDED, OF_APP, OF_TYPE, SHAPES, STATS, assert_shape, one, published

ROUTES = [
    f"{method} {route.path}" for part in PARTS for route in part.router.routes for method in sorted(route.methods)
]
GUARDED_OTHERWISE = {
    "GET /": "it is where a client learns how to log in",
    "GET /v3": "it is where a client learns how to log in",
    "GET /v3/info": "it is where a client learns how to log in",
    "GET /login": "it says how to log in",
    "POST /oauth/token": "it gives tokens, for credentials",
    "GET /passcode": "it wants name and password",
    "GET /api/v1/info": "it says only which log cache this is",
    "GET /emulator/faults": "the faults are no part of the platform",
    "PUT /emulator/faults": "the faults are no part of the platform",
    "DELETE /emulator/faults": "the faults are no part of the platform",
}
SAID_OTHERWISE = {
    "GET /passcode": "its answer is a code in plain text",
    f"GET {OF_APP}/manifest": "its answer is YAML, which test_app_parts makes an app of again",
    "GET /emulator/faults": "the faults are no part of the platform",
    "PUT /emulator/faults": "the faults are no part of the platform",
    "DELETE /emulator/faults": "the faults are no part of the platform",
}
EMPTY = {
    "POST /v3/deployments/{guid}/actions/cancel": 200,
    "DELETE /v3/processes/{guid}/instances/{index}": 204,
    f"DELETE {OF_TYPE}/instances/{{index}}": 204,
}
OF_STATES = {f"GET {OF_TYPE}/stats", "GET /v3/processes/{guid}/stats"}
"""Their shape depends on the state of each instance."""
OF_LOGS = {"GET /api/v1/meta", "GET /api/v1/read/{source_id}"}
"""Their keys are guids, or none but those that strict clients know."""
TOKENS = "POST /oauth/token"
QUOTA = QuotaConfig(memory_mb=4096, process_memory_mb=2048, instances=20)
POLICY = published("autoscaler.fullpolicy")
SHOP = AppConfig(
    "shop",
    (ProcessConfig(SLEEPER), ProcessConfig(SLEEPER, type="web")),
    routes=("shop.example.org",),
    sidecars=(SidecarConfig("proxy", SLEEPER, ("worker",), 32),),
    autoscaler=POLICY,
)


@pytest.fixture(scope="module")
def whole():
    """One emulator that has something of everything; what the tests order of it may leave it in any state."""
    config = EmulatorConfig(
        apps=(SHOP,), users=(UserConfig("ada", "secret"),), spaces=(SpaceConfig("dev", quota=QUOTA),)
    )
    emulator = Emulator(config)
    emulator.start()
    running = Running(emulator)
    running.cf.wait_states("RUNNING")
    begin(running.cf)
    yield running
    running.close()


def deployment(cf):
    return {"relationships": {"app": {"data": {"guid": cf.app()["guid"]}}}}


def begin(cf):
    """Begin a deployment, which is active for some seconds."""
    return cf.post("/v3/deployments", deployment(cf), status=201)["guid"]


def start(running):
    """Start the app, which another test may have stopped."""
    running.cf.post(f"/v3/apps/{running.cf.app()['guid']}/actions/start")


def sent(cf, route):
    """Return what a request of this route says beside its path."""
    bodies = {
        f"PATCH {OF_APP}": {"metadata": {"labels": {"tier": "back"}}},
        f"PATCH {OF_APP}/environment_variables": {"var": {"COLOUR": "blue"}},
        f"PATCH {OF_APP}/features/{{name}}": {"enabled": True},
        "POST /v3/processes/{guid}/actions/scale": {"instances": 1},
        f"POST {OF_TYPE}/actions/scale": {"instances": 1},
        "POST /v3/deployments": deployment(cf),
    }
    return bodies.get(route)


def path_of(cf, route):
    """Fill the path of a route: with the guid of the one app and its worker, else of the first thing that its list shows."""
    path = route.partition(" ")[2]
    app = cf.app()["guid"]
    lists = {"sidecars": f"/v3/apps/{app}/sidecars"}
    kind = path.split("/")[2] if path.count("/") > 2 else ""
    if "{guid}" in path:
        if kind == "apps":
            guid = app
        elif kind == "processes":
            guid = cf.process()["guid"]
        elif kind == "deployments":
            guid = begin(cf)
        else:
            guid = cf.get(lists.get(kind, f"/v3/{kind}"))["resources"][0]["guid"]
        path = path.replace("{guid}", guid)
    return path.format(process_type="worker", index=0, name="ssh", source_id=app)


def answered(cf, route, status):
    method = route.partition(" ")[0]
    answer = cf.http.request(method, path_of(cf, route), json=sent(cf, route))
    assert answer.status_code == status, answer.text
    return answer


def test_each_route_has_a_shape_or_a_reason():
    told = [*SHAPES, *SAID_OTHERWISE, *EMPTY, *OF_STATES, *OF_LOGS, TOKENS]

    assert sorted(told) == sorted(set(told))
    assert sorted(ROUTES) == sorted(told)
    assert GUARDED_OTHERWISE.keys() <= set(ROUTES)


@pytest.mark.parametrize("route", [route for route in ROUTES if route in SHAPES])
def test_the_shape_of_each_answer(whole, route):
    shape = SHAPES[route]

    shape.check(answered(whole.cf, route, shape.status).json())


@pytest.mark.parametrize("route", EMPTY)
def test_what_answers_nothing(whole, route):
    assert answered(whole.cf, route, EMPTY[route]).content == b""


@pytest.mark.parametrize("route", sorted(OF_STATES))
def test_stats_have_the_shape_of_their_state(whole, route):
    """Of what runs; `test_shapes` has the other states."""
    [example] = [entry for entry in published(STATS)["resources"] if entry["state"] == "RUNNING"]
    start(whole)

    def seen():
        whole.converge()
        [entry] = answered(whole.cf, route, 200).json()["resources"]
        return entry if entry["state"] == "RUNNING" else None

    assert_shape(example, harness.wait_until(seen, 10, "the worker runs"))


@pytest.mark.parametrize("path", ["/v3/processes", f"{OF_APP}/processes"])
def test_lists_of_processes_embed_their_instances(whole, path):
    answer = whole.cf.get(f"{path_of(whole.cf, f'GET {path}')}?embed=process_instances")

    for process in answer["resources"]:
        one(EMBEDDED).check(process)


def test_meta_of_the_log_cache_is_told_by_source(whole):
    meta = answered(whole.cf, "GET /api/v1/meta", 200).json()["meta"]
    [example] = published("logcache.meta")["meta"].values()

    assert meta.keys() == {whole.cf.app()["guid"]}
    assert not meta[whole.cf.app()["guid"]].keys() - example.keys()


def test_envelopes_of_the_log_cache_have_no_key_that_is_not_known(whole):
    keys = {frozenset(example.keys()) for example in published("logcache.read")["envelopes"]["batch"]}
    start(whole)

    def seen():
        whole.converge()
        whole.emulator.foundation.gauges.report()
        batch = answered(whole.cf, "GET /api/v1/read/{source_id}", 200).json()["envelopes"]["batch"]
        return {frozenset(envelope.keys()) for envelope in batch}

    harness.wait_until(lambda: seen() >= keys, 10, "there are a line and a gauge")
    assert seen() == keys


def test_tokens_have_the_shape_of_their_grant(whole):
    expected = {key: value for key, value in published("uaa.token")["password"].items() if key != "id_token"}

    assert_shape(expected, whole.cf.tokens)


@pytest.mark.parametrize("route", [route for route in ROUTES if route not in GUARDED_OTHERWISE])
def test_nobody_gets_in_without_a_token(whole, route):
    answer = whole.anonymous().http.request(
        route.partition(" ")[0], path_of(whole.cf, route), json=sent(whole.cf, route)
    )

    if route.startswith("GET /api/v1/"):
        assert (answer.status_code, answer.content) == (404, b"")
    elif route.startswith("GET /v1/"):
        assert answer.status_code == 401
    else:
        assert (answer.status_code, answer.json()) == (401, published("errors.by_status")["401_no_token"])


@pytest.mark.parametrize("path", ["/", "/v3", "/v3/info", "/login", "/api/v1/info", "/emulator/faults"])
def test_what_everybody_may_ask(whole, path):
    assert f"GET {path}" in GUARDED_OTHERWISE
    assert whole.anonymous().get(path)


def test_a_shape_that_is_not_kept_is_found():
    example = published("sidecars.sidecar")
    listed = SHAPES["GET /v3/apps/{guid}/sidecars"]
    page = {"pagination": published("pagination"), "resources": [example]}

    listed.check(page)
    for wrong in ({"resources": []}, {"resources": [example | {"name": 1}]}, {"pagination": {}}):
        with pytest.raises((AssertionError, KeyError)):
            listed.check(json.loads(json.dumps(page | wrong)))
