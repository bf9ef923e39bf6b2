"""Several organizations and spaces: who sees and may do what in each, what quotas refuse, and how apps are selected."""

import json

import pytest

import harness
from celeriac.emulator import (
    AppConfig,
    ClientConfig,
    Emulator,
    EmulatorConfig,
    OrganizationConfig,
    ProcessConfig,
    QuotaConfig,
    Role,
    RolesConfig,
    SpaceConfig,
    UserConfig,
)
from emulator.conftest import SLEEPER, Running
from emulator.shapes import FIXTURES, assert_shape, published

SLEEP = (ProcessConfig(SLEEPER, type="web"),)
POLICY = json.loads((FIXTURES / "autoscaler.fullpolicy.json").read_text())


def users():
    for role in Role:
        yield UserConfig(role.value, "secret", roles=RolesConfig(role))
    yield UserConfig("ada", "secret")
    yield UserConfig("mixed", "secret", roles=RolesConfig(Role.NONE, {"acme/prod": Role.AUDITOR}))


@pytest.fixture(scope="module")
def wide():
    """Three spaces of two organizations, one of which is suspended, and a person for each role."""
    services = {"user-provided": [{"name": "broker", "credentials": {"uri": "amqp://secret"}}]}
    apps = (
        AppConfig("shop", SLEEP, {"COLOUR": "blue"}, labels={"tier": "web", "team": "a"}, services=services),
        AppConfig("mail", SLEEP, labels={"tier": "back"}, autoscaler=POLICY),
        AppConfig("shop", SLEEP, space="prod", org="acme", annotations={"owner": "ops"}),
        AppConfig("late", SLEEP, org="frozen", space="ice"),
    )
    config = EmulatorConfig(
        apps=apps,
        users=tuple(users()),
        clients=(ClientConfig("robot", "r2d2", roles=RolesConfig(Role.SUPPORTER)),),
        organizations=(OrganizationConfig("frozen", suspended=True),),
        spaces=(SpaceConfig("prod", "acme", QuotaConfig(memory_mb=1024, instances=3)),),
        grace_seconds=1,
        speed=60,
    )
    emulator = Emulator(config)
    emulator.start()
    running = Running(emulator)
    yield running
    running.close()


def shops(caller):
    return {
        app["relationships"]["space"]["data"]["guid"]: app["guid"]
        for app in caller.get("/v3/apps", names="shop")["resources"]
    }


def code(answer):
    return answer["errors"][0]["code"]


def home(caller, name="shop"):
    """Return the app of the foundation's first space."""
    return caller.get("/v3/apps?include=space.organization", names=name)["resources"][0]["guid"]


def test_each_space_has_its_own_apps_of_the_same_name(wide):
    spaces = {each["name"]: each for each in wide.cf.get("/v3/spaces")["resources"]}
    orgs = {each["name"]: each for each in wide.cf.get("/v3/organizations")["resources"]}

    assert (list(spaces), list(orgs)) == (["dev", "prod", "ice"], ["demo", "acme", "frozen"])
    assert orgs["frozen"]["suspended"] is True
    assert spaces["prod"]["relationships"]["organization"]["data"]["guid"] == orgs["acme"]["guid"]
    assert len(set(shops(wide.cf).values())) == 2
    in_prod = wide.cf.get("/v3/apps", space_guids=spaces["prod"]["guid"])["resources"]
    assert [app["metadata"]["annotations"] for app in in_prod] == [{"owner": "ops"}]
    assert len(wide.cf.get("/v3/processes", organization_guids=orgs["demo"]["guid"])["resources"]) == 2
    for kind, each in [("spaces", spaces["prod"]), ("organizations", orgs["acme"])]:
        assert wide.cf.get(f"/v3/{kind}/{each['guid']}") == each
        assert code(wide.cf.get(f"/v3/{kind}/none", status=404)) == 10010


def test_one_who_has_a_role_in_one_space_sees_that_space_only(wide):
    mixed = wide.login("mixed")
    other = home(wide.cf, "mail")

    assert [each["name"] for each in mixed.get("/v3/spaces")["resources"]] == ["prod"]
    assert [each["name"] for each in mixed.get("/v3/organizations")["resources"]] == ["acme"]
    assert [each["name"] for each in mixed.get("/v3/apps")["resources"]] == ["shop"]
    assert len(mixed.get("/v3/processes")["resources"]) == 1
    for path in ("", "/processes", "/processes/web/stats", "/env", "/permissions"):
        assert code(mixed.get(f"/v3/apps/{other}{path}", status=404)) == 10010
    assert mixed.http.get(f"/api/v1/read/{other}").status_code == 404
    assert other not in mixed.get("/api/v1/meta")["meta"]
    assert mixed.get("/v3/audit_events", target_guids=other)["resources"] == []


