"""Access over the API and on its pages: who asks, why, sessions, API tokens and the table of roles."""

import re

import pytest
from fastapi.testclient import TestClient

from celeriac.app.access.roles import KEPT_S
from celeriac.core.access import Means
from celeriac.web.app import create_app
from web.signed_on import ADMINS, HERE, VIEWERS, Team

HOME = "http://127.0.0.1:5555"
FORM = {"headers": {"sec-fetch-site": "same-origin"}}


@pytest.fixture
def team(world):
    return Team(world)


@pytest.fixture
def visits(world, team):
    """Return a function that gives the browser, or the program, of somebody."""

    def visiting(name=None, *groups, bearer=None, means=Means.PROVIDER):
        app = create_app(world.service, team.signing_on)
        client = TestClient(app, base_url=HOME, follow_redirects=False, client=(HERE.address, 4711))
        if name:
            client.cookies.set("celeriac", team.arrive(name, *groups, means=means).secret)
        if bearer:
            client.headers["Authorization"] = f"Bearer {bearer}"
        return client

    return visiting


def new_token(client, **more):
    answer = client.post("/api/v1/tokens", json={"name": "report", "role": "viewer", **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_whoami_tells_who_asks_and_what_they_may(visits):
    said = visits("oscar", "on-call", VIEWERS).get("/api/v1/whoami").json()

    assert (said["subject"], said["name"], said["role"], said["means"]) == ("oscar", "Oscar", "responder", "sign-on")
    assert said["grants"] == ["responder in cluster orders", "viewer in all clusters"]
    assert said["groups_from"] == "the ID token's claim groups (2)"
    assert said["until"] is not None


def test_where_there_is_no_sign_on_everybody_is_told_so(asked):
    assert asked.get("/api/v1/whoami").json()["means"] == "no sign-on"
    assert asked.get("/api/v1/tokens").json()["items"] == []
    assert asked.post("/api/v1/tokens", json={"name": "x", "role": "viewer"}).status_code == 404
    assert asked.delete("/api/v1/session").status_code == 404
    assert asked.post("/api/v1/sessions", json={"code": "x", "verifier": "y"}).status_code == 404
    assert asked.get("/api/v1/roles").status_code == 404
    assert asked.get("/access").status_code == 200
    assert "Sign off" not in asked.get("/").text
    assert 'href="/access"' not in asked.get("/").text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/whoami"),
        ("GET", "/api/v1/sessions"),
        ("GET", "/api/v1/tokens"),
        ("POST", "/api/v1/tokens"),
        ("GET", "/api/v1/roles"),
        ("PUT", "/api/v1/roles"),
        ("GET", "/api/v1/roles/mine"),
        ("DELETE", "/api/v1/session"),
        ("DELETE", "/api/v1/sessions/x"),
        ("DELETE", "/api/v1/tokens/x"),
        ("GET", "/access"),
        ("POST", "/access/tokens"),
        ("GET", "/access/roles"),
        ("POST", "/access/roles"),
        ("GET", "/login/command-line"),
        ("POST", "/login/command-line"),
    ],
)
def test_nobody_is_let_in_who_has_not_signed_on(visits, method, path):
    assert visits().request(method, path).status_code == 401


def test_a_browser_that_has_not_signed_on_comes_back_to_the_question_afterwards(visits):
    answer = visits().get("/login/command-line?port=45000", headers={"accept": "text/html"})

    assert answer.headers["location"] == "/login?next=%2Flogin%2Fcommand-line%3Fport%3D45000"


def test_why_names_the_groups_that_rows_are_for_and_only_counts_the_others(visits):
    said = visits("anna", ADMINS, "CN=secret-project,DC=example", "x").get("/api/v1/roles/mine")

    why = said.json()
    assert (why["groups"], why["matching"], why["others"]) == (3, [ADMINS], 2)
    assert [one["fits"] for one in why["rows"]] == [True, False, False, False]
    assert "secret-project" not in said.text


def test_why_for_a_program_and_for_a_token(visits):
    batch = visits(bearer="eyJ.batch").get("/api/v1/roles/mine").json()
    token = new_token(visits("anna", ADMINS))["secret"]

    assert [one["fits"] for one in batch["rows"]] == [False, False, False, True]
    assert (
        "what its maker gave it: viewer in all clusters"
        in visits(bearer=token).get("/api/v1/roles/mine").json()["text"]
    )


