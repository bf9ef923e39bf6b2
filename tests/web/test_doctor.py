"""The checkup over HTTP, by client and command line, and as a page."""

import json

import pytest
from click.testing import CliRunner

from celeriac.cli import main as root
from celeriac.client import Celeriac, ClientError
from celeriac.core.apps import Rights
from celeriac.core.errors import RefusedError


def checks(answer):
    assert answer.status_code == 200, answer.text
    return {one["id"]: one for one in answer.json()["items"]}


def test_each_check_is_data_and_they_are_counted(asked) -> None:
    answer = asked.get("/api/v1/doctor")

    line = checks(answer)["cluster/orders/broker-clients"]
    assert line == {
        "id": "cluster/orders/broker-clients",
        "subject": "cluster orders",
        "state": "fail",
        "text": "our account lacks CLIENT LIST",
        "cost": "there is no second proof beside silence, so no hung worker is convicted",
        "fix": "ACL SETUSER celeriac +client|list",
    }
    states = [one["state"] for one in answer.json()["items"]]
    assert answer.json()["counts"] == {state: states.count(state) for state in ("ok", "warn", "fail")}


def test_one_cluster_or_one_that_there_is_not(asked) -> None:
    subjects = {one["subject"] for one in checks(asked.get("/api/v1/doctor?cluster=billing")).values()}
    assert "cluster billing" in subjects
    assert "cluster orders" not in subjects
    assert asked.get("/api/v1/doctor?cluster=nope").status_code == 404
    assert asked.get("/api/v1/doctor?clutser=orders").status_code == 422


def test_a_reload_does_not_ask_the_outside_again_and_a_while_later_it_does(asked, world) -> None:
    for _ in range(3):
        asked.get("/api/v1/doctor")
    assert world.outside.asked == 2  # once for each cluster

    world.time += 6
    asked.get("/doctor")
    assert world.outside.asked == 4


def test_the_page_tells_state_cost_and_mend_in_words(asked) -> None:
    page = asked.get("/doctor").text

    assert "Our account lacks CLIENT LIST." in page
    assert "<code>ACL SETUSER celeriac +client|list</code>" in page
    for word in ("ok", "warn", "fail"):
        assert f"</svg>{word}</span>" in page
    assert 'href="/doctor?cluster=billing"' in page
    assert 'href="/doctor"' in asked.get("/").text
    assert asked.get("/doctor?cluster=nope").status_code == 404


def test_what_a_source_says_is_escaped(asked, world) -> None:
    world.outside.refuses["access"] = RefusedError("<script>alert(1)</script>")
    page = asked.get("/doctor").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_role_that_may_not_restart_and_what_gives_it(asked, world) -> None:
    lacking = ("to restart: cf set-space-role celeriac shop production SpaceSupporter",)
    world.outside.rights_there = Rights("celeriac", "space_auditor", acts=False, reads_env=False, lacking=lacking)
    assert checks(asked.get("/api/v1/doctor"))["platform/cf/role"]["fix"] == lacking[0]


def test_the_client_reads_it(console) -> None:
    with Celeriac(console.url) as client:
        found = client.doctor("orders")
        assert found.counts["fail"] > 0
        assert found.items[0].subject == "cluster orders"
        with pytest.raises(ClientError, match="No cluster 'nope'"):
            client.doctor("nope")


def test_the_command_asks_the_console_that_is_named(console, monkeypatch: pytest.MonkeyPatch) -> None:
    told = CliRunner().invoke(root, ["doctor", "--url", console.url])
    assert told.exit_code == 1
    assert "  fail  our account lacks CLIENT LIST\n" in told.output
    assert "        fix:   ACL SETUSER celeriac +client|list\n" in told.output
    assert told.output.splitlines()[-1].startswith("Checked at ")

    monkeypatch.setenv("CELERIAC_URL", console.url)
    data = json.loads(CliRunner().invoke(root, ["doctor", "--json", "--cluster", "orders"]).output)
    assert {one["subject"] for one in data["items"]} >= {"cluster orders", "store", "celeriac"}