@pytest.mark.parametrize(
    ("who", "read", "order", "variables", "label"),
    [
        ("space_developer", 200, 200, 200, 200),
        ("space_supporter", 200, 200, 200, 403),
        ("space_auditor", 200, 403, 403, 403),
        ("space_manager", 200, 403, 403, 403),
        ("none", 404, 404, 404, 404),
    ],
)
def test_what_each_role_may_do(wide, who, read, order, variables, label):
    caller, app = wide.login(who), home(wide.cf)
    process = f"/v3/apps/{app}/processes/web"

    for path in (f"/v3/apps/{app}", process, f"{process}/stats", f"/v3/apps/{app}/features"):
        caller.get(path, status=read)
    caller.get(f"/v3/apps/{app}/environment_variables", status=variables)
    caller.get(f"/v3/apps/{app}/env", status=variables)
    for verb in ("start", "restart"):
        caller.post(f"/v3/apps/{app}/actions/{verb}", status=order)
    caller.post(f"{process}/actions/scale", {"instances": 1}, status=202 if order == 200 else order)
    caller.delete(f"{process}/instances/0", 204 if order == 200 else order)
    assert caller.http.patch(f"/v3/apps/{app}/environment_variables", json={"var": {}}).status_code == order
    assert caller.http.patch(f"/v3/apps/{app}", json={"metadata": {}}).status_code == label
    deployment = {"relationships": {"app": {"data": {"guid": app}}}}
    made = caller.post("/v3/deployments", deployment, status=201 if order == 200 else 422)
    if order == 200:
        assert code(wide.login("none").post(f"/v3/deployments/{made['guid']}/actions/cancel", status=404)) == 10010
        assert code(wide.login("space_auditor").post(f"/v3/deployments/{made['guid']}/actions/cancel", status=404))
        caller.http.post(f"/v3/deployments/{made['guid']}/actions/cancel")
        path = f"/v3/deployments/{made['guid']}"
        ended = "FINALIZED"
        harness.wait_until(lambda: wide.cf.get(path)["status"]["value"] == ended, 10, "the deployment is over")


def test_what_is_hidden_from_whom(wide):
    app = home(wide.cf)
    developer, supporter, auditor = (wide.login(f"space_{name}") for name in ("developer", "supporter", "auditor"))

    assert developer.get(f"/v3/apps/{app}/processes/web")["command"] == SLEEPER
    for caller in (supporter, auditor):
        assert caller.get(f"/v3/apps/{app}/processes/web")["command"] == "[PRIVATE DATA HIDDEN]"
        assert caller.get(f"/v3/apps/{app}/permissions") == {"read_basic_data": True, "read_sensitive_data": False}
    full = developer.get(f"/v3/apps/{app}/env")
    assert full["system_env_json"]["VCAP_SERVICES"]["user-provided"][0]["credentials"] == {"uri": "amqp://secret"}
    assert "amqp://secret" not in json.dumps(supporter.get(f"/v3/apps/{app}/env"))
    assert supporter.get(f"/v3/apps/{app}/env")["environment_variables"] == {"COLOUR": "blue"}


def test_a_suspended_organization_is_read_and_takes_no_orders(wide):
    app = home(wide.cf, "late")
    process = f"/v3/apps/{app}/processes/web"
    wide.cf.get(f"{process}/stats")

    refused = [wide.cf.post(f"/v3/apps/{app}/actions/{verb}", status=403) for verb in ("start", "stop", "restart")]
    refused.append(wide.cf.post(f"{process}/actions/scale", {"instances": 1}, status=403))
    refused.append(wide.cf.delete(f"{process}/instances/0", 403).json())
    refused.append(wide.cf.post("/v3/deployments", {"relationships": {"app": {"data": {"guid": app}}}}, status=403))
    assert refused == [published("errors.by_status")["403_org_suspended"]] * len(refused)


def test_a_role_that_is_lost_hides_the_app(launch):
    running = launch()
    app, space = running.cf.app()["guid"], running.cf.get("/v3/spaces")["resources"][0]["guid"]
    roles = running.emulator.foundation.roles
    [grant] = [each for each in roles.grants() if each.user_guid == "robot"]
    robot = running.login_robot()
    robot.get(f"/v3/apps/{app}")
    shown = running.cf.get("/v3/roles", user_guids="robot", space_guids=space)["resources"]

    assert [(each["type"], each["guid"]) for each in shown] == [("space_developer", grant.guid)]
    assert_shape(published("roles.single_role") | {"links": {}, "relationships": {}}, shown[0])
    roles.take(grant)
    assert code(robot.get(f"/v3/apps/{app}", status=404)) == 10010
    assert robot.get("/v3/apps")["resources"] == []
    roles.give("robot", grant.space, Role.AUDITOR)
    assert code(robot.post(f"/v3/apps/{app}/actions/restart", status=403)) == 10003


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("tier", ["shop", "mail"]),
        ("!tier", ["shop", "late"]),
        ("tier=web", ["shop"]),
        ("tier==web", ["shop"]),
        ("tier!=web", ["mail", "shop", "late"]),
        ("tier in (web, back)", ["shop", "mail"]),
        ("tier notin (web)", ["mail", "shop", "late"]),
        ("tier in (web,back),team=a", ["shop"]),
    ],
)
def test_apps_are_selected_by_their_labels(wide, selector, found):
    assert [app["name"] for app in wide.cf.get("/v3/apps", label_selector=selector)["resources"]] == found