def test_a_token_is_made_used_listed_and_revoked(visits):
    vera = visits("vera", VIEWERS)
    made = new_token(vera, days=1, clusters=["orders"])
    program = visits(bearer=made["secret"])

    assert program.get("/api/v1/whoami").json()["grants"] == ["viewer in cluster orders"]
    listed = vera.get("/api/v1/tokens")
    assert [one["name"] for one in listed.json()["items"]] == ["report"]
    assert listed.json()["items"][0]["used_at"] is not None
    assert made["secret"] not in listed.text
    assert vera.delete(f"/api/v1/tokens/{made['token']['id']}").json()["state"] == "revoked"
    assert program.get("/api/v1/whoami").status_code == 401


@pytest.mark.parametrize("more", [{"role": "operator"}, {"role": "admin", "clusters": ["orders"]}, {"payloads": True}])
def test_nobody_makes_more_of_themselves_by_a_token(visits, team, more):
    answer = visits("vera", VIEWERS).post("/api/v1/tokens", json={"name": "up", "role": "viewer", **more})

    assert answer.status_code == 403
    assert "more than you have" in answer.json()["detail"]
    assert team.kept_tokens.all() == []


def test_a_token_makes_no_token_and_changes_no_role(visits):
    program = visits(bearer=new_token(visits("oscar", "on-call"), role="responder", clusters=["orders"])["secret"])

    assert program.post("/api/v1/tokens", json={"name": "child", "role": "viewer"}).status_code == 403
    assert program.get("/api/v1/roles").status_code == 403
    assert program.put("/api/v1/roles", json={"rules": [], "why": "mine"}).status_code == 403
    assert program.get("/api/v1/sessions").json()["items"] == []


def test_the_break_glass_account_makes_no_token(visits):
    root = visits("root", means=Means.BREAK_GLASS)

    assert root.post("/api/v1/tokens", json={"name": "x", "role": "viewer"}).status_code == 403
    assert "Make an API token" not in root.get("/access").text


@pytest.mark.parametrize(
    "body", [{"days": 0}, {"days": 366}, {"name": ""}, {"name": "a\nb"}, {"role": "root"}, {"more": 1}]
)
def test_what_makes_no_sense_is_refused(visits, body):
    answer = visits("anna", ADMINS).post("/api/v1/tokens", json={"name": "x", "role": "viewer", **body})

    assert answer.status_code == 422


def test_people_see_and_end_their_own_sessions_and_administrators_all(visits, team):
    vera, victor, anna = visits("vera", VIEWERS), visits("victor", VIEWERS), visits("anna", ADMINS)
    own = vera.get("/api/v1/sessions").json()["items"]

    assert [(one["subject"], one["current"]) for one in own] == [("vera", True)]
    assert victor.delete(f"/api/v1/sessions/{own[0]['id']}").status_code == 403
    assert len(anna.get("/api/v1/sessions").json()["items"]) == 3
    assert anna.delete(f"/api/v1/sessions/{own[0]['id']}").status_code == 204
    assert vera.get("/api/v1/whoami").status_code == 401
    assert anna.delete("/api/v1/sessions/none").status_code == 404
    assert "end a session" in [one.action for one in team.world.audit.trail]


def test_signing_off_ends_the_session_and_a_token_has_none(visits):
    vera = visits("vera", VIEWERS)
    program = visits(bearer=new_token(vera)["secret"])

    assert program.delete("/api/v1/session").status_code == 409
    assert vera.delete("/api/v1/session").status_code == 204
    assert vera.get("/api/v1/whoami").status_code == 401


ADMIN_ROW = {"group": "celery-admins", "role": "admin"}


def test_an_administrator_changes_the_table_and_gives_it_back(visits, world):
    anna = visits("anna", ADMINS)
    rows = [ADMIN_ROW, {"group": "night", "role": "operator", "clusters": ["orders"]}]

    said = anna.put("/api/v1/roles", json={"rules": rows, "why": "the night shift"}).json()

    assert (said["source"], said["by"], said["why"]) == ("console", "Anna", "the night shift")
    assert [one["whom"] for one in said["rules"]] == ["group celery-admins", "group night"]
    assert visits("ned", "night").get("/api/v1/whoami").json()["role"] == "operator"
    world.time += KEPT_S
    assert anna.put("/api/v1/roles", json={"rules": [], "why": "morning"}).json()["source"] == "settings"


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([{"group": "night", "role": "viewer"}], "nobody could change"),
        ([{"group": "other-admins", "role": "admin"}], "you would be no administrator any more"),
        (
            [{"group": "on-call", "role": "viewer"}, {"group": "celery-admins", "role": "admin"}],
            "you would be no administrator any more",
        ),
        (
            [{"group": "celery-admins", "role": "admin"}, {"group": "x", "role": "viewer", "clusters": ["order"]}],
            "there is no cluster 'order'; there are: orders, billing, mail",
        ),
    ],
)
def test_a_table_that_leaves_no_admin_is_refused(visits, team, rows, why):
    answer = visits("anna", ADMINS, "on-call").put("/api/v1/roles", json={"rules": rows, "why": "oops"})

    assert answer.status_code == 409
    assert why in answer.json()["detail"]
    assert team.tables.kept == []


