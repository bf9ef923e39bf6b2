"""The audit trail as people read it: pages, filters, exports, and who may."""

import csv
import io
import json

import pytest
from fastapi.testclient import TestClient
from msgspec.structs import replace

from celeriac.app.access import audit_queries
from celeriac.app.access.audit_queries import AuditQueries, place_of
from celeriac.app.access.signing_on import SigningOn
from celeriac.app.sources import Sources
from celeriac.core.access import EVERYTHING, Actor, Grant, Means, Role
from celeriac.core.audit import AuditEntry, AuditFilter, Outcome
from celeriac.core.errors import UnreachableError
from celeriac.web.api.audit import COLUMNS, cell
from celeriac.web.app import create_app
from web import samples

AT = samples.NOW
EVIL = "<script>alert(1)</script>"
ENTRY = AuditEntry(
    AT, "ana", "restart", "orders-worker/2", "restart_instance, guid x, order rem-1", "orders", Outcome.ORDERED,
    role="responder", address="10.1.2.3", token="session s-1", before="hung", after="intended", why="it hangs",
)  # fmt: skip


class Doorkeeper:
    """Lets one actor in."""

    def __init__(self, actor):
        self._actor = actor

    def actor(self, brought):
        return self._actor


def asking(world, *grants, name="vera", means=Means.PROVIDER):
    """Ask as somebody with these grants."""
    door = Doorkeeper(Actor("sub-1", grants, means, name, "10.9.9.9", "session s-9"))
    return TestClient(create_app(world.service, SigningOn(door)), base_url="http://127.0.0.1:5555")


@pytest.fixture
def trail(world):
    """Fill the trail with 120 rows of several kinds, the oldest first."""
    for number in range(120):
        outcome = (Outcome.ORDERED, Outcome.DONE, Outcome.DENIED, Outcome.FAILED)[number % 4]
        actor = ("ana", "bo", "the keeper")[number % 3]
        entry = replace(ENTRY, at=AT - 1000 + number, actor=actor, outcome=outcome, why=f"reason {number}")
        world.audit.note(entry)
    return world.audit


def whys(page):
    return [int(one["why"].split()[1]) for one in page["items"]]


# Pages ---------------------------------------------------------------------------------------------------------------


def test_a_row_tells_all(asked, world):
    world.audit.note(ENTRY)
    (row,) = asked.get("/api/v1/audit").json()["items"]

    assert row.pop("id")
    assert row == {
        "at": "2026-09-21T14:13:20Z",
        "actor": "ana",
        "role": "responder",
        "address": "10.1.2.3",
        "token": "session s-1",
        "action": "restart",
        "target": "orders-worker/2",
        "cluster": "orders",
        "outcome": "ordered",
        "before": "hung",
        "after": "intended",
        "why": "it hangs",
        "detail": "restart_instance, guid x, order rem-1",
    }


@pytest.mark.usefixtures("trail")
def test_pages_lead_to_all_rows_and_back(asked):
    """Older to the end, then newer to the beginning; rows that come meanwhile move nothing."""
    pages = [asked.get("/api/v1/audit?limit=50").json()]
    while pages[-1]["next"]:
        pages.append(asked.get("/api/v1/audit", params={"limit": 50, "cursor": pages[-1]["next"]}).json())

    assert [len(one["items"]) for one in pages] == [50, 50, 20]
    assert [number for page in pages for number in whys(page)] == list(range(119, -1, -1))
    assert pages[0]["previous"] is None

    back = asked.get("/api/v1/audit", params={"limit": 50, "cursor": pages[2]["previous"]}).json()
    assert back["items"] == pages[1]["items"]
    first = asked.get("/api/v1/audit", params={"limit": 50, "cursor": back["previous"]}).json()
    assert first["items"] == pages[0]["items"]
    assert first["previous"] is None
    beyond = asked.get("/api/v1/audit", params={"limit": 50, "cursor": pages[1]["previous"]}).json()
    assert beyond["items"] == pages[0]["items"]


@pytest.mark.usefixtures("trail")
def test_beyond_the_last_row_there_is_a_way_back(asked):
    page = asked.get("/api/v1/audit?limit=20").json()
    for _ in range(5):
        page = asked.get("/api/v1/audit", params={"limit": 20, "cursor": page["next"]}).json()
    assert page["next"] is None
    gone = asked.get("/api/v1/audit", params={"actor": "nobody", "cursor": page["previous"]}).json()

    assert gone["items"] == []
    assert asked.get("/api/v1/audit", params={"limit": 20, "cursor": gone["next"]}).json()["items"] == page["items"]


