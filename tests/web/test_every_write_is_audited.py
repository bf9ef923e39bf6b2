"""No write goes by the audit trail: every route that is no read adds a row to it, and none is missing here."""

from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from msgspec.structs import replace

from celeriac.access_ports import BreakGlassUse, LoggedOut
from celeriac.core.incident import HeldReason
from celeriac.core.pauses import Pause
from celeriac.web.app import create_app
from web import samples
from web.entering import OWN, PASSWORD, Entrance

READS = frozenset({"GET", "HEAD", "OPTIONS"})
HELD = {"held_by": "ana", "held_why": "I look into it", "held_reason": HeldReason.HELD_BY_USER}
WORKER = {"id": "orders-worker/0"}
APP = {"id": "app-guid-1"}
INCIDENT = {"id": "inc-hung"}
CLUSTER = {"cluster": "orders"}
WHY = {"reason": "I look into it"}
SIGN_ON = {"name": "ada", "password": PASSWORD}
VERIFIER = "v" * 64
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
COMMAND = {"port": 40123, "challenge": CHALLENGE, "state": "s" * 43, "host": "laptop"}
TOKEN = {"name": "report", "role": "viewer"}
ROWS = {
    "group": ["staff"],
    "client": [""],
    "scope": [""],
    "role": ["admin"],
    "clusters": [""],
    "apps": [""],
    "payloads": ["no"],
    "why": "they are on call",
    "do": "save",
}


@dataclass(frozen=True)
class Valid:
    """A request that a route answers well: what its path holds, and its body."""

    path: dict[str, Any] = field(default_factory=dict)
    json: dict[str, Any] | None = None
    form: dict[str, Any] | None = None


PAGES_WORKER = Valid({"id": samples.place(0).id}, form={})
TABLE = {
    # the API
    "POST /api/v1/workers/{id:path}/restart": Valid(WORKER),
    "POST /api/v1/workers/{id:path}/recycle": Valid(WORKER),
    "POST /api/v1/apps/{id}/restart": Valid(APP, {}),
    "POST /api/v1/apps/{id}/instances/{index}/restart": Valid({**APP, "index": 0}),
    "POST /api/v1/apps/{id}/scale": Valid(APP, {"instances": 3}),
    "POST /api/v1/incidents/{id}/approve": Valid(INCIDENT),
    "POST /api/v1/incidents/{id}/hold": Valid(INCIDENT, WHY),
    "POST /api/v1/incidents/{id}/release": Valid(INCIDENT, WHY),
    "POST /api/v1/incidents/{id}/close": Valid(INCIDENT, WHY),
    "POST /api/v1/pause": Valid(json={**WHY, "for_s": 60}),
    "POST /api/v1/resume": Valid(json={}),
    "POST /api/v1/access/break-glass/{id}/seen": Valid({"id": "use-1"}),
    # the pages
    "POST /workers/{id}/restart": PAGES_WORKER,
    "POST /workers/{id}/recycle": PAGES_WORKER,
    "POST /apps/{id}/restart": Valid(APP, form=CLUSTER),
    "POST /apps/{id}/instances/restart": Valid(APP, form={**CLUSTER, "process": "worker", "index": 0}),
    "POST /apps/{id}/scale": Valid(APP, form={**CLUSTER, "instances": 3}),
    "POST /incidents/{id}/approve": Valid(INCIDENT, form={}),
    "POST /incidents/{id}/hold": Valid(INCIDENT, form=WHY),
    "POST /incidents/{id}/release": Valid(INCIDENT, form={}),
    "POST /incidents/{id}/close": Valid(INCIDENT, form=WHY),
    "POST /pause": Valid(form={**WHY, **CLUSTER, "hours": 1}),
    "POST /resume": Valid(form={}),
    "POST /break-glass/{id}/seen": Valid({"id": "use-1"}, form={}),
    # signing on and off
    "POST /api/v1/sessions": Valid(json={"code": "x" * 43, "verifier": "y" * 43}),
    "DELETE /api/v1/session": Valid(),
    "DELETE /api/v1/sessions/{id}": Valid({"id": "any"}),
    "POST /access/sessions/{id}/end": Valid({"id": "any"}, form={}),
    "POST /login/command-line": Valid(form={**COMMAND, "allow": "yes"}),
    # tokens and roles
    "POST /api/v1/tokens": Valid(json=TOKEN),
    "DELETE /api/v1/tokens/{id}": Valid({"id": "any"}),
    "POST /access/tokens": Valid(form=TOKEN),
    "POST /access/tokens/{id}/revoke": Valid({"id": "any"}, form={}),
    "PUT /api/v1/roles": Valid(json={"rules": [{"group": "staff", "role": "admin"}], "why": "they are on call"}),
    "POST /access/roles": Valid(form=ROWS),
    "POST /login": Valid(form=SIGN_ON),
    "POST /logout": Valid(form={}),
    "POST /auth/backchannel-logout": Valid(form={"logout_token": "theirs"}),
}