def test_a_broken_selector_is_refused(wide):
    assert code(wide.cf.get("/v3/apps", status=400, label_selector="a in b")) == 10005


def test_an_answer_includes_spaces_and_organizations(wide):
    included = wide.cf.get("/v3/apps", include="space.organization")["included"]

    assert [each["name"] for each in included["spaces"]] == ["dev", "prod", "ice"]
    assert [each["name"] for each in included["organizations"]] == ["demo", "acme", "frozen"]
    assert code(wide.cf.get("/v3/apps", status=400, include="moon")) == 10005


def test_labels_are_changed_and_taken_away(launch):
    running = launch(app={"labels": {"old": "1"}})
    path = f"/v3/apps/{running.cf.app()['guid']}"
    change = {"metadata": {"labels": {"app-autoscaler.cloudfoundry.org/disable-autoscaling": "1", "old": None}}}

    assert running.cf.http.patch(path, json=change).status_code == 200
    assert running.cf.get(path)["metadata"]["labels"] == {"app-autoscaler.cloudfoundry.org/disable-autoscaling": "1"}
    assert running.cf.http.patch(path, json={"metadata": {"labels": {"a": "b c"}}}).status_code == 422
    assert running.cf.http.patch(path, json={"name": "x"}).status_code == 422


def test_variables_change_with_the_next_start(launch):
    running = launch('echo "is $COLOUR"; exec sleep 1000', app={"env": {"COLOUR": "blue"}})
    path = f"/v3/apps/{running.cf.app()['guid']}"
    harness.wait_until(lambda: "is blue" in running.cf.lines(), 10, "the first instance says its colour")
    answer = running.cf.http.patch(f"{path}/environment_variables", json={"var": {"COLOUR": "red", "X": 1}}).json()

    assert answer["var"] == {"COLOUR": "red", "X": "1"}
    assert_shape(published("apps.environment_variables") | {"var": {}}, answer)
    running.cf.post(f"{path}/actions/restart")
    harness.wait_until(lambda: "is red" in running.cf.lines(), 10, "the next instance says its colour")
    for name in ("VCAP_X", "PORT"):
        answer = running.cf.http.patch(f"{path}/environment_variables", json={"var": {name: "1"}})
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, 10008)
    kinds = {each["type"] for each in running.cf.events()}
    assert "audit.app.update" in kinds


def test_env_features_and_permissions_have_the_published_shapes(wide):
    app = home(wide.cf)
    expected = published("apps.env")
    expected["system_env_json"] = {"VCAP_SERVICES": {}}
    expected["environment_variables"] = {"COLOUR": "blue"}
    expected["staging_env_json"] = expected["running_env_json"] = {}

    assert_shape(expected, wide.cf.get(f"/v3/apps/{app}/env"))
    assert_shape(published("apps.permissions"), wide.cf.get(f"/v3/apps/{app}/permissions"))
    features = wide.cf.get(f"/v3/apps/{app}/features")
    assert_shape(published("app_features.paginated_list_of_app_features"), features)
    assert [each["name"] for each in features["resources"] if each["enabled"]] == ["ssh"]
    changed = wide.cf.http.patch(f"/v3/apps/{app}/features/revisions", json={"enabled": True}).json()
    assert_shape(published("app_features.single_app_feature"), changed)
    assert wide.cf.get(f"/v3/apps/{app}/features/revisions")["enabled"] is True
    assert code(wide.cf.get(f"/v3/apps/{app}/features/none", status=404)) == 10010


def scale(caller, kind="worker", status=202, **wanted):
    return caller.post(f"/v3/apps/{caller.app()['guid']}/processes/{kind}/actions/scale", wanted, status=status)