@pytest.mark.usefixtures("trail")
@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ({"actor": "the keeper"}, [119, 116, 113]),
        ({"outcome": "denied"}, [118, 114, 110]),
        ({"actor": "ana", "outcome": "failed"}, [111, 99, 87]),
        ({"text": "REASON 11"}, [119, 118, 117]),
        ({"until": AT - 1000 + 3}, [2, 1, 0]),
        ({"since": AT - 1000 + 118}, [119, 118]),
        ({"cluster": "billing"}, []),
        ({"action": "rest"}, []),
        ({"target": "orders-worker/2", "action": "restart", "cluster": "orders"}, [119, 118, 117]),
    ],
)
def test_filters_must_all_hold(asked, which, expected):
    assert whys(asked.get("/api/v1/audit", params={"limit": 3, **which}).json()) == expected


@pytest.mark.parametrize(
    "query",
    ["cursor=x", "cursor=b2xkZXIAeA", "limit=0", "limit=501", "outcome=good", "actr=ana", "since=x", "since=9&until=8"],
)
def test_what_cannot_be_meant_is_refused(asked, query):
    assert asked.get(f"/api/v1/audit?{query}").status_code == 422


@pytest.mark.parametrize("cursor", ["", "x", "b2xkZXI", "YQBi", "b2xkZXIA4pGg", "b2xkZXIAMTIzNDU2Nzg5MDEyMzQ1Njc4OTA"])
def test_only_our_cursors_are_taken(cursor):
    with pytest.raises(ValueError, match="no cursor of the audit trail"):
        place_of(cursor)


# Who may -------------------------------------------------------------------------------------------------------------

NOT_ADMINS = {
    "viewer": (Grant(Role.VIEWER),),
    "responder": (Grant(Role.RESPONDER, payloads=True),),
    "admin of another cluster": (Grant(Role.ADMIN, ("billing",)),),
    "admin of an app": (Grant(Role.ADMIN, ("orders",), ("orders-worker",)),),
}


@pytest.mark.parametrize("path", ["/api/v1/audit", "/api/v1/audit/export", "/audit"])
@pytest.mark.parametrize("who", NOT_ADMINS)
def test_who_does_not_administer_reads_no_row_and_is_in_the_trail(world, path, who):
    """Not their own either: names are not theirs alone."""
    world.audit.note(replace(ENTRY, actor="vera"))
    answer = asking(world, *NOT_ADMINS[who]).get(path, params={"cluster": "orders", "actor": "vera"})

    assert answer.status_code == 403
    assert "it hangs" not in answer.text
    denied = world.audit.trail[-1]
    assert (denied.actor, denied.action, denied.outcome) == ("vera (sub-1)", "read the audit trail", Outcome.DENIED)


def test_a_clusters_administrator_reads_the_rows_of_that_cluster(world):
    world.audit.note(ENTRY)
    world.audit.note(replace(ENTRY, cluster="billing"))
    world.audit.note(replace(ENTRY, cluster=None))
    client = asking(world, Grant(Role.ADMIN, ("orders",)))

    assert [one["cluster"] for one in client.get("/api/v1/audit?cluster=orders").json()["items"]] == ["orders"]
    assert client.get("/api/v1/audit").status_code == 403
    assert client.get("/api/v1/audit?cluster=billing").status_code == 403


def test_what_somebody_wrote_for_a_cluster_is_no_cluster_of_a_row(world):
    """A program of a cluster that is no longer there is for the administrators of everything; the text goes nowhere."""
    world.audit.note(replace(ENTRY, cluster="gone"))

    assert asking(world, Grant(Role.ADMIN, ("gone",))).get("/api/v1/audit?cluster=gone").status_code == 403
    assert world.audit.trail[-1].cluster is None
    assert len(asking(world, *EVERYTHING).get("/api/v1/audit?cluster=gone").json()["items"]) == 1
    asking(world, *EVERYTHING).get("/api/v1/audit/export?cluster=gone")
    assert world.audit.trail[-1].cluster is None


def test_the_link_is_for_those_who_may(world):
    assert 'href="/audit"' in asking(world, *EVERYTHING).get("/").text
    assert 'href="/audit"' not in asking(world, Grant(Role.RESPONDER)).get("/").text


# Exports -------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("trail")
def test_an_export_in_json_is_a_line_a_row_and_a_row_itself(asked, world):
    answer = asked.get("/api/v1/audit/export?format=json&actor=bo")
    rows = [json.loads(line) for line in answer.text.splitlines()]

    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["content-disposition"] == "attachment; filename=celeriac-audit.ndjson"
    assert whys({"items": rows}) == list(range(118, 0, -3))
    assert tuple(rows[0]) == COLUMNS
    last = world.audit.trail[-1]
    assert (last.action, last.target, last.detail) == ("export audit trail", "the audit trail", "json, actor bo")
    assert (last.actor, last.address) == ("someone on this machine", "testclient")