@pytest.mark.parametrize(
    "body", [{"rules": [ADMIN_ROW]}, {"rules": [ADMIN_ROW], "why": " "}, {"rules": [{"role": "admin"}], "why": "x"}]
)
def test_a_change_needs_a_reason_and_rows_that_are_for_somebody(visits, body):
    assert visits("anna", ADMINS).put("/api/v1/roles", json=body).status_code == 422


@pytest.mark.parametrize("path", ["/access/roles", "/api/v1/roles"])
def test_the_table_is_for_administrators(visits, path):
    assert visits("vera", VIEWERS).get(path).status_code == 403


# The pages


def test_the_page_shows_who_you_are_and_lets_you_sign_off(visits):
    page = visits("vera", VIEWERS).get("/access").text

    assert "You are Vera" in page
    assert "viewer in all clusters" in page
    assert 'action="/logout"' in page
    assert "The table of roles</a>" not in page
    assert "<script>" not in page


def test_the_page_shows_a_new_secret_once(visits):
    vera = visits("vera", VIEWERS)

    made = vera.post("/access/tokens", data={"name": "night report", "role": "viewer", "days": "7"}, **FORM)
    secret = re.search(r">(clt_[\w-]{43})<", made.text)

    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    assert secret
    assert "night report" in vera.get("/access").text
    assert secret[1] not in vera.get("/access").text


def test_the_page_says_no_in_place(visits):
    page = visits("vera", VIEWERS).post("/access/tokens", data={"name": "up", "role": "admin", "days": "7"}, **FORM)

    assert page.status_code == 403
    assert "This token would carry more than you have" in page.text
    assert 'value="up"' in page.text


def test_what_people_write_is_shown_as_text(visits):
    vera = visits("vera", VIEWERS)
    vera.post("/access/tokens", data={"name": "<script>alert(1)</script>", "role": "viewer", "days": "7"}, **FORM)

    assert "<script>alert" not in vera.get("/access").text
    assert "&lt;script&gt;alert" in vera.get("/access").text


def test_the_page_revokes_and_ends(visits):
    vera = visits("vera", VIEWERS)
    token = new_token(vera)["token"]["id"]
    session = vera.get("/api/v1/sessions").json()["items"][0]["id"]

    assert vera.post(f"/access/tokens/{token}/revoke", **FORM).headers["location"] == "/access"
    assert vera.get("/api/v1/tokens").json()["items"][0]["state"] == "revoked"
    assert vera.post(f"/access/sessions/{session}/end", **FORM).status_code == 303
    assert vera.get("/api/v1/whoami").status_code == 401


@pytest.mark.parametrize(
    "path",
    ["/access/tokens", "/access/sessions/x/end", "/access/tokens/x/revoke", "/access/roles", "/login/command-line"],
)
def test_another_sites_page_orders_nothing(visits, path):
    answer = visits("anna", ADMINS).post(path, data={"do": "save"}, headers={"sec-fetch-site": "cross-site"})

    assert answer.status_code == 403
    assert "came from another site" in answer.text


def rows_of(page):
    return re.findall(r'name="group" value="([^"]*)"', page)


def table_form(do, *rows, why=""):
    columns = ("group", "client", "scope", "role", "clusters", "apps", "payloads")
    filled = [{"role": "viewer", "payloads": "no"} | one for one in rows]
    return {name: [one.get(name, "") for one in filled] for name in columns} | {"do": do, "why": why}


