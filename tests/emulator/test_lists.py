"""Lists: every filter, order and page, and what the API says to a parameter that it does not know."""

import time

import pytest

from celeriac.emulator.listing import timestamp


def names(answer):
    return [each["name"] for each in answer["resources"]]


@pytest.fixture
def guids(calm):
    return {
        "app": calm.cf.app("mail")["guid"],
        "space": calm.cf.get("/v3/spaces")["resources"][0]["guid"],
        "org": calm.cf.get("/v3/organizations")["resources"][0]["guid"],
        "process": calm.cf.process("mail")["guid"],
    }


def test_apps_come_in_the_order_of_the_configuration(calm):
    assert names(calm.cf.get("/v3/apps")) == ["shop", "mail", "idle"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("names=mail", ["mail"]),
        ("names=MAIL,shop", ["shop", "mail"]),
        ("names=none", []),
        ("names=", []),
        ("guids={app}", ["mail"]),
        ("space_guids={space}", ["shop", "mail", "idle"]),
        ("space_guids={app}", []),
        ("organization_guids={org},{app}", ["shop", "mail", "idle"]),
        ("names=mail&organization_guids={app}", []),
        ("order_by=name", ["idle", "mail", "shop"]),
        ("order_by=-name", ["shop", "mail", "idle"]),
        ("order_by=%2Bname", ["idle", "mail", "shop"]),
        ("order_by=state&names=idle,mail", ["mail", "idle"]),
        ("order_by=name&per_page=2", ["idle", "mail"]),
        ("order_by=name&per_page=2&page=2", ["shop"]),
        ("order_by=name&per_page=2&page=3", []),
        ("per_page=5000", ["shop", "mail", "idle"]),
    ],
)
def test_filters_orders_and_pages_of_apps(calm, guids, query, found):
    assert names(calm.cf.get(f"/v3/apps?{query.format(**guids)}")) == found


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("/v3/organizations?names=DEMO", 1),
        ("/v3/organizations?names=none", 0),
        ("/v3/organizations?guids={org}", 1),
        ("/v3/organizations?order_by=name", 1),
        ("/v3/spaces?names=dev&organization_guids={org}&page=1&per_page=1", 1),
        ("/v3/spaces?names=dev&organization_guids={app}", 0),
        ("/v3/spaces?guids={app}", 0),
        ("/v3/processes", 4),
        ("/v3/processes?types=web", 1),
        ("/v3/processes?types=web,worker&app_guids={app}", 1),
        ("/v3/processes?guids={process}", 1),
        ("/v3/processes?space_guids={space}&organization_guids={org}", 4),
        ("/v3/processes?space_guids={app}", 0),
        ("/v3/processes?organization_guids={app}", 0),
        ("/v3/apps/{app}/processes", 1),
        ("/v3/apps/{app}/processes?types=web", 0),
        ("/v3/apps/{app}/processes?embed=process_instances", 1),
    ],
)
def test_filters_of_the_other_lists(calm, guids, path, count):
    answer = calm.cf.get(path.format(**guids))

    assert len(answer["resources"]) == answer["pagination"]["total_results"] == count


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        (
            "/v3/apps?colour=red",
            "Unknown query parameter(s): 'colour'. Valid parameters are: 'page', 'per_page', 'order_by', 'names', ",
        ),
        ("/v3/organizations?space_guids=x", "Unknown query parameter(s): 'space_guids'."),
        ("/v3/spaces?a=1&b=2", "Unknown query parameter(s): 'a', 'b'."),
        ("/v3/processes?names=x", "Unknown query parameter(s): 'names'."),
        ("/v3/processes?embed=all", "Invalid embed value: 'all'."),
        ("/v3/audit_events?created_ats[near]=x", "Unknown query parameter(s): 'created_ats[near]'."),
        ("/v3/audit_events?created_ats[gt]=now", "Created ats has an invalid timestamp format."),
        ("/v3/audit_events?created_ats=2026-13-01T00:00:00Z", "Created ats has an invalid timestamp format."),
        ("/v3/audit_events?order_by=type", "Order by can only be: 'created_at', 'updated_at'"),
        ("/v3/apps?order_by=colour", "Order by can only be: 'created_at', 'updated_at', 'name', 'state'"),
        ("/v3/apps?page=0", "Page must be a positive integer"),
        ("/v3/apps?page=x", "Page must be a positive integer"),
        ("/v3/apps?per_page=-1", "Per page must be a positive integer"),
        ("/v3/apps?per_page=5001", "Per page must be between 1 and 5000"),
    ],
)
def test_a_bad_parameter_is_named(calm, path, detail):
    [error] = calm.cf.get(path, status=400)["errors"]

    assert (error["code"], error["title"]) == (10005, "CF-BadQueryParameter")
    assert error["detail"].startswith(f"The query parameter is invalid: {detail}")


