"""Signing on with a password, sessions, and what is refused at the door."""

import pytest

from celeriac.app.access.password_sign_on import Account
from celeriac.app.access.sessions import COMMAND_LINE, Visitor
from celeriac.core.access import Grant, Role
from celeriac.ports import AuditFilter, Outcome
from web.entering import HASHED, OWN, PASSWORD, Entrance

PAGE = {"accept": "text/html"}
RESTART = "/api/v1/workers/orders-worker/0/restart"


@pytest.fixture
def entrance(world, tmp_path):
    return Entrance(world, tmp_path)


def trail(world, **which):
    return world.audit.entries(AuditFilter(100, **which))


def the_cookie(asked):
    (cookie,) = [one for one in asked.cookies.jar if one.name.endswith("celeriac")]
    return cookie


def test_a_stranger_is_led_to_the_sign_on_and_back(entrance):
    asked = entrance.make()

    led = asked.get("/apps?cluster=orders", headers=PAGE)
    assert (led.status_code, led.headers["location"]) == (303, "/login?next=%2Fapps%3Fcluster%3Dorders")
    page = asked.get(led.headers["location"])
    assert 'value="/apps?cluster=orders"' in page.text

    entered = asked.post(
        "/login", data={"name": "ada", "password": PASSWORD, "onward": "/apps?cluster=orders"}, headers=OWN
    )
    assert (entered.status_code, entered.headers["location"]) == (303, "/apps?cluster=orders")
    assert asked.get("/apps?cluster=orders", headers=PAGE).status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/workers", "/fragments", "/api/openapi.json", "/api/v1/stream"])
def test_programs_and_parts_of_pages_are_told(entrance, path):
    answer = entrance.make().get(path, headers={"hx-request": "true"})

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_platforms_may_ask_whether_it_lives_and_are_told_no_more(entrance, world):
    asked = entrance.make()
    world.histories.clear()

    assert asked.get("/healthz").status_code == 200
    ready = asked.get("/readyz").json()
    assert set(map(str, ready["problems"])) <= {"sign on to see why"}


def test_the_cookie_says_nothing_and_is_kept_by_the_browser_alone(entrance):
    asked = entrance.make("https://127.0.0.1:5555")
    answer = asked.post("/login", data={"name": "ada", "password": PASSWORD}, headers=OWN)

    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-celeriac=")
    assert {"HttpOnly", "Path=/", "SameSite=lax", "Secure"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert len(the_cookie(asked).value) == 43
    assert PASSWORD not in answer.headers["set-cookie"]


def test_a_sign_on_gives_a_new_session_and_ends_the_one_before(entrance):
    """Whoever planted a cookie in the browser holds nothing afterwards (session fixation)."""
    planted = entrance.signed_on("vera")
    victim = entrance.make()
    victim.cookies.set("celeriac", the_cookie(planted).value)

    victim.post("/login", data={"name": "ada", "password": PASSWORD}, headers=OWN)

    assert {one.value for one in victim.cookies.jar} != {one.value for one in planted.cookies.jar}
    assert planted.get("/api/v1/workers").status_code == 401


def test_a_made_up_cookie_is_nobodys_and_told_once_a_minute(entrance, world):
    asked = entrance.make()
    for letter in "xyz":
        asked.cookies.set("celeriac", letter * 43)
        assert asked.get("/api/v1/workers").status_code == 401

    (row,) = trail(world, outcome=Outcome.DENIED)
    assert "names no session" in row.detail


def test_a_tampered_cookie_is_nobodys(entrance):
    asked = entrance.signed_on("ada")
    value = the_cookie(asked).value
    stranger = entrance.make()
    stranger.cookies.set("celeriac", value[:-1] + ("A" if value[-1] != "A" else "B"))

    assert stranger.get("/api/v1/workers").status_code == 401
    assert asked.get("/api/v1/workers").status_code == 200


def test_wrong_passwords_are_told_alike_and_lock_the_name(entrance, world):
    asked = entrance.make()
    texts = set()
    for name in ("ada", "nobody-of-this-name"):
        answer = asked.post("/login", data={"name": name, "password": "wrong"}, headers=OWN)
        assert answer.status_code == 401
        texts.add(answer.text.replace(name, ""))
    assert len(texts) == 1

    for _ in range(4):
        asked.post("/login", data={"name": "ada", "password": "wrong"}, headers=OWN)
    locked = asked.post("/login", data={"name": "ada", "password": PASSWORD}, headers=OWN)

    assert (locked.status_code, "Retry-After" in locked.headers) == (429, True)
    assert any("too many wrong tries" in one.detail for one in trail(world, outcome=Outcome.DENIED))
    assert PASSWORD not in repr(world.audit.trail)
    world.time += 901
    assert asked.post("/login", data={"name": "ada", "password": PASSWORD}, headers=OWN).status_code == 303


def test_an_address_that_tries_many_names_is_locked(entrance):
    asked = entrance.make()
    for number in range(20):
        asked.post("/login", data={"name": f"name-{number}", "password": "wrong"}, headers=OWN)

    assert asked.post("/login", data={"name": "vera", "password": PASSWORD}, headers=OWN).status_code == 429
    elsewhere = entrance.make(client=("127.0.0.2", 1))
    assert elsewhere.post("/login", data={"name": "vera", "password": PASSWORD}, headers=OWN).status_code == 303


@pytest.mark.parametrize(
    "onward", ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "/a\nb", "", "evil"]
)
def test_a_sign_on_leads_to_our_own_pages_alone(entrance, onward):
    asked = entrance.make()
    answer = asked.post("/login", data={"name": "ada", "password": PASSWORD, "onward": onward}, headers=OWN)

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert 'value="/"' in entrance.make().get("/login", params={"next": onward}).text