def test_the_draft_of_a_table_goes_back_and_forth_until_it_is_saved(visits, team):
    anna = visits("anna", ADMINS)
    one, other = ADMIN_ROW, {"group": "night", "clusters": "orders, mail"}

    def shows(do):
        answer = anna.post("/access/roles", data=table_form(do, one, other), **FORM)
        assert "This is a draft" in answer.text
        return rows_of(answer.text)

    assert rows_of(anna.get("/access/roles").text) == ["celery-admins", "on-call", VIEWERS, ""]
    assert shows("down:0") == ["night", "celery-admins"]
    assert shows("up:1") == ["night", "celery-admins"]
    assert shows("remove:0") == ["night"]
    assert shows("add") == ["celery-admins", "night", ""]
    assert shows("up:0") == shows("down:1") == shows("remove:9") == ["celery-admins", "night"]
    assert team.tables.kept == []

    saved = anna.post("/access/roles", data=table_form("save", one, other, why="the night shift"), **FORM)
    assert saved.headers["location"] == "/access/roles"
    page = anna.get("/access/roles").text
    assert rows_of(page) == ["celery-admins", "night"]
    assert "Anna changed the rows here" in page
    assert "group night: viewer in cluster orders, mail" in page
    back = anna.post("/access/roles", data=table_form("give-back", one, why="morning"), **FORM)
    assert back.status_code == 303
    assert "those of the settings" in anna.get("/access/roles").text


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        (table_form("save", ADMIN_ROW), 422, "say why"),
        (table_form("save", {"group": "night"}, why="x"), 409, "nobody could change the table again"),
        (table_form("save", ADMIN_ROW, {"role": "viewer"}, why="x"), 422, "a row names nobody"),
        (table_form("save", ADMIN_ROW | {"clusters": "order"}, why="x"), 409, "there is no cluster &#39;order&#39;"),
    ],
)
def test_the_page_of_the_table_says_why_it_does_not_hold(visits, team, form, status, said):
    answer = visits("anna", ADMINS).post("/access/roles", data=form, **FORM)

    assert (answer.status_code, team.tables.kept) == (status, [])
    assert said in answer.text


def test_who_is_no_administrator_drafts_no_table(visits):
    assert visits("vera", VIEWERS).post("/access/roles", data=table_form("add"), **FORM).status_code == 403


# The command line's question

QUESTION = {"port": "45000", "challenge": "c" * 43, "state": "s" * 43, "host": "vera's <b>laptop</b>"}


def test_the_question_names_the_machine_as_text_and_is_not_to_be_framed(visits):
    page = visits("vera", VIEWERS).get("/login/command-line", params=QUESTION)

    assert "act as you?" in page.text
    assert "<b>laptop" not in page.text
    policy = page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' http://127.0.0.1:45000;" in policy
    assert page.headers["cross-origin-opener-policy"] == "same-origin"


def test_asking_changes_nothing(visits, team):
    visits("vera", VIEWERS).get("/login/command-line", params=QUESTION)

    assert team.once.kept == {}


def test_a_yes_goes_back_to_this_machine_and_a_no_says_so(visits, team):
    vera = visits("vera", VIEWERS)

    yes = vera.post("/login/command-line", data={**QUESTION, "allow": "yes"}, **FORM).headers["location"]
    no = vera.post("/login/command-line", data={**QUESTION, "allow": "no"}, **FORM).headers["location"]

    assert re.fullmatch(rf"http://127\.0\.0\.1:45000/\?code=[\w-]{{43}}&state={'s' * 43}", yes)
    assert no == f"http://127.0.0.1:45000/?error=access_denied&state={'s' * 43}"


@pytest.mark.parametrize(
    "change",
    [
        {"port": "evil.example"},
        {"port": "45000@evil.example"},
        {"port": "45000/path"},
        {"port": "80"},
        {"port": "65536"},
        {"port": "-1"},
        {"challenge": "c" * 42},
        {"challenge": "c" * 42 + "'"},
        {"state": ""},
        {"state": "s" * 42 + "&"},
        {"host": "h" * 101},
        {"redirect_uri": "http://evil.example"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_only_a_port_of_this_machine_is_taken(visits, team, method, change):
    asked = {**QUESTION, **change}
    given = {"params": asked} if method == "GET" else {"data": {**asked, "allow": "yes"}, **FORM}

    assert visits("vera", VIEWERS).request(method, "/login/command-line", **given).status_code == 422
    assert team.once.kept == {}


def test_a_token_allows_no_command_line(visits, team):
    token = new_token(visits("vera", VIEWERS))["secret"]

    answer = visits("vera", VIEWERS, bearer=token).post(
        "/login/command-line", data={**QUESTION, "allow": "yes"}, **FORM
    )
    assert answer.status_code == 401
    assert team.once.kept == {}


def test_a_made_up_code_is_refused(visits, team):
    answer = visits().post("/api/v1/sessions", json={"code": "x" * 43, "verifier": "v" * 43})

    assert answer.status_code == 400
    assert "celeriac login" in answer.json()["detail"]
    assert team.denials()
