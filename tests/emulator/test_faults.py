"""Faults on demand: what a caller of the emulated foundation sees of each, and that all is well again when it is over."""

import os
import signal
import time
from email.utils import parsedate_to_datetime

import httpx2
import pytest

import harness
from celeriac.emulator import EmulatorConfigError, Fault, FaultKind
from celeriac.emulator.config import parse
from emulator.conftest import SLEEPER

STATS = "/v3/apps/{}/processes/worker/stats"


@pytest.fixture
def shop(launch):
    """Run one app of two instances."""
    running = launch(SLEEPER, instances=2)
    running.cf.wait_states("RUNNING", "RUNNING")
    return running


@pytest.fixture
def faults(shop):
    return shop.emulator.foundation.faults


def errors(answer):
    return [(one["code"], one["title"], one["detail"]) for one in answer.json()["errors"]]


def ask(shop, path, method="GET"):
    return shop.cf.http.request(method, path.format(shop_guid(shop)))


def shop_guid(shop):
    return shop.emulator.foundation.controller.apps()[0].guid


# The control ---------------------------------------------------------------------------------------------------------


def test_faults_are_put_shown_and_ended_over_http(shop):
    """No token is needed: it is no part of the platform."""
    http = shop.anonymous().http
    wanted = [
        {"kind": "slow", "seconds": 0.01, "paths": ["/v3/apps"], "for_s": 60},
        {"kind": "rate_limit", "limit": 5},
        {"kind": "quota"},
    ]
    put = http.put("/emulator/faults", json={"faults": wanted})
    shown = http.get("/emulator/faults").json()["faults"]

    assert put.status_code == 200
    assert 58 < shown[0].pop("left_s") <= 60
    assert shown == [
        {"kind": "slow", "seconds": 0.01, "paths": ["/v3/apps"]},
        {"kind": "rate_limit", "limit": 5, "reset_s": 3600.0, "paths": ["*"], "left_s": None},
        {"kind": "quota", "detail": "memory quota_exceeded", "paths": ["*"], "left_s": None},
    ]
    assert http.delete("/emulator/faults").json() == {"faults": []}


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({}, "faults[0].kind is missing: give 'slow' or "),
        ({"kind": "fire"}, "faults[0].kind is 'fire': give 'slow' or "),
        ({"kind": "slow"}, "faults[0].seconds is missing: give the seconds that each answer takes longer"),
        ({"kind": "slow", "seconds": -1}, "faults[0].seconds is -1: give a number from 0 on"),
        ({"kind": "clock_skew", "seconds": "5 min"}, "faults[0].seconds is '5 min': give a number"),
        ({"kind": "bad_gateway", "path": "/v3"}, "faults[0].path is not a key of the emulator: did you mean 'paths'?"),
    ],
)
def test_a_mistake_in_a_fault_is_told_and_changes_nothing(shop, faults, fault, why):
    faults.put(Fault(FaultKind.QUOTA))
    answer = shop.anonymous().http.put("/emulator/faults", json={"faults": [fault]})

    assert answer.status_code == 422
    assert errors(answer)[0][2].startswith(why)
    assert faults.has(FaultKind.QUOTA)


def test_faults_may_be_there_from_the_start():
    """As tables of the file."""
    users = [{"name": "ada", "password": "secret"}]
    config = parse({"users": users, "faults": [{"kind": "clock_skew", "seconds": -300}]}, None)

    assert config.faults == (Fault(FaultKind.CLOCK_SKEW, seconds=-300.0),)
    with pytest.raises(EmulatorConfigError, match=r"^faults\[0\].kind is 'fire'"):
        parse({"users": users, "faults": [{"kind": "fire"}]}, None)


def test_a_fault_ends_by_itself(launch):
    """After its time."""
    shop = launch()
    shop.emulator.foundation.faults.put(Fault(FaultKind.BAD_GATEWAY, for_s=0.2))

    assert shop.cf.http.get("/v3/apps").status_code == 502
    harness.wait_until(lambda: shop.cf.http.get("/v3/apps").status_code == 200, 5, "the fault is over")


def test_a_fault_may_concern_some_paths_only(shop, faults):
    faults.put(Fault(FaultKind.BAD_GATEWAY, paths=("/v3/apps/*/stats", "/oauth/*")))

    assert ask(shop, STATS).status_code == 502
    assert ask(shop, "/v3/apps").status_code == 200
    assert shop.cf.http.post("/oauth/token").status_code == 502


# Each fault ----------------------------------------------------------------------------------------------------------


