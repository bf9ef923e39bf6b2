"""A break-glass sign-on is on the first page until an administrator has seen it."""

import pytest
from msgspec.structs import replace

from celeriac.access_ports import BreakGlassUse
from celeriac.adapters.sql import SqlStore
from celeriac.core.access import EVERYTHING, Grant, Means, Role
from celeriac.core.audit import Outcome
from web import samples
from web.test_audit import asking

USE = BreakGlassUse("use-1", samples.NOW - 60, "emergency", "10.1.2.3")
SEEN = "/api/v1/access/break-glass/use-1/seen"
VIEWER = (Grant(Role.VIEWER, ("billing",)),)


@pytest.fixture
def used(world):
    world.break_glass.used(USE)
    return world


def test_everybody_sees_it_on_the_first_page_and_in_the_api(used):
    client = asking(used, *VIEWER)
    page = client.get("/").text

    assert "Break-glass sign-on by emergency" in page
    assert "from 10.1.2.3" in page
    assert "2026-09-21 14:12:20 UTC" in page
    assert '<use href="#i-alert"/></svg>break-glass' in page
    assert "/break-glass/use-1/seen" not in page
    (one,) = client.get("/api/v1/access/break-glass").json()["items"]
    assert one == {
        "id": "use-1",
        "at": "2026-09-21T14:12:20Z",
        "name": "emergency",
        "address": "10.1.2.3",
        "seen_at": None,
        "seen_by": "",
    }


def test_the_headline_tells_it_when_nothing_is_worse(used):
    used.break_glass.used(replace(USE, id="use-0", at=USE.at - 100, name="older"))
    assert "hung" in used.queries.headline().text

    for id in ("inc-hung", "inc-crashed"):
        del used.journal.stories[id]
    used.histories["orders"].heard = used.histories["billing"].heard
    told = used.queries.headline()

    assert (told.tone, told.text) == ("attention", "Break-glass sign-on by emergency from 10.1.2.3")
    assert told.since.timestamp() == USE.at


@pytest.mark.parametrize("path", [SEEN, "/break-glass/use-1/seen"])
def test_an_administrator_marks_it_as_seen(used, path):
    client = asking(used, *EVERYTHING, name="ada")
    assert 'hx-post="/break-glass/use-1/seen"' in client.get("/").text

    answer = client.post(path)

    assert answer.status_code in {200, 202}
    assert used.break_glass.kept[0].seen_by == "ada"
    assert "Break-glass sign-on by" not in client.get("/").text
    (entry,) = used.audit.trail
    assert (entry.actor, entry.action, entry.target) == ("ada (sub-1)", "see break-glass sign-on", "emergency")
    assert client.post(path).status_code == 409
    assert client.get("/api/v1/access/break-glass").json()["items"][0]["seen_by"] == "ada"


@pytest.mark.parametrize(
    ("grants", "name", "means"),
    [
        ((Grant(Role.RESPONDER),), "vera", Means.PROVIDER),
        ((Grant(Role.ADMIN, ("orders",)),), "vera", Means.PROVIDER),
        (EVERYTHING, "emergency", Means.BREAK_GLASS),
    ],
)
def test_nobody_else_and_not_the_account_itself(used, grants, name, means):
    client = asking(used, *grants, name=name, means=means)

    assert client.post(SEEN).status_code == 403
    assert used.break_glass.kept[0].seen_at is None
    assert used.audit.trail[-1].outcome is Outcome.DENIED
    assert "/break-glass/use-1/seen" not in client.get("/").text


def test_a_token_that_the_account_made_for_itself_is_no_other_administrator(used):
    """It comes by a token, and is still the same account."""
    used.break_glass.kept[0] = replace(USE, name="sub-1")
    client = asking(used, *EVERYTHING, name="", means=Means.API_TOKEN)

    assert client.post(SEEN).status_code == 403


def test_what_is_not_there_is_not_seen(used):
    assert asking(used, *EVERYTHING).post(SEEN.replace("use-1", "nope")).status_code == 404


def test_nothing_stands_on_the_page_without_a_use(asked):
    assert "Break-glass sign-on by" not in asked.get("/").text


def test_pages_are_told_of_it(tmp_path):
    """The stream of changes asks for the version of the store, and a use changes that."""
    store = SqlStore(tmp_path, ("orders",))
    store.migrate()
    with store.opened():
        before = store.journal().version()
        assert store.journal().version() == before
        store.break_glass().used(USE)
        used = store.journal().version()
        assert used != before
        store.break_glass().seen("use-1", samples.NOW, "ada")
        assert store.journal().version() != used
