"""Every route, by every method, as every role: what each may, and that nobody may more.

The routes are the app's own. One that is not in the table below fails, so that none is forgotten.
"""

import re

import httpx2
import pytest
from msgspec.structs import replace

import harness
from celeriac.access_ports import BreakGlassUse
from celeriac.core.access import Grant, Right, Role
from celeriac.core.exhibits import Kept
from celeriac.core.incident import Deed, HeldReason, Word
from celeriac.core.offline import Moment
from celeriac.core.pauses import Pause
from celeriac.settings import ConsoleSettings
from celeriac.settings.console import OWN_PATHS
from celeriac.web.app import create_app
from core.builders import seen, worker
from web import samples
from web.entering import OWN, Entrance
from web.serving import serving
from web.test_every_write_is_audited import COMMAND
from web.test_every_write_is_audited import TABLE as VALID

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
OPEN, SIGNED_ON = "open to all", "signed on"

READS = {
    OPEN: (
        "/healthz",
        "/readyz",
        "/login",
        "/login/break-glass",
        "/signed-off",
        "/auth/begin",
        "/auth/callback",
    ),
    SIGNED_ON: (
        "/",
        "/access",
        "/login/command-line",
        "/api/v1/roles/mine",
        "/api/v1/sessions",
        "/api/v1/tokens",
        "/api/v1/whoami",
        "/apps",
        "/doctor",
        "/fragments",
        "/fragments/apps",
        "/api/docs",
        "/api/openapi.json",
        "/api/v1/access/break-glass",
        "/api/v1/apps",
        "/api/v1/clusters",
        "/api/v1/doctor",
        "/api/v1/incidents",
        "/api/v1/observation",
        "/api/v1/pauses",
        "/api/v1/queues",
        "/api/v1/report",
        "/api/v1/stream",
        "/api/v1/tasks",
        "/api/v1/tasks/counts",
        "/api/v1/tasks/durations",
        "/api/v1/tasks/facets",
        "/api/v1/tasks/histogram",
        "/api/v1/workers",
    ),
    Right.SEE: (
        "/apps/{id}",
        "/apps/{id}/capacity",
        "/apps/{id}/events",
        "/apps/{id}/log",
        "/fragments/apps/{id}",
        "/api/v1/apps/{id}",
        "/api/v1/apps/{id}/capacity",
        "/api/v1/apps/{id}/events",
        "/api/v1/apps/{id}/logs",
        "/api/v1/apps/{id}/logs/stream",
        "/api/v1/clusters/{id}",
        "/api/v1/incidents/{id}",
        "/api/v1/incidents/{id}/evidence",
        "/api/v1/incidents/{id}/snapshot",
        "/api/v1/incidents/{id}/tasks",
        "/api/v1/orders/{id}",
        "/api/v1/queues/{id:path}/samples",
        "/api/v1/remedies/{id}",
        "/api/v1/tasks/{id:path}",
        "/api/v1/workers/{id:path}",
    ),
    Right.REMEDIES: ("/apps/{id}/env", "/api/v1/apps/{id}/env"),
    Right.ADMINISTER: ("/access/roles", "/api/v1/roles", "/audit", "/api/v1/audit", "/api/v1/audit/export"),
}
WRITES = {
    OPEN: ("POST /login", "POST /logout", "POST /auth/backchannel-logout", "POST /api/v1/sessions"),
    SIGNED_ON: (  # each over what is one's own
        "POST /access/sessions/{id}/end",
        "DELETE /api/v1/session",
        "DELETE /api/v1/sessions/{id}",
        "POST /access/tokens",
        "POST /access/tokens/{id}/revoke",
        "POST /api/v1/tokens",
        "DELETE /api/v1/tokens/{id}",
        "POST /login/command-line",
    ),
    Right.ADMINISTER: (
        "POST /break-glass/{id}/seen",
        "POST /api/v1/access/break-glass/{id}/seen",
        "POST /access/roles",
        "PUT /api/v1/roles",
    ),
}
OTHER_WRITES = Right.REMEDIES
QUERY = {"/login/command-line": COMMAND}
IDS = {
    "orders": "word-1",
    "remedies": "rem-1",
    "clusters": "orders",
    "incidents": "inc-hung",
    "apps": "app-guid-1",
    "queues": "orders",
    "workers": "orders-worker/2",
}
ROLES = {
    "vera": Role.VIEWER,
    "olga": Role.OPERATOR,
    "rob": Role.RESPONDER,
    "ada": Role.ADMIN,
}


