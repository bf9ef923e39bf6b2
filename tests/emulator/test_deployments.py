"""Deployments: how they move, what they leave in the audit events, and what they answer to what does not fit."""

import pytest

import harness
from celeriac.emulator import AppConfig, ProcessConfig
from celeriac.emulator.audit import Party
from celeriac.emulator.cloud_controller import Scaling
from celeriac.emulator.errors import ApiError
from emulator.conftest import SLEEPER
from emulator.shapes import assert_shape, published

BOTH = (ProcessConfig(SLEEPER, type="web"), ProcessConfig(SLEEPER, instances=2))
SLOW = 30.0
"""Seconds until an instance runs: longer than any test waits."""


def begin(running, name="shop", **fields):
    body = {"relationships": {"app": {"data": {"guid": running.cf.app(name)["guid"]}}}, **fields}
    return running.cf.post("/v3/deployments", body, status=201)


def status(running, one):
    shown = running.cf.get(f"/v3/deployments/{one['guid']}")["status"]
    return shown["value"], shown["reason"]


def active(running, name="shop"):
    guid = running.cf.app(name)["guid"]
    return running.cf.get("/v3/deployments", app_guids=guid, status_values="ACTIVE")["resources"]


@pytest.fixture
def shop(launch):
    """An app with a web process and two workers, and an updater that only the test moves."""
    running = launch(apps=(AppConfig("shop", BOTH), AppConfig("mail", (ProcessConfig(SLEEPER),))), speed=0.01)
    running.cf.wait_states("RUNNING", kind="web")
    running.cf.wait_states("RUNNING", "RUNNING")
    return running


def update(running):
    running.emulator.foundation.deployments.update()


def test_it_has_the_published_shape(shop):
    assert_shape(published("deployments.single_deployment") | {"revision": None}, begin(shop))


def test_web_first_and_then_all_others(shop):
    before = {kind: shop.cf.process("shop", kind)["version"] for kind in ("web", "worker")}
    old = shop.cf.process("shop", "web")["guid"]
    one = begin(shop)
    assert status(shop, one) == ("ACTIVE", "DEPLOYING")
    assert [each["guid"] for each in active(shop)] == [one["guid"]]

    update(shop)
    new = shop.cf.process("shop", "web")
    assert new["version"] != before["web"]
    assert one["new_processes"] == [{"guid": new["guid"], "type": "web"}]
    assert {old, new["guid"]} < {each["guid"] for each in shop.cf.get("/v3/processes", types="web,worker")["resources"]}
    shop.cf.wait_states("RUNNING", kind="web")
    assert shop.cf.get(f"/v3/processes/{old}/stats")["resources"][0]["state"] == "RUNNING"
    update(shop)

    assert shop.cf.get(f"/v3/processes/{old}", status=404)["errors"][0]["detail"] == "Process not found"
    assert status(shop, one) == ("FINALIZED", "DEPLOYED")
    assert shop.cf.process("shop", "worker")["version"] != before["worker"]
    assert active(shop) == []
    shop.cf.wait_states("RUNNING", "RUNNING")


def test_the_old_web_process_takes_no_orders_any_more(shop):
    controller = shop.emulator.foundation.controller
    old = controller.process_of(shop.cf.app()["guid"], "web")
    begin(shop)
    update(shop)
    shop.cf.wait_states("RUNNING", kind="web")
    update(shop)

    assert controller.observe(old).process == old
    with pytest.raises(ApiError, match="Process not found"):
        controller.scale(old, Scaling(instances=2), Party("guid", "user", "ada"))
    with pytest.raises(ApiError, match="Process not found"):
        controller.terminate(old, 0, Party("guid", "user", "ada"))


def test_an_app_without_web_is_deployed_at_once(shop):
    one = begin(shop, "mail")
    update(shop)

    assert status(shop, one) == ("FINALIZED", "DEPLOYED")


def test_one_whose_instances_do_not_run_stays_active_until_it_is_cancelled(launch):
    running = launch(apps=(AppConfig("shop", BOTH),), speed=0.01, start_seconds=SLOW)
    old = running.cf.process("shop", "web")["guid"]
    one = begin(running)
    for _ in range(3):
        update(running)
    assert status(running, one) == ("ACTIVE", "DEPLOYING")

    answer = running.cf.http.post(f"/v3/deployments/{one['guid']}/actions/cancel")
    assert (answer.status_code, status(running, one)) == (200, ("ACTIVE", "CANCELING"))
    update(running)
    assert status(running, one) == ("FINALIZED", "CANCELED")
    assert [each["guid"] for each in running.cf.get("/v3/processes", types="web")["resources"]] == [old]


def test_a_new_one_supersedes_the_old(shop):
    old = shop.cf.process("shop", "web")["guid"]
    first = begin(shop)
    update(shop)
    second = begin(shop)
    update(shop)

    webs = [each["guid"] for each in shop.cf.get("/v3/processes", types="web")["resources"]]
    assert webs == [old, second["new_processes"][0]["guid"]]
    assert status(shop, first) == ("FINALIZED", "SUPERSEDED")
    assert [each["guid"] for each in active(shop)] == [second["guid"]]


def test_it_is_told_who_began_and_who_cancelled(shop):
    one = begin(shop)
    shop.cf.http.post(f"/v3/deployments/{one['guid']}/actions/cancel")
    events = shop.cf.events("shop", "audit.app.deployment.create", "audit.app.deployment.cancel")

    assert sorted(each["type"].rpartition(".")[2] for each in events) == ["cancel", "create"]
    assert {each["actor"]["name"] for each in events} == {"ada"}


def test_the_updater_runs_by_itself(launch):
    running = launch(apps=(AppConfig("mail", (ProcessConfig(SLEEPER),)),), speed=1000)
    one = begin(running, "mail")

    harness.wait_until(lambda: status(running, one) == ("FINALIZED", "DEPLOYED"), 10, "the updater has come by")


def test_what_does_not_fit_is_refused(shop):
    post = shop.cf.http.post
    nowhere = {"relationships": {"app": {"data": {"guid": "none"}}}}
    done = begin(shop, "mail")
    update(shop)

    for path, body, detail in (
        ("/v3/deployments", nowhere, "Unable to use app. Ensure that the app exists and you have access to it."),
        ("/v3/deployments", {}, "Unable to use app. Ensure that the app exists and you have access to it."),
        ("/v3/deployments", {"strategy": "blue"}, "Strategy 'blue' is not a supported deployment strategy"),
        (
            f"/v3/deployments/{done['guid']}/actions/cancel", None,
            "Cannot cancel a deployment with status: FINALIZED and reason: DEPLOYED",
        ),
    ):  # fmt: skip
        answer = post(path, json=body)
        assert (answer.status_code, answer.json()["errors"][0]["detail"]) == (422, detail)
    assert shop.cf.http.get("/v3/deployments/none").status_code == 404


def test_only_who_may_write_may_deploy(shop):
    body = {"relationships": {"app": {"data": {"guid": shop.cf.app()["guid"]}}}}

    assert shop.login("eve").http.post("/v3/deployments", json=body).status_code == 403