@pytest.mark.usefixtures("trail")
def test_an_export_in_csv_has_a_heading_and_all_rows(asked):
    answer = asked.get("/api/v1/audit/export?until=2026-09-21T14:13:19Z")
    heading, *rows = csv.reader(io.StringIO(answer.text))

    assert tuple(heading) == COLUMNS
    assert len(rows) == 120
    assert rows[0][0] == "2026-09-21T13:58:39+00:00"
    assert answer.headers["content-type"].startswith("text/csv")


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_is_a_formula(asked, world, begin):
    world.audit.note(replace(ENTRY, why=f"{begin}cmd|'/C calc'!A0", target=f"{begin}1"))
    export = asked.get("/api/v1/audit/export?actor=ana").text
    (_, row) = csv.reader(io.StringIO(export, newline=""))

    assert row[COLUMNS.index("why")] == f"'{begin}cmd|'/C calc'!A0"
    assert row[COLUMNS.index("target")] == f"'{begin}1"
    assert cell("a=b") == "a=b"
    assert cell(None) == ""


class Counted:
    """A trail of a million rows and more, which counts how many are held at a time."""

    def __init__(self):
        self.asked = []

    def note(self, entry):
        """Keep nothing."""

    def entries(self, which):
        self.asked.append(which.limit)
        newest = which.below or 10_000_000
        return [replace(ENTRY, id=newest - number) for number in range(1, which.limit + 1)]


def test_an_export_holds_few_rows_at_a_time_and_ends(monkeypatch):
    monkeypatch.setattr(audit_queries, "MOST_EXPORTED", 1_750)
    audit = Counted()
    pieces = AuditQueries(audit, samples.reader(), Sources([])).export(AuditFilter(1), "csv")

    assert audit.asked == [500]
    assert [len(one) for one in pieces] == [500, 500, 500, 250]
    assert audit.asked == [500, 500, 500, 250]
    assert audit_queries.MOST_EXPORTED == 1_750


def test_an_export_that_cannot_be_read_says_so_before_it_begins(asked, world, monkeypatch):
    def failing(which):
        message = "the store is gone"
        raise UnreachableError(message)

    monkeypatch.setattr(world.audit, "entries", failing)

    assert asked.get("/api/v1/audit/export").status_code == 503


# The page ------------------------------------------------------------------------------------------------------------


def test_the_page_tells_all_of_a_row_without_scripts(asked, world):
    world.audit.note(replace(ENTRY, outcome=Outcome.DENIED))
    page = asked.get("/audit").text

    for text in (
        "2026-09-21 14:13:20",
        "ana",
        "responder",
        "restart",
        "orders-worker/2",
        "hung",
        "intended",
        "it hangs",
    ):
        assert text in page
    assert "from 10.1.2.3, by session s-1" in page
    assert 'class="denied tone-bad"' in page
    assert '<use href="#i-stop"/></svg>denied' in page
    assert "<script" in page
    assert 'src="/static/theme.js"' in page
    assert page.count("<script") == 1


@pytest.mark.usefixtures("trail")
def test_the_filters_are_in_the_address_and_stay_in_the_links(asked):
    page = asked.get("/audit?actor=bo&since=2026-09-21T13:00&limit=10&outcome=").text

    assert '<input name="actor" type="text" value="bo"' in page
    assert 'value="2026-09-21T13:00:00"' in page
    assert page.count("<tr id=") == 10
    assert 'rel="next" href="?actor=bo&amp;since=2026-09-21T13%3A00%3A00&amp;cursor=' in page
    assert "/api/v1/audit/export?format=csv&amp;actor=bo&amp;since=2026-09-21T13%3A00%3A00Z" in page
    export = page.partition("/export?")[2].partition('"')[0].replace("&amp;", "&")
    assert asked.get(f"/api/v1/audit/export?{export}").text.count("\n") == 41


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("", "pause a cluster on the"),
        ("?actor=nobody", "No row fits."),
        ("?since=yesterday", "Since: is not a time"),
        ("?cursor=x", "Cursor: is no cursor of the audit trail"),
        ("?actr=x", "Mend the filter above"),
    ],
)
def test_an_empty_page_says_what_to_do(asked, query, text):
    answer = asked.get(f"/audit{query}")

    assert text in answer.text
    assert answer.status_code == (422 if "Mend" in answer.text else 200)


def test_what_a_row_holds_does_nothing_to_the_page(asked, world):
    evil = dict.fromkeys(("actor", "target", "detail", "why", "before", "after", "address", "token", "action"), EVIL)
    world.audit.note(replace(ENTRY, **evil))

    assert EVIL not in asked.get("/audit").text
    assert EVIL not in asked.get("/audit", params={"actor": EVIL, "since": EVIL}).text