@pytest.mark.parametrize(
    ("org", "space", "wanted", "detail"),
    [
        ({"memory_mb": 512}, None, {"instances": 3}, "memory quota_exceeded"),
        ({}, {"memory_mb": 512}, {"instances": 3}, "memory space_quota_exceeded"),
        ({"instances": 2}, None, {"instances": 3}, "app_instance_limit app_instance_limit_exceeded"),
        ({}, {"instances": 2}, {"instances": 3}, "app_instance_limit space_app_instance_limit_exceeded"),
        ({"process_memory_mb": 300}, None, {"memory_in_mb": 400}, "memory instance_memory_limit_exceeded"),
        (
            {"memory_mb": 512},
            {"instances": 2},
            {"instances": 3},
            "app_instance_limit space_app_instance_limit_exceeded, memory quota_exceeded",
        ),
    ],
)
def test_a_quota_refuses_in_the_words_of_the_platform(launch, org, space, wanted, detail):
    settings = {"organizations": (OrganizationConfig("demo", quota=QuotaConfig(**org)),)}
    settings |= {"spaces": (SpaceConfig("dev", quota=QuotaConfig(**space)),)} if space else {}
    cf = launch(**settings).cf

    [error] = scale(cf, status=422, **wanted)["errors"]
    assert (error["code"], error["detail"]) == (10008, detail)
    assert cf.process()["instances"] == 1
    assert [each["data"] for each in cf.events("shop", "audit.app.process.scale")] == []


def test_a_stopped_app_takes_nothing_until_it_starts(launch):
    running = launch(
        app={"started": False}, organizations=(OrganizationConfig("demo", quota=QuotaConfig(memory_mb=512)),)
    )
    assert scale(running.cf, instances=3)["instances"] == 3
    [error] = running.cf.post(f"/v3/apps/{running.cf.app()['guid']}/actions/start", status=422)["errors"]
    assert error["detail"] == "memory quota_exceeded"


def test_quotas_have_the_published_shapes(wide):
    space = wide.cf.get("/v3/space_quotas")["resources"]
    orgs = wide.cf.get("/v3/organization_quotas")["resources"]

    assert [each["apps"]["total_memory_in_mb"] for each in space] == [1024]
    assert len(orgs) == 3
    for each, name in [
        (space[0], "space_quotas.single_space_quota"),
        (orgs[0], "organization_quotas.single_organization_quota"),
    ]:
        expected = published(name)
        for part in ("apps", "services", "routes", "domains"):
            assert not expected.pop(part, {}).keys() - each.get(part, {}).keys()
        assert_shape(expected, each)
        assert wide.cf.get(each["links"]["self"]["href"]) == each
    assert code(wide.cf.get("/v3/space_quotas/none", status=404)) == 10010


def test_a_feature_flag_that_is_off_is_named(launch):
    cf = launch(disabled_features=("app_scaling", "env_var_visibility")).cf

    assert scale(cf, status=403, instances=2) == published("errors.by_status")["403_feature_flag"]
    assert code(cf.get(f"/v3/apps/{cf.app()['guid']}/env", status=403)) == 330002


def test_memory_changes_without_a_restart_are_told_and_audited(launch):
    cf = launch().cf

    assert scale(cf, memory_in_mb=300, disk_in_mb=512)["memory_in_mb"] == 300
    [event] = cf.events("shop", "audit.app.process.scale")
    assert event["data"]["request"] == {"memory_in_mb": 300, "disk_in_mb": 512}


def test_the_web_process_is_not_scaled_while_it_is_deployed(launch):
    cf = launch(apps=(AppConfig("shop", SLEEP),)).cf
    cf.post("/v3/deployments", {"relationships": {"app": {"data": {"guid": cf.app()["guid"]}}}}, status=201)

    assert scale(cf, "web", 422, instances=2) == published("errors.by_status")["422_scale_during_deployment"]


def test_a_passcode_logs_in_once(wide):
    anonymous = wide.anonymous()
    code = anonymous.http.get("/passcode", auth=("ada", "secret"))
    form = {"grant_type": "password", "passcode": code.text}
    answers = [anonymous.http.post("/oauth/token", data=form, auth=("cf", "")) for _ in range(2)]

    assert code.status_code == 200
    assert [answer.status_code for answer in answers] == [200, 401]
    assert answers[1].json()["error_description"] == "Invalid passcode"
    assert answers[0].json()["refresh_token"]
    refused = anonymous.http.get("/passcode", auth=("ada", "wrong"))
    assert (refused.status_code, refused.headers["www-authenticate"][:5]) == (401, "Basic")
    assert anonymous.http.get("/passcode").status_code == 401


def test_the_autoscaler_shows_its_policy_to_developers_only(wide):
    mail, shop = home(wide.cf, "mail"), home(wide.cf)

    assert wide.cf.get(f"/v1/apps/{mail}/policy") == POLICY
    assert wide.cf.get(f"/v1/apps/{shop}/policy", status=404)["message"] == "No policy bound with application"
    for caller in (wide.login("space_supporter"), wide.login_robot(), wide.anonymous()):
        assert caller.get(f"/v1/apps/{mail}/policy", status=401)["code"] == "Unauthorized"