class Saying:
    """A provider that says that ada has signed off there."""

    def logged_out(self, logout_token):
        return LoggedOut("ada", None, "token-1")


def writes(app: FastAPI) -> set[str]:
    """Return each method and path that is no read."""
    routers = [getattr(one, "original_router", app.router) for one in app.routes]
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    return {f"{method} {route.path}" for route in routes for method in route.methods - READS}


ROUTES = sorted(writes(create_app(samples.empty_world().service)))


@pytest.fixture
def entrance(world, tmp_path):
    return Entrance(world, tmp_path, provider=Saying(), users=True)


def prepared(world, entrance, route):
    """Let there be what a route ends: a pause, a hold, a session, a token, a code, a break-glass sign-on."""
    client = entrance.enter("ada")
    known = {}
    if route.endswith("/resume"):
        world.pauses.begin(Pause("p", None, "x", "ana", world.time, world.time + 60))
    if route.endswith("/release"):
        world.journal.stories["inc-hung"] = replace(world.hung, **HELD)
    if "/sessions/{id}" in route:
        entrance.enter("ada")
        known["id"] = client.get("/api/v1/sessions").json()["items"][0]["id"]
    if "/tokens/{id}" in route:
        known["id"] = client.post("/api/v1/tokens", json=TOKEN).json()["token"]["id"]
    world.break_glass.used(BreakGlassUse("use-1", world.time, "emergency", "10.1.2.3"))
    return client, known


def code_of(client):
    """Return what a command trades for a session, after its person has allowed it."""
    answer = client.post("/login/command-line", data={**COMMAND, "allow": "yes"}, headers=OWN)
    code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
    return {"code": code, "verifier": VERIFIER}


def test_there_are_writes_and_each_is_in_the_table():
    assert len(ROUTES) >= 27
    assert set(ROUTES) == set(TABLE)


@pytest.mark.parametrize("route", ROUTES)
def test_a_write_that_is_done_is_a_row(world, entrance, route):
    method, _, path = route.partition(" ")
    valid = TABLE[route]
    client, known = prepared(world, entrance, route)
    json = code_of(client) if route == "POST /api/v1/sessions" else valid.json
    before = len(world.audit.trail)
    filled = path.replace("{id:path}", "{id}").format(**{**valid.path, **known})
    answer = client.request(method, filled, json=json, data=valid.form, headers=OWN)

    assert answer.status_code in range(200, 304), answer.text
    new = world.audit.trail[before:]
    assert new
    assert all(one.actor and one.action and one.target and one.at == world.time for one in new)


def test_the_walk_finds_a_write_that_nobody_listed():
    """The check itself can fail: a route more is a route more."""
    app = create_app(samples.empty_world().service)
    app.post("/new")(lambda: None)

    assert writes(app) - set(TABLE) == {"POST /new"}
