"""What people decide themselves: hold, release, close, pause and resume, by API and by page, and what they are shown before."""

import pytest
from msgspec.structs import replace

from celeriac.core.changes import Change
from celeriac.core.incident import Deed, HeldReason, IncidentState, Word, WordState
from celeriac.core.limits import Policy
from celeriac.core.model import Mode
from celeriac.core.pauses import Pause
from celeriac.core.readings import Known
from web import samples

HELD = {"held_by": "ana", "held_why": "I look into it", "held_reason": HeldReason.HELD_BY_USER}


def problem(answer, status):
    assert answer.status_code == status, answer.text
    return answer.json()["detail"]


def change(world, **fields):
    world.journal.stories["inc-hung"] = replace(world.hung, **fields)


def judged_by(world, **policy):
    """Let the keeper's board tell what its guards judge by."""
    theirs = Change("c", "cloudfoundry", "orders-worker", samples.NOW - 60, "restarted the app", "bo")
    board = world.journal.boards["orders"]
    world.journal.boards["orders"] = replace(
        board, policy=Policy(mode=Mode.APPROVE, **policy), changes=Known((theirs,), samples.NOW)
    )


# By API --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deed", ["hold", "close"])
def test_a_word_is_stored_for_the_keeper_and_audited(asked, world, deed):
    answer = asked.post(f"/api/v1/incidents/inc-hung/{deed}", json={"reason": "  I look into it "})

    assert answer.status_code == 202
    made = answer.json()
    assert (made["kind"], made["state"], made["reason"]) == (deed, "requested", "I look into it")
    stored = world.requests.said[made["id"]]
    assert (stored.deed, stored.incident, stored.cluster) == (Deed(deed), "inc-hung", "orders")
    assert asked.get(f"/api/v1/orders/{made['id']}").json() == made
    (entry,) = world.audit.trail
    assert (entry.action, entry.target, entry.why) == (deed, "orders-worker/2", "I look into it")


def test_what_somebody_holds_is_released(asked, world):
    """A reason may be left out."""
    change(world, **HELD)

    assert asked.get("/api/v1/incidents/inc-hung").json()["held_by"] == "ana"
    assert asked.post("/api/v1/incidents/inc-hung/release").json()["kind"] == "release"


