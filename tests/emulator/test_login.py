"""Logging in: each grant and its refusals, what the tokens hold, and what the API does without a good one."""

import base64
import json

import pytest

from celeriac.emulator import TokenConfig

PASSWORD = {"grant_type": "password", "username": "ada", "password": "secret"}
ROBOT = {"grant_type": "client_credentials"}


def claims(token):
    header, payload, signature = token.split(".")
    assert json.loads(base64.urlsafe_b64decode(header + "=="))["alg"] == "RS256"
    assert signature
    return json.loads(base64.urlsafe_b64decode(payload + "=="))


def ask(calm, form, auth=("cf", "")):
    return calm.anonymous().http.post("/oauth/token", data=form, **({"auth": auth} if auth else {}))


def test_a_person_logs_in_with_a_password(calm):
    tokens = ask(calm, PASSWORD).json()

    assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 1199)
    assert tokens["scope"] == "cloud_controller.read cloud_controller.write openid"
    said = claims(tokens["access_token"])
    assert (said["user_name"], said["origin"], said["client_id"], said["cid"]) == ("ada", "uaa", "cf", "cf")
    assert said["exp"] - said["iat"] == 1200
    assert said["scope"] == ["cloud_controller.read", "cloud_controller.write", "openid"]
    assert said["user_id"] == said["sub"]


@pytest.mark.parametrize("in_form", [False, True])
def test_a_robot_logs_in_with_its_secret_and_gets_no_refresh_token(calm, in_form):
    form = ROBOT | ({"client_id": "robot", "client_secret": "r2d2"} if in_form else {})
    tokens = ask(calm, form, None if in_form else ("robot", "r2d2")).json()

    assert "refresh_token" not in tokens
    assert tokens["expires_in"] == 43199
    said = claims(tokens["access_token"])
    assert said["client_id"] == "robot"
    assert not {"user_id", "user_name", "origin"} & said.keys()


def test_a_refresh_token_gives_a_new_access_token(calm):
    first = ask(calm, PASSWORD).json()
    second = ask(calm, {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}).json()

    assert second["access_token"] != first["access_token"]
    assert claims(second["access_token"])["user_name"] == "ada"
    assert ask(calm, {"grant_type": "refresh_token", "refresh_token": second["refresh_token"]}).status_code == 200


@pytest.mark.parametrize(
    ("form", "auth", "status", "error", "description"),
    [
        (PASSWORD | {"password": "wrong"}, ("cf", ""), 401, "unauthorized", "Bad credentials"),
        (PASSWORD | {"username": "nobody"}, ("cf", ""), 401, "unauthorized", "Bad credentials"),
        ({"grant_type": "password", "passcode": "x"}, ("cf", ""), 401, "unauthorized", "Invalid passcode"),
        (PASSWORD, ("cf", "wrong"), 401, "invalid_client", "Bad credentials"),
        (PASSWORD, None, 401, "invalid_client", "Bad credentials"),
        (ROBOT, ("robot", "wrong"), 401, "invalid_client", "Bad credentials"),
        (ROBOT, ("nobody", ""), 401, "invalid_client", "Bad credentials"),
        (ROBOT, ("cf", ""), 401, "invalid_client", "Unauthorized grant type: client_credentials"),
        (PASSWORD, ("robot", "r2d2"), 401, "invalid_client", "Unauthorized grant type: password"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, ("cf", ""), 401, "invalid_token", None),
        ({"grant_type": "magic"}, ("cf", ""), 400, "unsupported_grant_type", "Unsupported grant type: magic"),
        ({}, ("cf", ""), 400, "invalid_request", "Missing grant type"),
    ],
)
def test_a_refused_login_says_why_in_the_form_of_the_uaa(calm, form, auth, status, error, description):
    answer = ask(calm, form, auth)

    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert description in (None, answer.json()["error_description"])
    assert answer.headers["x-vcap-request-id"]


def test_a_broken_basic_header_is_refused(calm):
    answer = calm.anonymous().http.post("/oauth/token", data=PASSWORD, headers={"Authorization": "Basic ???"})

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, 10002),
        ({"Authorization": "basic abc"}, 10002),
        ({"Authorization": "bearer"}, 10002),
        ({"Authorization": "bearer nonsense"}, 1000),
        ({"Authorization": "bearer a.b.c"}, 1000),
    ],
)
def test_without_a_good_token_the_api_answers_401(calm, headers, code):
    answer = calm.anonymous().http.get("/v3/apps", headers=headers)

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (401, code)


def test_the_scheme_is_read_in_any_case(calm):
    token = calm.cf.tokens["access_token"]

    assert calm.anonymous().http.get("/v3/apps", headers={"Authorization": f"BEARER {token}"}).status_code == 200


def test_a_token_of_another_emulator_is_refused(calm, launch):
    stranger = launch().cf.tokens["access_token"]
    answer = calm.anonymous().http.get("/v3/apps", headers={"Authorization": f"bearer {stranger}"})

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (401, 1000)


def test_expired_tokens_are_refused(launch):
    running = launch(tokens=TokenConfig(access_seconds=0.001, client_seconds=0.001, refresh_seconds=0.001))

    for caller in (running.cf, running.login_robot()):
        assert caller.get("/v3/apps", status=401)["errors"][0]["title"] == "CF-InvalidAuthToken"
    form = {"grant_type": "refresh_token", "refresh_token": running.cf.tokens["refresh_token"]}
    assert ask(running, form).json()["error"] == "invalid_token"


def test_each_call_needs_its_scope(calm):
    app, process = calm.cf.app()["guid"], calm.cf.process()["guid"]
    reader, nobody = calm.login("eve"), calm.login("joe")
    reader.get("/v3/apps")

    refused = [nobody.get("/v3/apps", status=403)]
    refused += [reader.post(f"/v3/apps/{app}/actions/{verb}", status=403) for verb in ("start", "stop", "restart")]
    refused.append(reader.post(f"/v3/processes/{process}/actions/scale", {"instances": 1}, status=403))
    refused.append(reader.delete(f"/v3/processes/{process}/instances/0", status=403).json())
    assert {each["errors"][0]["code"] for each in refused} == {10003}


def test_who_is_not_logged_in_does_not_learn_what_exists(calm):
    anonymous = calm.anonymous()

    assert anonymous.post("/v3/apps/none/actions/stop", status=401)["errors"][0]["code"] == 10002
    assert anonymous.delete("/v3/processes/none/instances/0", status=401).json()["errors"][0]["code"] == 10002
    assert anonymous.get("/v3/processes/none/stats", status=401)["errors"][0]["code"] == 10002


def test_the_log_cache_hides_behind_404(calm):
    app = calm.cf.app()["guid"]

    for path in (f"/api/v1/read/{app}", "/api/v1/meta"):
        answer = calm.anonymous().http.get(path)
        assert (answer.status_code, answer.text) == (404, "")
    assert calm.login("joe").http.get(f"/api/v1/read/{app}").status_code == 404
    assert calm.cf.http.get("/api/v1/read/none").status_code == 404
    assert calm.anonymous().http.get("/api/v1/info").status_code == 200