def test_pages_link_to_each_other_and_keep_the_filters(calm):
    first = calm.cf.get("/v3/apps?order_by=-name&per_page=1&names=shop,mail,idle")
    second = calm.cf.get(first["pagination"]["next"]["href"])
    third = calm.cf.get(second["pagination"]["next"]["href"])

    assert names(first) + names(second) + names(third) == ["shop", "mail", "idle"]
    assert (first["pagination"]["total_results"], first["pagination"]["total_pages"]) == (3, 3)
    assert first["pagination"]["previous"] is None
    assert third["pagination"]["next"] is None
    assert calm.cf.get(third["pagination"]["previous"]["href"])["resources"] == second["resources"]
    assert calm.cf.get(third["pagination"]["first"]["href"])["resources"] == first["resources"]
    assert calm.cf.get(first["pagination"]["last"]["href"])["resources"] == third["resources"]


def test_an_empty_list_has_one_page(calm):
    assert calm.cf.get("/v3/apps?names=none")["pagination"]["total_pages"] == 1


def test_a_comma_in_a_value_is_encoded_twice(calm):
    assert names(calm.cf.get("/v3/apps?names=ma%252Cil,mail")) == ["mail"]


@pytest.fixture
def busy(launch):
    """An app with a few events."""
    running = launch()
    for verb in ("stop", "start", "restart"):
        running.cf.post(f"/v3/apps/{running.cf.app()['guid']}/actions/{verb}")
    return running


def test_filters_of_audit_events(busy):
    app = busy.cf.app()["guid"]
    answer = busy.cf.get("/v3/audit_events", target_guids=app, types="audit.app.stop,audit.app.restart")

    assert sorted(each["type"] for each in answer["resources"]) == ["audit.app.restart", "audit.app.stop"]
    space, org = answer["resources"][0]["space"]["guid"], answer["resources"][0]["organization"]["guid"]
    assert len(busy.cf.get("/v3/audit_events", space_guids=space, organization_guids=org)["resources"]) == 3
    for name in ("target_guids", "types", "space_guids", "organization_guids", "guids"):
        assert busy.cf.get("/v3/audit_events", **{name: "none"})["resources"] == []
    one = answer["resources"][0]
    assert busy.cf.get("/v3/audit_events", guids=one["guid"])["resources"] == [one]
    assert busy.cf.get(f"/v3/audit_events/{one['guid']}") == one
    assert busy.cf.get("/v3/audit_events/none", status=404)["errors"][0]["detail"] == "Event not found"


def test_times_of_audit_events(busy):
    now = int(time.time())
    for relation, bound, count in [
        ("[gt]", now - 60, 3),
        ("[gt]", now + 60, 0),
        ("[gte]", now - 60, 3),
        ("[lt]", now - 60, 0),
        ("[lt]", now + 60, 3),
        ("[lte]", now - 60, 0),
        ("", now - 60, 0),
    ]:
        answer = busy.cf.get("/v3/audit_events", **{f"created_ats{relation}": timestamp(bound)})
        assert len(answer["resources"]) == count, (relation, bound - now)
    at = busy.cf.events()[0]["created_at"]
    between = {"created_ats[gte]": at, "created_ats[lte]": at}
    exact = busy.cf.get("/v3/audit_events", created_ats=f"{at},2000-01-01T00:00:00Z")
    assert busy.cf.get("/v3/audit_events", **between)["resources"] == exact["resources"] != []


def test_events_of_one_second_come_in_the_order_of_their_guids_either_way(busy):
    down = busy.cf.get("/v3/audit_events?order_by=-created_at")["resources"]
    up = busy.cf.get("/v3/audit_events?order_by=created_at")["resources"]

    assert [each["guid"] for each in down] == [
        each["guid"]
        for each in sorted(sorted(down, key=lambda e: e["guid"]), key=lambda e: e["created_at"], reverse=True)
    ]
    assert up == sorted(up, key=lambda each: (each["created_at"], each["guid"]))