def routes(app):
    """Return each path with its methods."""
    found = {}
    routers = [getattr(one, "original_router", app.router) for one in app.routes]
    for route in (route for router in routers for route in router.routes if hasattr(route, "methods")):
        found.setdefault(route.path, set()).update(route.methods or ())
    return found


ALL = routes(create_app(samples.empty_world().service))
NEEDS = {f"GET {path}": right for right, paths in READS.items() for path in paths}
NEEDS |= {f"{method} {path}": OTHER_WRITES for path, methods in ALL.items() for method in methods - {"GET", "HEAD"}}
NEEDS |= {write: right for right, writes in WRITES.items() for write in writes}


@pytest.fixture
def entrance(world, tmp_path):
    world.pauses.begin(Pause("p", "orders", "x", "ana", world.time, world.time + 60))
    world.requests.asked["rem-1"] = samples.ordered(world)
    world.requests.said["word-1"] = Word("word-1", "orders", "inc-hung", Deed.HOLD, "ana", world.time, "x")
    world.kept.keep(Kept("inc-hung", "orders", world.time))
    world.kept.keep_moment("inc-hung", Moment(seen(worker(silent=40))))
    world.break_glass.used(BreakGlassUse("use-1", world.time, "emergency", "10.1.2.3"))
    return Entrance(world, tmp_path)


def asked_for(client, path):
    """Return a path with ids that are there in the night's world, and what the client has."""
    valid = next((one.path for route, one in VALID.items() if route.partition(" ")[2] == path and one.path), {})
    kind = re.search(r"/([a-z-]+)/\{id", path)
    known = {"id": IDS.get(kind[1], "any") if kind else "any", "index": 0, **valid}
    if path.startswith("/api/v1/tasks/"):
        known["id"] = samples.task(3).uuid
    if kind and kind[1] in {"sessions", "tokens"} and client.cookies:
        kept = client.get(f"/api/v1/{kind[1]}").json().get("items") or [{"id": "any"}]
        known["id"] = kept[0]["id"]
    return path.replace(":path}", "}").format(**known)


def ask(client, method, path):
    valid = VALID.get(f"{method} {path}")
    json, form = (valid.json, valid.form) if valid else (None, None)
    if kind_of_token(path) and client.cookies:
        client.post("/api/v1/tokens", json={"name": "report", "role": "viewer"})
    return client.request(
        method, asked_for(client, path), json=json, data=form, headers=OWN, params=QUERY.get(path)
    ).status_code


def ordered(world):
    """Return all that was ordered so far."""
    return dict(world.requests.asked), dict(world.requests.said), list(world.pauses.all)


def kind_of_token(path):
    return "/tokens/{id}" in path


def test_every_route_is_in_the_table():
    reads = {f"GET {path}" for path, methods in ALL.items() if "GET" in methods}

    assert reads == {one for one in NEEDS if one.startswith("GET ")}
    assert {one for one in NEEDS if not one.startswith("GET ")} == set(VALID)


def test_a_prefix_is_told_from_the_consoles_own_paths():
    """A proxy's prefix that begins like a path of ours is refused with the settings: this is the list of those."""
    assert {path.strip("/").partition("/")[0] for path in ALL} - {""} | {"static"} == OWN_PATHS


def streams(path):
    return path.endswith("/stream")


def expected(method, path, role):
    """Return what a role is told: `in`, `denied`, or that there is no such method."""
    need = NEEDS.get(f"{'GET' if method == 'HEAD' else method} {path}")
    if method not in ALL[path]:
        return "no method"
    if need in {OPEN, SIGNED_ON} or (role and Grant(role).carries(Right(need))):
        return "in"
    return "denied"


@pytest.mark.parametrize("path", sorted(ALL))
@pytest.mark.parametrize("name", ROLES)
def test_a_role_may_what_it_may_and_no_more(entrance, world, path, name):
    before = ordered(world)
    for method in METHODS:
        if streams(path) and method in ALL[path]:
            continue  # a stream does not end: `test_streams` asks it over a socket
        wanted = expected(method, path, ROLES[name])
        status = ask(entrance.enter(name), method, path)
        if wanted == "denied":
            assert status == 403, (method, path)
            assert ordered(world) == before
        elif wanted == "no method":
            assert status in {405, 404}, (method, path)
        else:
            assert status not in {401, 403, 404, 405, 422} or NEEDS.get(f"{method} {path}") == OPEN, (
                method,
                path,
                status,
            )
            assert status < 500


