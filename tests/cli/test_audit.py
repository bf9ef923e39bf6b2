"""`celeriac audit`: a table, JSON, an export, and what it says when there is nothing or it may not."""

import json

import pytest
from msgspec.structs import replace

from celeriac.core.audit import AuditEntry, Outcome
from cli.outcome import said
from web import samples

ENTRY = AuditEntry(
    samples.NOW,
    "ana",
    "restart",
    "orders-worker/2",
    "restart_instance",
    "orders",
    Outcome.ORDERED,
    why="it \x1b[31mhangs",
)


@pytest.fixture
def trail(world):
    for number in range(30):
        world.audit.note(replace(ENTRY, at=samples.NOW - 30 + number, actor="ana" if number % 2 else "the keeper"))


@pytest.mark.usefixtures("trail")
def test_a_table_and_the_way_to_older_rows(celeriac):
    told = celeriac("audit", "--limit", "3", "--actor", "ana")
    heading, *rows = said(told).splitlines()

    assert heading.split() == ["TIME", "OUTCOME", "ACTOR", "ACTION", "TARGET", "CLUSTER", "WHY", "OR", "WHAT"]
    assert len(rows) == 3
    assert rows[0].split()[2:] == ["ordered", "ana", "restart", "orders-worker/2", "orders", "it", r"\x1b[31mhangs"]
    cursor = told.stderr.split()[-1]
    older = said(celeriac("audit", "--limit", "3", "--actor", "ana", "--older", cursor)).splitlines()
    assert len(older) == 4
    assert older[1] not in rows


@pytest.mark.usefixtures("trail")
def test_json_and_csv(celeriac, world):
    page = json.loads(said(celeriac("audit", "--json", "--limit", "2", "--outcome", "ordered", "--cluster", "orders")))
    assert [one["actor"] for one in page["items"]] == ["ana", "the keeper"]
    assert page["next"]

    lines = said(celeriac("audit", "--csv", "--actor", "ana", "--limit", "1")).splitlines()
    assert lines[0].startswith("at,actor,role,address,token,action,target,cluster,outcome")
    assert len(lines) == 16
    assert world.audit.trail[-1].action == "export audit trail"


def test_nothing_is_told_in_a_sentence(celeriac):
    assert said(celeriac("audit")) == "Nothing is in the audit trail yet.\n"
    assert said(celeriac("audit", "--text", "x")) == "No row fits.\n"


def test_what_is_refused_is_told_in_a_sentence(celeriac):
    refused = celeriac("audit", "--older", "x")

    assert refused.exit_code == 1
    assert "is no cursor of the audit trail" in refused.stderr
    assert celeriac("audit", "--csv", "--since", "2h", "--until", "3h").exit_code == 1