def test_slow(shop, faults):
    faults.put(Fault(FaultKind.SLOW, seconds=0.3, paths=("/v3/apps",)))
    began = time.monotonic()
    shop.cf.get("/v3")
    between = time.monotonic()
    shop.cf.get("/v3/apps")

    assert between - began < 0.3 <= time.monotonic() - between


def test_bad_gateway(shop, faults):
    """The router speaks HTML."""
    faults.put(Fault(FaultKind.BAD_GATEWAY))
    answer = shop.cf.http.get("/v3/apps")

    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html; charset=utf-8")
    assert "<h1>502 Bad Gateway</h1>" in answer.text
    assert "x-vcap-request-id" in answer.headers


def test_not_json(shop, faults):
    """A captive portal answers everything with a page of its own."""
    faults.put(Fault(FaultKind.NOT_JSON))

    assert {shop.cf.http.get(path).status_code for path in ("/", "/v3/apps", "/nowhere")} == {200}
    assert "Please sign in" in shop.cf.http.get("/v3/apps").text


def test_cut_off(shop, faults):
    """The connection ends in the middle of the answer."""
    faults.put(Fault(FaultKind.CUT_OFF))
    with pytest.raises(httpx2.RemoteProtocolError):
        shop.cf.http.get("/v3/apps")

    faults.clear()
    assert shop.cf.get("/v3/apps")["resources"]


def test_rate_limit(shop, faults):
    """A counter for each caller; the root is not counted; what is left is told to a tenth."""
    faults.put(Fault(FaultKind.RATE_LIMIT, limit=20, reset_s=60))
    answers = [shop.cf.http.get("/v3/apps") for _ in range(21)]
    told = [int(one.headers["x-ratelimit-remaining"]) for one in answers]
    last = answers[-1]

    assert told == [18, 18, 16, 16, 14, 14, 12, 12, 10, 10, 8, 8, 6, 6, 4, 4, 2, 2, 0, 0, 0]
    assert {one.status_code for one in answers[:-1]} == {200}
    assert (last.status_code, last.headers["content-type"]) == (429, "text/plain; charset=utf-8")
    assert errors(last) == [(10013, "CF-RateLimitExceeded", "Rate Limit Exceeded")]
    assert 0 < int(last.headers["retry-after"]) <= 60
    assert last.headers["x-ratelimit-limit"] == "20"
    assert 0 <= int(last.headers["x-ratelimit-reset"]) - time.time() <= 61
    assert shop.cf.http.get("/v3").status_code == 200
    assert "x-ratelimit-limit" not in shop.cf.http.get("/v3").headers
    assert shop.login("eve").http.get("/v3/apps").status_code == 200


def test_rate_limit_begins_anew(shop, faults):
    faults.put(Fault(FaultKind.RATE_LIMIT, limit=1, reset_s=0.3))

    assert [shop.cf.http.get("/v3/apps").status_code for _ in range(2)] == [200, 429]
    harness.wait_until(lambda: shop.cf.http.get("/v3/apps").status_code == 200, 5, "the counter begins anew")


def test_tokens_expired(shop, faults):
    """All that were given so far, once; whoever logs in anew is let in."""
    faults.put(Fault(FaultKind.TOKENS_EXPIRED))
    form = {"grant_type": "refresh_token", "refresh_token": shop.cf.tokens["refresh_token"]}

    assert errors(shop.cf.http.get("/v3/apps")) == [(1000, "CF-InvalidAuthToken", "Invalid Auth Token")]
    assert shop.cf.http.post("/oauth/token", data=form, auth=("cf", "")).status_code == 401
    assert shop.login("ada").http.get("/v3/apps").status_code == 200
    assert faults.described() == []


def test_diego_down(shop, faults):
    """What runs is not told and what stops it is not done; what is wanted is, and stays to be changed."""
    faults.put(Fault(FaultKind.DIEGO_DOWN))
    instances = (503, 220002, "Instances information unavailable: Unable to communicate with Diego")
    runner = (503, 170015, "Runner is unavailable: Unable to communicate with Diego")
    orders = (
        ("GET", STATS, instances),
        ("DELETE", "/v3/apps/{}/processes/worker/instances/0", runner),
        ("POST", "/v3/apps/{}/actions/restart", runner),
    )
    for method, path, expected in orders:
        answer = ask(shop, path, method)
        code, _, detail = errors(answer)[0]
        assert (answer.status_code, code, detail) == expected
    assert ask(shop, "/v3/apps/{}/processes").status_code == 200
    assert ask(shop, "/v3/apps/{}/actions/start", "POST").status_code == 200