@pytest.mark.parametrize("path", sorted(ALL))
def test_a_stranger_may_nothing(entrance, world, path):
    client, before = entrance.make(), ordered(world)
    for method in METHODS:
        need = NEEDS.get(f"{'GET' if method == 'HEAD' else method} {path}")
        status = ask(client, method, path)
        if need == OPEN:
            assert status < 500
        else:
            assert status == 401 or (need is None and (path in READS[OPEN] or f"POST {path}" in WRITES[OPEN])), (
                method,
                path,
                status,
            )
    assert ordered(world) == before


@pytest.mark.parametrize("path", sorted(path for path in ALL if "{id" in path))
def test_whoever_has_no_role_in_a_cluster_sees_nothing_of_it(entrance, world, path):
    """Not even that it is there: whatever belongs to it is not found."""
    client, before = entrance.enter("bill"), ordered(world)
    for method in METHODS:
        need = NEEDS.get(f"{'GET' if method == 'HEAD' else method} {path}")
        if method in ALL[path] and need in {Right.SEE, Right.REMEDIES}:
            assert ask(client, method, path) == 404, (method, path)
    assert ordered(world) == before


@pytest.mark.parametrize("route", sorted(one for one in VALID if NEEDS[one] is Right.REMEDIES and "{id" in one))
def test_a_role_for_an_app_acts_on_no_other(entrance, world, route):
    method, _, path = route.partition(" ")
    if route.endswith("/release"):
        held = {"held_by": "ana", "held_why": "I look into it", "held_reason": HeldReason.HELD_BY_USER}
        world.journal.stories["inc-hung"] = replace(world.hung, **held)

    assert ask(entrance.enter("apollo"), method, path) == 403
    entrance.people.grants["apollo"] = Grant(Role.RESPONDER, ("orders",), ("orders-worker",))
    assert ask(entrance.enter("apollo"), method, path) == 202


def test_lists_hold_what_their_reader_may_see(entrance):
    """Of a cluster where somebody has no role there is no row, no name and no count."""
    client = entrance.enter("bill")
    for path in READS[SIGNED_ON]:
        if path not in {"/api/docs", "/api/openapi.json"} and not streams(path):
            text = client.get(path).text
            assert "orders" not in text.replace('"orders"', "orders" if path == "/doctor" else '"orders"'), path
    assert client.get("/api/v1/workers", params={"cluster": "orders"}).status_code == 404
    assert "orders" not in client.get("/api/v1/workers", params={"cluster": "nope"}).json()["detail"]


@pytest.mark.parametrize("name", ["vera", "rob", "bill"])
@pytest.mark.parametrize("word", ["args", "kwargs", "result", "search"])
@pytest.mark.parametrize("path", ["", "/facets", "/histogram"])
def test_payloads_are_neither_shown_nor_found_without_the_right_to_see_them(entrance, name, word, path):
    client = entrance.enter(name)

    assert client.get(f"/api/v1/tasks{path}", params={word: "EUR"}).status_code == 403
    shown = client.get("/api/v1/tasks").json()["items"]
    assert {(one["args"], one["kwargs"], one["result"]) for one in shown} <= {(None, None, None)}
    assert entrance.enter("ada").get(f"/api/v1/tasks{path}", params={word: "EUR"}).status_code == 200


@pytest.mark.parametrize("path", sorted(path for path in ALL if streams(path)))
def test_streams_are_for_those_who_may_see_what_they_tell(entrance, path):
    """As each role, over a socket: a stream does not end by itself."""
    app = create_app(entrance.world.service, entrance.signing_on, ConsoleSettings(port=harness.free_port()))
    of_orders = "{id}" in path
    wanted = {
        None: 401,
        **dict.fromkeys(ROLES, 200),
        "bill": 404 if of_orders else 200,
        "apollo": 403 if of_orders else 200,
    }
    with serving(entrance.world, None, app) as console, httpx2.Client(timeout=20) as http:
        for name, status in wanted.items():
            cookie = entrance.enter(name).cookies["celeriac"] if name else ""
            address = console.url + path.replace("{id}", "app-guid-1")
            with http.stream("GET", address, headers={"cookie": f"celeriac={cookie}"}) as answer:
                assert answer.status_code == status, name
