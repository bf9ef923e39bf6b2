"""What a person's own browser cannot be lured into, and what no data can do to a page."""

import re

import msgspec
import pytest
from fastapi.testclient import TestClient

from celeriac.core.readings import Evidence
from celeriac.settings import ConsoleSettings
from celeriac.web.app import STATIC, create_app
from web import samples

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}"
RESTART = "/api/v1/workers/orders-worker/0/restart"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/fragments",
        "/nope",
        "/api/docs",
        "/api/openapi.json",
        "/api/v1/workers",
        "/static/console.css",
        "/healthz",
    ],
)
def test_every_answer_carries_the_security_headers(asked, path):
    headers = asked.get(path).headers

    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == ("no-cache" if path.startswith("/static") else "no-store")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:5555", "127.0.0.1:5555", "127.9.9.9", "[::1]:5555", "ops.example"]
)
def test_own_names_are_answered(world, host):
    asked = TestClient(create_app(world.service, console=ConsoleSettings(allowed_hosts=["Ops.example"])))

    assert asked.get("/api/v1/clusters", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:5555", "10.0.0.1", "", "[::2]"]
)
def test_a_foreign_name_is_refused(asked, host):
    answer = asked.get("/api/v1/workers", headers={"host": host})

    assert answer.status_code == 403
    assert "does not answer to the name" in answer.json()["detail"]
    assert asked.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},  # a program
        {"sec-fetch-site": "same-origin", "origin": "http://127.0.0.1:5555"},
        {"sec-fetch-site": "none"},
        {"origin": "http://127.0.0.1:5555"},
    ],
)
def test_own_orders_are_taken(asked, world, headers):
    assert asked.post(RESTART, headers=headers).status_code == 202
    assert len(world.requests.asked) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
        {"sec-fetch-site": "same-site", "origin": "http://127.0.0.1:8000"},
        {"origin": "http://127.0.0.1:8000"},
        {"origin": "null"},
    ],
)
@pytest.mark.parametrize("path", [RESTART, "/incidents/inc-hung/approve"])
def test_orders_from_a_foreign_page_are_refused(asked, world, headers, path):
    answer = asked.post(path, headers=headers)

    assert answer.status_code == 403
    assert world.requests.asked == {}


def test_nothing_that_workers_say_becomes_markup(asked, world):
    one = samples.task(3)
    one.args, one.kwargs, one.exception, one.traceback, one.name, one.worker = [EVIL] * 6
    one.result, one.queue, one.state, one.uuid = EVIL, EVIL, EVIL, "evil"
    world.histories["orders"].rows = {"evil": one}
    board = world.journal.boards["orders"]
    life = msgspec.structs.replace(samples.life(0), node=EVIL)
    bare = msgspec.structs.replace(samples.place(0), app=None, node=EVIL)
    odd = msgspec.structs.replace(
        board.findings[0],
        place=bare,
        notes=(EVIL,),
        site=msgspec.structs.replace(board.findings[0].site, place=bare, incarnation=life),
    )
    world.journal.boards["orders"] = msgspec.structs.replace(board, findings=(odd,), sentence=EVIL, paused=EVIL)
    world.journal.stories["inc-hung"] = msgspec.structs.replace(
        world.hung, place=bare, evidence=(Evidence(EVIL, EVIL, samples.NOW, EVIL),)
    )

    for path in ("/", "/fragments"):
        text = asked.get(path).text
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "&lt;script&gt;alert(1)" in text
        assert "{{7*7}}" in text


def test_a_path_that_is_markup_is_shown_as_text(asked):
    page = asked.get("/%3Cscript%3Ealert(1)%3C/script%3E")

    assert page.status_code == 404
    assert "<script>alert" not in page.text


def test_a_page_loads_nothing_from_elsewhere(asked):
    page = asked.get("/").text
    addresses = re.findall(r"""(?:src|href|action|hx-[a-z:]+)=["'](//|https?:)""", page)

    assert addresses == []
    for path in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
        assert asked.get(path).status_code == 200, path


def test_scripts_load_only_their_own_modules():
    for script in STATIC.glob("*.js"):
        assert all(name.startswith("./") for name in re.findall(r'from "([^"]+)"', script.read_text())), script


def test_styles_load_nothing():
    for style in STATIC.glob("*.css"):
        assert re.findall(r"url\(|@import", style.read_text()) == [], style


def test_folders_and_files_outside_are_not_served(asked):
    assert asked.get("/static/").status_code == 404
    assert asked.get("/static/../app.py").status_code == 404
    assert asked.get("/static/%2e%2e/app.py").status_code == 404
