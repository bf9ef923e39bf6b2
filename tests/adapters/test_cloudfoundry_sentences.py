"""Six things that go wrong with an account, as the how-to page tells them: one clear sentence each, word for word."""

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import harness
from celeriac.adapters.cloudfoundry import CloudFoundry, Credentials
from celeriac.core.errors import PortError
from celeriac.core.model import App
from celeriac.emulator import (
    AppConfig,
    ClientConfig,
    Emulator,
    EmulatorConfig,
    ProcessConfig,
    Role,
    RolesConfig,
    UserConfig,
)

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "cloudfoundry.md"
USER = Credentials("platform.cf", username="celeriac", password="right")
CLIENT = Credentials("platform.cf", client_id="celeriac", client_secret="expired")


def told() -> dict[str, str]:
    """Return the page's table."""
    _, _, part = PAGE.read_text().partition("| what is wrong | what Celeriac says |\n|---|---|\n")
    return dict(re.findall(r"^\| (.*?) \| (.*) \|$", part, re.MULTILINE))


def pattern(sentence: str) -> str:
    return "^" + ".+".join(re.escape(one) for one in sentence.split("…")) + "$"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A foundation on which celeriac may only look."""
    auditor = RolesConfig(Role.AUDITOR)
    config = EmulatorConfig(
        apps=(AppConfig("orders-worker", (ProcessConfig("exec sleep 1000"),)),),
        org="shop",
        space="production",
        users=(UserConfig("celeriac", "right", roles=auditor),),
        clients=(ClientConfig("celeriac", "renewed"),),
        grace_seconds=1.0,
    )
    with Emulator(config) as one:
        yield one


@pytest.fixture
def space(emulator, connect):
    """Return a space of the foundation by its name, as this account sees it."""

    def of(name: str = "production", who: Credentials = USER) -> CloudFoundry:
        session = connect(emulator.url, who)
        return CloudFoundry("cf", session, org="shop", space=name, selectors=["orders-worker"])

    return of


@contextmanager
def says(what: str) -> Iterator[None]:
    """Expect the sentence of the page."""
    with pytest.raises(PortError, match=pattern(told()[what])):
        yield


def test_the_page_tells_of_six() -> None:
    assert list(told()) == [
        "wrong password",
        "expired secret",
        "missing role",
        "unknown space",
        "certificate error",
        "404",
    ]


def test_a_wrong_password(space) -> None:
    with says("wrong password"):
        space(who=Credentials("platform.cf", username="celeriac", password="wrong")).apps()


def test_an_expired_secret(space) -> None:
    with says("expired secret"):
        space(who=CLIENT).apps()


def test_a_missing_role(space) -> None:
    """The account may look, and may not restart: neither an instance nor the app."""
    production = space()
    (app,) = production.apps()
    with says("missing role"):
        production.restart_instance(app.instances[0])
    with says("missing role"):
        production.orders.restart_app(app)


def test_an_unknown_space(space) -> None:
    with says("unknown space"):
        space("produktion").apps()


def test_an_app_that_is_gone(space) -> None:
    with says("404"):
        space().orders.restart_app(App("cf", "no-such-guid", "orders-worker", "STARTED"))


def test_a_certificate_that_is_not_trusted(foundation, connect, tmp_path) -> None:
    harness.certify(tmp_path / "cert.pem", tmp_path / "key.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    foundation._server.socket = context.wrap_socket(foundation._server.socket, server_side=True)

    with says("certificate error"):
        connect(foundation.url.replace("http://127.0.0.1", "https://localhost"), USER).log_in()