def test_a_foreign_page_signs_nobody_on(entrance):
    """A login that another site causes would let its person see what the victim does (login CSRF)."""
    answer = entrance.make().post(
        "/login", data={"name": "ada", "password": PASSWORD}, headers={"sec-fetch-site": "cross-site"}
    )

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_signing_off_ends_the_session_and_drops_the_cookie(entrance, world):
    asked = entrance.signed_on("ada")
    value = the_cookie(asked).value

    assert asked.post("/logout", headers=OWN).headers["location"] == "/signed-off"
    assert asked.get("/signed-off").status_code == 200
    stolen = entrance.make()
    stolen.cookies.set("celeriac", value)
    assert stolen.get("/api/v1/workers").status_code == 401
    assert [one.action for one in trail(world)[1:]] == ["sign off", "sign on"]


def test_a_session_ends_when_nobody_does_anything(entrance, world):
    asked = entrance.signed_on("ada")
    for _ in range(6):
        world.time += 3000
        asked.get("/fragments")  # the page by itself

    assert asked.get("/api/v1/workers").status_code == 401
    assert "nobody did anything" in trail(world, action="sign off")[0].detail


def test_a_session_ends_in_any_case(entrance, world):
    asked = entrance.signed_on("ada")
    for _ in range(11):
        world.time += 3600
        assert asked.get("/api/v1/workers").status_code == 200
    world.time += 3600

    assert asked.get("/api/v1/workers").status_code == 401


def test_who_loses_their_role_is_out_at_once(entrance):
    asked = entrance.signed_on("rob")
    entrance.people.grants["rob"] = Grant(Role.VIEWER)
    assert asked.post(RESTART).status_code == 403

    del entrance.people.grants["rob"]
    assert asked.get("/api/v1/workers").status_code == 401


def test_an_order_is_its_persons(entrance, world):
    asked = entrance.signed_on("rob")

    order = asked.post(RESTART).json()

    assert world.requests.asked[order["id"]].actor == "rob"
    (row,) = trail(world, action="restart")
    assert (row.actor, row.role, row.address, row.outcome) == ("rob", "responder", "127.0.0.1", Outcome.ORDERED)
    assert row.token.startswith("session ")
    assert the_cookie(asked).value not in repr(row)


def test_a_denial_is_told_and_kept(entrance, world):
    asked = entrance.signed_on("vera")

    answer = asked.post(RESTART)

    assert answer.status_code == 403
    assert "vera may not restart a worker" in answer.json()["detail"]
    assert "viewer in all clusters" in answer.json()["detail"]
    asked.post(RESTART)
    (row,) = trail(world, outcome=Outcome.DENIED)
    assert (row.actor, row.action, row.cluster, row.role) == ("vera", "restart a worker", "orders", "viewer")
    assert world.requests.asked == {}


def test_the_command_lines_session_is_beside_the_browsers(entrance, world):
    browser = entrance.signed_on("rob")
    opened = entrance.desk.open_beside(the_cookie(browser).value, Visitor("127.0.0.1", "celeriac"))
    assert opened.secret.startswith(COMMAND_LINE)
    program = entrance.make()
    bearer = {"authorization": f"Bearer {opened.secret}"}

    assert program.post(RESTART, headers=bearer).status_code == 202
    assert program.get("/api/v1/workers", headers={"authorization": f"Bearer {opened.secret}x"}).status_code == 401
    entrance.store.sessions().end(world.time, subject="rob")
    assert program.get("/api/v1/workers", headers=bearer).status_code == 401


# Break-glass


@pytest.fixture
def glass(world, tmp_path):
    account = Account("break-glass", HASHED, ("10.0.0.0/8",))

    class Silent:
        """A provider that nobody asks here."""

    return Entrance(world, tmp_path, provider=Silent(), glass=account)


def test_break_glass_opens_from_its_networks_alone(glass, world):
    inside, outside = glass.make(client=("10.1.2.3", 9)), glass.make(client=("192.0.2.1", 9))
    given = {"name": "break-glass", "password": PASSWORD}

    assert outside.post("/login", data=given, headers=OWN).status_code == 401
    assert glass.store.break_glass().uses() == []
    assert inside.post("/login", data=given, headers=OWN).status_code == 303
    (use,) = glass.store.break_glass().uses()
    assert (use.name, use.address, use.seen_at) == ("break-glass", "10.1.2.3", None)
    (row,) = trail(world, action="sign on", actor="break-glass")
    assert "break-glass" in row.detail
    assert inside.get("/api/v1/tasks").json()["items"][0]["payloads_hidden"]


def test_a_users_name_does_not_sign_on_where_only_break_glass_does(glass):
    answer = glass.make(client=("10.1.2.3", 9)).post("/login", data={"name": "ada", "password": PASSWORD}, headers=OWN)

    assert answer.status_code == 401


def test_without_break_glass_there_is_no_such_page(entrance):
    assert entrance.make().get("/login/break-glass").status_code == 404