def test_how_an_order_ended_is_told(asked, world):
    world.requests.said["w"] = Word(
        "w",
        "orders",
        "inc-hung",
        Deed.HOLD,
        "ana",
        samples.NOW,
        "x",
        WordState.LAPSED,
        samples.NOW,
        "the incident is over",
    )

    told = asked.get("/api/v1/orders/w").json()
    assert (told["state"], told["note"]) == ("lapsed", "the incident is over")


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("incidents/inc-hung/hold", None, 422, "field required"),
        ("incidents/inc-hung/hold", {"reason": "  "}, 422, "reason: string should have at least 1 character"),
        ("incidents/inc-hung/hold", {"reason": "a\u0000b"}, 422, "reason: string should match"),
        ("incidents/inc-hung/hold", {"reason": "x" * 501}, 422, "at most 500"),
        ("incidents/inc-hung/hold", {"reason": "x", "by": "me"}, 422, "by: there is no such parameter"),
        ("incidents/inc-hung/release", {}, 409, "cannot be released: nobody holds it"),
        ("incidents/inc-past/close", {}, 409, "cannot be closed: the incident is over"),
        ("incidents/inc-crashed/hold", {"reason": "x"}, 409, "cannot be held: a restart is under way"),
        ("incidents/nope/hold", {"reason": "x"}, 404, "No incident 'nope'"),
        ("pause", {"reason": "x"}, 422, "for_s: field required"),
        ("pause", {"reason": "x", "for_s": 0}, 422, "for_s: input should be greater than 0"),
        ("pause", {"reason": "x", "for_s": 1e9}, 422, "for_s: input should be less than"),
        ("pause", {"reason": "x", "for_s": 60, "cluster": "nope"}, 404, "No cluster 'nope'"),
        ("resume", {}, 409, "Nothing is paused here; a file PAUSE is ended by removing it."),
        ("resume", {"cluster": "orders"}, 409, "orders is not paused here"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_sentence(asked, world, path, body, status, words):
    assert words in problem(asked.post(f"/api/v1/{path}", json=body), status)
    assert (world.requests.said, world.pauses.all, world.audit.trail) == ({}, {}, [])


def test_while_somebody_holds_it_nothing_is_approved_or_restarted(asked, world):
    """Whoever holds it is named, with the way on."""
    change(world, **HELD)

    for path in ("incidents/inc-hung/approve", "workers/orders-worker%2F2/restart"):
        assert problem(asked.post(f"/api/v1/{path}"), 409) == (
            "ana holds the incident of orders-worker/2 (I look into it): release it first."
        )
    assert asked.get("/api/v1/incidents/inc-hung").json()["approvable"] is False


def test_an_approval_is_bound_to_its_verdict_and_audited(asked, world):
    """Another verdict later is other evidence."""
    made = asked.post("/api/v1/incidents/inc-hung/approve").json()

    assert world.requests.asked[made["id"]].verdict == "hung"
    assert [(one.action, one.target) for one in world.audit.trail] == [("approve", "orders-worker/2")]


def test_a_pause_is_seen_everywhere_until_it_is_ended(asked, world):
    made = asked.post("/api/v1/pause", json={"reason": "we move", "for_s": 7200}).json()

    assert (made["cluster"], made["reason"], made["until"]) == (None, "we move", "2026-09-21T16:13:20Z")
    assert asked.get("/api/v1/pauses").json()["items"] == [made]
    told = {one["name"]: one["paused"] for one in asked.get("/api/v1/clusters").json()["items"]}
    assert set(told.values()) == {"we move (by someone on this machine, until 2026-09-21 16:13 UTC)"}

    assert asked.post("/api/v1/resume").json()["items"] == [made]
    assert asked.get("/api/v1/pauses").json()["items"] == []
    assert [(one.action, one.target) for one in world.audit.trail] == [
        ("pause", "all clusters"),
        ("resume", "all clusters"),
    ]


def test_a_pause_may_be_of_one_cluster(asked, world):
    """The other goes on; a pause of all is not ended for one."""
    asked.post("/api/v1/pause", json={"reason": "we move", "for_s": 60, "cluster": "orders"})
    told = {one["name"]: one["paused"] for one in asked.get("/api/v1/clusters").json()["items"]}
    assert (bool(told["orders"]), told["billing"]) == (True, None)
    assert asked.get("/api/v1/pauses?cluster=billing").json()["items"] == []

    world.pauses.begin(Pause("all", None, "x", "bo", samples.NOW, samples.NOW + 60))
    assert problem(asked.post("/api/v1/resume", json={"cluster": "billing"}), 409) == (
        "billing is paused together with all clusters: resume all of them."
    )
    assert len(asked.post("/api/v1/resume", json={"cluster": "orders"}).json()["items"]) == 1
    assert [one.id for one in world.pauses.standing(samples.NOW)] == ["all"]


def test_the_first_line_of_the_page_says_that_it_is_paused(asked, world):
    """When nothing is wrong: else what is wrong comes first."""
    world.journal.stories.clear()
    board = world.journal.boards["orders"]
    world.journal.boards = {
        name: replace(one, at=samples.NOW, blind=None, problems=()) for name, one in world.journal.boards.items()
    }
    assert board.paused is None
    asked.post("/api/v1/pause", json={"reason": "we move", "for_s": 60, "cluster": "orders"})

    headline = world.queries.headline()
    assert headline.tone == "attention"
    assert headline.text.endswith("workers well; orders paused")


def test_a_pause_ends_by_itself(asked, world):
    asked.post("/api/v1/pause", json={"reason": "we move", "for_s": 60})
    world.time += 61

    assert asked.get("/api/v1/pauses").json()["items"] == []
    assert {one["paused"] for one in asked.get("/api/v1/clusters").json()["items"]} == {None}


# What is shown before ------------------------------------------------------------------------------------------------

PASSED = [
    "mode: waits for a person's approval (mode approve)",
    "deploy: bo restarted the app 60 s ago",
    "maintenance: backup",
]


def test_what_an_order_passes_is_told_before_it_is_given(asked, world):
    """In the incident and in the worker, in full."""
    judged_by(world, maintenance="backup")

    assert asked.get("/api/v1/incidents/inc-hung").json()["passes"] == PASSED
    assert asked.get("/api/v1/workers/orders-worker%2F2").json()["passes"] == PASSED
    healthy = asked.get("/api/v1/workers/orders-worker%2F0").json()["passes"]
    assert healthy[1:3] == PASSED[1:]
    assert healthy[3].startswith("min_healthy: 1 of 6 would stay well, and at least 3 must")


def test_what_cannot_be_approved_passes_nothing(asked, world):
    """Nor does one whose keeper has not said what it judges by."""
    assert asked.get("/api/v1/incidents/inc-hung").json()["passes"] == []
    judged_by(world)
    assert asked.get("/api/v1/incidents/inc-crashed").json()["passes"] == []
    assert asked.get("/api/v1/incidents/inc-past").json()["passes"] == []


def test_the_page_asks_with_what_is_passed(asked, world):
    """In the question of the approval and in that of the restart."""
    judged_by(world, maintenance="backup")
    page = asked.get("/").text

    assert page.count("It passes what holds the keeper now: mode: waits for a person&#39;s approval") >= 2
    assert "maintenance: backup" in page


# By page -------------------------------------------------------------------------------------------------------------


def test_the_page_holds_and_closes(asked, world):
    page = asked.get("/").text
    assert 'hx-post="/incidents/inc-hung/hold"' in page
    assert 'hx-post="/incidents/inc-hung/close"' in page
    assert 'hx-post="/incidents/inc-crashed/hold"' not in page

    held = asked.post("/incidents/inc-hung/hold", data={"reason": "I look into it"})
    closed = asked.post("/incidents/inc-hung/close")
    assert (held.status_code, closed.status_code) == (202, 202)
    assert "The incident of orders-worker/2 will be held" in held.text
    assert [one.deed for one in world.requests.said.values()] == [Deed.HOLD, Deed.CLOSE]


def test_the_page_releases_what_is_held(asked, world):
    """With the name and the reason of who holds it."""
    change(world, **HELD)
    page = asked.get("/").text

    assert 'hx-post="/incidents/inc-hung/release"' in page
    assert "ana holds it: I look into it" in page
    assert 'hx-post="/incidents/inc-hung/approve"' not in page
    assert asked.post("/incidents/inc-hung/release").status_code == 202


def test_the_page_pauses_and_resumes(asked, world):
    assert 'hx-post="/pause"' in asked.get("/").text
    answer = asked.post("/pause", data={"reason": "we move", "hours": "1.5", "cluster": "orders"})
    assert answer.status_code == 202
    assert "Nothing is restarted there until 2026-09-21 15:43 UTC." in answer.text

    page = asked.get("/?cluster=orders").text
    assert "Paused: we move (by someone on this machine" in page
    assert 'hx-post="/resume"' in page
    assert 'hx-post="/pause"' not in page
    assert asked.post("/resume", data={"cluster": "orders"}).status_code == 202
    assert world.pauses.standing(samples.NOW) == ()


def test_a_reason_is_needed_on_the_page_too(asked, world):
    answer = asked.post("/incidents/inc-hung/hold", data={"reason": " "}, headers={"HX-Request": "true"})

    assert answer.status_code == 422
    assert "reason: string should have at least 1 character" in answer.text
    assert world.requests.said == {}


def test_a_reason_is_shown_as_text(asked, world):
    """Whatever somebody types."""
    change(world, held_by="ana", held_why="<script>x</script>", held_reason=HeldReason.HELD_BY_USER)

    assert "<script>x" not in asked.get("/").text


def test_a_critical_incident_says_so(asked, world):
    """It is of the whole cluster."""
    world.journal.stories["many"] = replace(
        world.hung,
        id="many",
        place=samples.Place("orders"),
        critical=True,
        state=IncidentState.ESCALATED,
        held_reason=None,
    )
    page = asked.get("/").text

    assert "the whole cluster" in page
    assert "critical" in page
    assert asked.get("/api/v1/incidents/many").json()["critical"] is True
