"""What the settings make of sign-on: the command line and API tokens over the real store and a real users file."""

import re

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from celeriac.access_ports import PasswordUser
from celeriac.adapters.passwords import Argon2Passwords
from celeriac.adapters.users_file import changing
from celeriac.app.access.acting import Register
from celeriac.app.access.command_line import challenge_of
from celeriac.bootstrap.access import Kept, signing_on
from celeriac.bootstrap.auditing import audit
from celeriac.bootstrap.storing import open_store
from celeriac.core.access import Grant, Role
from celeriac.settings import AccessSettings, AuditSettings, ClusterSettings, Settings
from celeriac.web.app import create_app
from web import samples

PASSWORD = "correct horse battery"
VERIFIER, STATE = "v" * 43, "s" * 43
OWN = {"sec-fetch-site": "same-origin"}


@pytest.fixture
def client(tmp_path):
    """Return a function that gives a stranger to a console with a users file."""
    file = tmp_path / "users.toml"
    with changing(file) as users:
        users.append(PasswordUser("ursula", Argon2Passwords().hash(PASSWORD), Grant(Role.ADMIN)))
    settings = Settings(
        store=tmp_path / "store",
        cluster=(ClusterSettings(name="orders", broker=SecretStr("redis://none")),),
        access=AccessSettings(sign_on="users", users=file),
        audit=AuditSettings(lines="none"),
    )
    world = samples.night_world()
    with open_store(settings).opened() as store:
        store.migrate()
        register = Register(audit(settings, store), lambda: world.time)
        app = create_app(world.service, signing_on(settings, Kept(store, register, lambda: world.time)))
        yield lambda: TestClient(app, base_url="http://127.0.0.1:5555", follow_redirects=False)


def test_a_command_line_signs_on_and_makes_a_token_that_works_until_it_is_revoked(client):
    browser, command, program = client(), client(), client()
    typed = {"name": "ursula", "password": PASSWORD}
    assert browser.post("/login", data=typed, headers=OWN).status_code == 303
    asked = {"port": "45000", "challenge": challenge_of(VERIFIER), "state": STATE, "host": "laptop", "allow": "yes"}
    back = browser.post("/login/command-line", data=asked, headers=OWN).headers["location"]
    code = re.findall(r"code=([\w-]+)", back)[0]

    opened = command.post("/api/v1/sessions", json={"code": code, "verifier": VERIFIER})
    again = command.post("/api/v1/sessions", json={"code": code, "verifier": VERIFIER})

    assert (opened.status_code, again.status_code) == (201, 400)
    command.headers["Authorization"] = f"Bearer {opened.json()['token']}"
    assert command.get("/api/v1/whoami").json()["grants"] == ["admin in all clusters"]
    assert {one["kind"] for one in command.get("/api/v1/sessions").json()["items"]} == {"browser", "command line"}
    made = command.post("/api/v1/tokens", json={"name": "report", "role": "viewer"}).json()
    program.headers["Authorization"] = f"Bearer {made['secret']}"
    assert program.get("/api/v1/whoami").json()["name"] == "report (API token of ursula)"
    assert program.get("/api/v1/workers").status_code == 200
    assert command.get("/api/v1/tokens").json()["items"][0]["used_at"] is not None
    assert command.delete(f"/api/v1/tokens/{made['token']['id']}").json()["state"] == "revoked"
    assert program.get("/api/v1/whoami").status_code == 401
    assert command.delete("/api/v1/session").status_code == 204
    assert command.get("/api/v1/whoami").status_code == 401


def test_without_a_provider_no_token_of_one_is_taken(client):
    stranger = client()
    stranger.headers["Authorization"] = "Bearer eyJ.made-up"

    assert stranger.get("/api/v1/whoami").status_code == 401
    assert "are not taken" in stranger.get("/api/v1/whoami").json()["detail"]
