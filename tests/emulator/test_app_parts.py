"""What belongs to an app beside its processes: routes, sidecars, package and droplet, and all of it as a manifest."""

import dataclasses
from itertools import pairwise

import pytest
import yaml

from celeriac.emulator import (
    AppConfig,
    Emulator,
    EmulatorConfig,
    Manifest,
    ProcessConfig,
    Role,
    RolesConfig,
    SidecarConfig,
    UserConfig,
)
from celeriac.emulator.health import HealthCheck
from celeriac.emulator.manifest import read_manifest
from celeriac.emulator.services import Service, vcap_services
from emulator.conftest import SLEEPER, Running

REDIS = Service("shop-redis", {"host": "10.0.0.1"}, label="p.redis")
PROXY = SidecarConfig("proxy", SLEEPER, ("worker",), 32)
CHECK = HealthCheck("process", "/", 3, 20)
SHOP = AppConfig(
    "shop",
    (ProcessConfig(SLEEPER, instances=2, memory_mb=64, health_check=CHECK), ProcessConfig("./serve", "web", 0)),
    {"COLOUR": "blue"},
    labels={"tier": "back"},
    annotations={"owner": "the shop's team"},
    services=vcap_services([(REDIS, None)]),
    routes=("shop.example.org", "all.example.org/shop", "tcp.example.org:6666"),
    sidecars=(PROXY, SidecarConfig("mirror", SLEEPER, ("web",))),
)
MAIL = AppConfig("mail", (ProcessConfig(SLEEPER, instances=0),), routes=("all.example.org/shop", "example.org"))
AWAY = AppConfig("away", (ProcessConfig(SLEEPER, instances=0),), routes=("shop.example.org",), space="prod")


@pytest.fixture(scope="module")
def town():
    """Two apps of one space that share a route, and one of another space."""
    users = [
        UserConfig("ada", "secret"),
        UserConfig("joe", "secret", roles=RolesConfig(Role.NONE, {"dev": Role.AUDITOR})),
    ]
    emulator = Emulator(EmulatorConfig(apps=(SHOP, MAIL, AWAY), users=tuple(users)))
    emulator.start()
    running = Running(emulator)
    yield running
    running.close()


def guid(running, name="shop"):
    return running.cf.app(name)["guid"]


def urls(answer):
    return sorted(route["url"] for route in answer["resources"])


def test_an_address_is_taken_apart(town):
    parts = ("protocol", "host", "path", "port")
    routes = town.cf.get(f"/v3/apps/{guid(town)}/routes")["resources"]

    assert {route["url"]: tuple(route[part] for part in parts) for route in routes} == {
        "shop.example.org": ("http", "shop", "", None),
        "all.example.org/shop": ("http", "all", "/shop", None),
        "tcp.example.org:6666": ("tcp", "", "", 6666),
    }


def test_apps_of_a_space_share_a_route_and_those_of_another_do_not(town):
    [shared] = town.cf.get("/v3/routes", hosts="all")["resources"]
    apart = town.cf.get("/v3/routes", hosts="shop")["resources"]

    assert {each["app"]["guid"] for each in shared["destinations"]} == {guid(town), guid(town, "mail")}
    assert {each["app"]["process"]["type"] for each in shared["destinations"]} == {"web"}
    assert (
        len({route["guid"] for route in apart})
        == len({route["relationships"]["space"]["data"]["guid"] for route in apart})
        == 2
    )
    assert len({route["relationships"]["domain"]["data"]["guid"] for route in apart}) == 1


def test_routes_are_found_by_app_and_by_what_they_are(town):
    both = f"{guid(town, 'mail')},{guid(town, 'away')}"

    assert urls(town.cf.get("/v3/routes", app_guids=both)) == [
        "all.example.org/shop",
        "example.org",
        "shop.example.org",
    ]
    assert urls(town.cf.get("/v3/routes", paths="/shop")) == ["all.example.org/shop"]
    assert urls(town.cf.get("/v3/routes", ports="6666")) == ["tcp.example.org:6666"]
    assert urls(town.cf.get("/v3/routes", organization_guids="none")) == []
    one = town.cf.get("/v3/routes", ports="6666")["resources"][0]
    assert town.cf.get(f"/v3/routes/{one['guid']}") == one
    assert urls(town.login("joe").get("/v3/routes", hosts="shop")) == ["shop.example.org"]