@pytest.mark.parametrize("kind", [FaultKind.NO_USAGE, FaultKind.LOG_CACHE_DOWN])
def test_stats_without_usage(shop, faults, kind):
    """States are told all the same, with a warning."""
    faults.put(Fault(kind))
    answer = ask(shop, STATS)

    assert answer.headers["x-cf-warnings"] == "Stats+server+temporarily+unavailable."
    assert [(one["state"], one["usage"], one["mem_quota"]) for one in answer.json()["resources"]] == [
        ("RUNNING", {}, None)
    ] * 2


def test_log_cache_down(shop, faults):
    """Its router says so in plain text; the API goes on."""
    faults.put(Fault(FaultKind.LOG_CACHE_DOWN))
    answer = ask(shop, "/api/v1/read/{}")

    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/plain; charset=utf-8")
    assert ask(shop, "/v3/apps").status_code == 200


def test_no_capacity(shop, faults):
    """What runs goes on; what is to be started finds no room until there is some."""
    faults.put(Fault(FaultKind.NO_CAPACITY))
    shop.cf.delete(f"/v3/apps/{shop_guid(shop)}/processes/worker/instances/1")

    def unplaced():
        shop.converge()
        return shop.cf.stats()[1]["details"] == "insufficient resources: memory"

    harness.wait_until(unplaced, 10, "it finds no room", dump=shop.cf.stats)
    assert shop.cf.states() == ["RUNNING", "DOWN"]

    faults.clear()
    shop.converge()
    shop.cf.wait_states("RUNNING", "RUNNING")


def test_quota(shop, faults):
    faults.put(Fault(FaultKind.QUOTA, detail="app_instance_limit app_instance_limit_exceeded"))
    path = f"/v3/apps/{shop_guid(shop)}/processes/worker/actions/scale"
    answer = shop.cf.http.post(path, json={"instances": 3})

    assert answer.status_code == 422
    assert errors(answer) == [(10008, "CF-UnprocessableEntity", "app_instance_limit app_instance_limit_exceeded")]
    assert shop.cf.states() == ["RUNNING", "RUNNING"]


def test_clock_skew(launch):
    """Dates, events and logs are the foundation's; tokens hold all the same."""
    shop = launch()
    shop.cf.wait_states("RUNNING")
    shop.emulator.foundation.faults.put(Fault(FaultKind.CLOCK_SKEW, seconds=300))
    os.kill(shop.slot().pid, signal.SIGKILL)
    crash = harness.wait_until(lambda: shop.cf.events("shop", "audit.app.process.crash"), 10, "it crashes")[0]
    now = time.time()
    dated = parsedate_to_datetime(shop.cf.http.get("/v3").headers["date"]).timestamp()
    line = shop.cf.envelopes(descending="true", limit=1)[0]

    assert 295 < dated - now < 305
    assert 290 < crash["data"]["crash_timestamp"] / 1e9 - now < 305
    assert crash["created_at"] == time.strftime(
        "%Y-%m-%dT%H:%M:%SZ", time.gmtime(crash["data"]["crash_timestamp"] / 1e9)
    )
    assert 290 < int(line["timestamp"]) / 1e9 - now < 305


def test_lost_role(shop, faults):
    """Nothing is to be seen any more, and nothing says why: as if it had been deleted."""
    parts = {kind: shop.cf.get(f"/v3/{kind}s")["resources"][0] for kind in ("package", "droplet")}
    faults.put(Fault(FaultKind.LOST_ROLE))

    assert ask(shop, "/v3/apps").json()["resources"] == []
    assert ask(shop, "/v3/apps").json()["pagination"]["total_results"] == 0
    assert ask(shop, "/v3/audit_events?target_guids={}").json()["resources"] == []
    for method, path in (("GET", "/v3/apps/{}"), ("GET", STATS), ("POST", "/v3/apps/{}/actions/restart")):
        answer = ask(shop, path, method)
        assert (answer.status_code, errors(answer)) == (404, [(10010, "CF-ResourceNotFound", "App not found")])
    for kind, one in parts.items():
        assert errors(ask(shop, f"/v3/{kind}s/{one['guid']}")) == [
            (10010, "CF-ResourceNotFound", f"{kind.title()} not found")
        ]
    assert ask(shop, "/api/v1/read/{}").status_code == 404
    assert shop.cf.get("/v3")["links"]


def test_org_suspended(shop, faults):
    """It may be looked at, and takes no orders."""
    faults.put(Fault(FaultKind.ORG_SUSPENDED))
    answer = ask(shop, "/v3/apps/{}/processes/worker/instances/0", "DELETE")

    assert (answer.status_code, errors(answer)) == (403, [(10017, "CF-OrgSuspended", "The organization is suspended")])
    assert shop.cf.states() == ["RUNNING", "RUNNING"]
    assert ask(shop, "/v3/organizations").json()["resources"][0]["suspended"] is True