def test_a_process_has_the_sidecars_of_its_type(town):
    worker, web = town.cf.process(kind="worker")["guid"], town.cf.process(kind="web")["guid"]
    [proxy] = town.cf.get(f"/v3/processes/{worker}/sidecars")["resources"]

    assert (proxy["name"], proxy["command"], proxy["memory_in_mb"]) == ("proxy", SLEEPER, 32)
    assert [each["name"] for each in town.cf.get(f"/v3/processes/{web}/sidecars")["resources"]] == ["mirror"]
    assert {each["name"] for each in town.cf.get(f"/v3/apps/{guid(town)}/sidecars")["resources"]} == {"proxy", "mirror"}
    assert town.cf.get(f"/v3/sidecars/{proxy['guid']}") == proxy


def test_an_app_leads_to_its_package_and_its_droplet_and_they_to_it(town):
    app = town.cf.app()
    paths = [
        app["links"][name]["href"].removeprefix(town.cf.url) for name in ("packages", "droplets", "current_droplet")
    ]
    [package] = town.cf.get(paths[0])["resources"]
    [droplet] = town.cf.get(f"/v3/packages/{package['guid']}/droplets", states="STAGED")["resources"]
    current = town.cf.get(paths[2])

    assert (package["state"], droplet["state"]) == ("READY", "STAGED")
    assert [each["guid"] for each in town.cf.get(paths[1], current="true")["resources"]] == [current["guid"]]
    assert current["guid"] == droplet["guid"] == app["relationships"]["current_droplet"]["data"]["guid"]
    assert town.cf.get(f"/v3/packages/{package['guid']}") == package
    assert town.cf.get(f"/v3/droplets/{droplet['guid']}") == current
    relationship = town.cf.get(f"/v3/apps/{app['guid']}/relationships/current_droplet")
    assert relationship["data"] == {"guid": droplet["guid"]}
    for kind in ("packages", "droplets"):
        assert len(town.cf.get(f"/v3/{kind}")["resources"]) == 3
        assert len(town.cf.get(f"/v3/{kind}", app_guids=app["guid"])["resources"]) == 1
        assert town.cf.get(f"/v3/{kind}", states="FAILED")["resources"] == []
        assert len(town.login("joe").get(f"/v3/{kind}")["resources"]) == 2


def test_commands_are_shown_to_who_may_see_secrets(town):
    path = f"/v3/apps/{guid(town)}/droplets/current"

    assert town.cf.get(path)["process_types"] == {"worker": SLEEPER, "web": "./serve"}
    assert town.login("joe").get(path)["process_types"] == {"redacted_message": "[PRIVATE DATA HIDDEN]"}
    [listed] = town.cf.get(f"/v3/apps/{guid(town)}/droplets")["resources"]
    assert SLEEPER not in str(listed)


@pytest.mark.parametrize("kind", ["route", "sidecar", "package", "droplet"])
def test_what_is_not_there_is_named(town, kind):
    answer = town.cf.get(f"/v3/{kind}s/none", status=404)

    assert answer["errors"][0]["detail"] == f"{kind.capitalize()} not found"


def test_the_manifest_of_an_app_makes_the_same_app_again(town, tmp_path):
    answer = town.cf.http.get(f"/v3/apps/{guid(town)}/manifest")
    path = tmp_path / "manifest.yml"
    path.write_text(answer.text)
    [again] = read_manifest(Manifest(path, {}), (REDIS,))

    assert answer.headers["content-type"].startswith("application/x-yaml")
    assert again == dataclasses.replace(SHOP, files=tmp_path)


def test_a_manifest_holds_secrets_and_not_everybody_gets_it(town):
    assert town.login("joe").get(f"/v3/apps/{guid(town)}/manifest", status=403)["errors"][0]["code"] == 10003


def test_a_manifest_of_a_simple_app_leaves_out_what_it_lacks(town):
    [app] = yaml.safe_load(town.cf.http.get(f"/v3/apps/{guid(town, 'away')}/manifest").text)["applications"]

    assert app.keys() == {"name", "stack", "routes", "processes"}


def test_routes_are_paged(town):
    first = town.cf.get("/v3/routes", per_page=2, order_by="created_at")
    rest = town.cf.get(first["pagination"]["next"]["href"].removeprefix(town.cf.url))
    found = [route["guid"] for route in first["resources"] + rest["resources"]]

    assert first["pagination"]["total_results"] == len(found) + 1 == 5
    assert all(one < other for one, other in pairwise(found))
