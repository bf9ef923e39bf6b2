"""The API: every route, the shapes of its problems, and orders that are stored."""

import msgspec
import pytest
from msgspec.structs import replace

from celeriac.app.access.door import ANYBODY
from celeriac.core.errors import RefusedError, UnreachableError
from celeriac.core.incident import HeldReason, RemedyKind, RemedyState
from celeriac.ports import AuditFilter
from web import samples


def items(answer):
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"items", "next"}
    return answer.json()["items"]


def problem(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()) == {"type", "title", "status", "detail", "instance"}
    assert answer.json()["status"] == status
    return answer.json()["detail"]


def test_clusters_tell_mode_and_verdicts(asked):
    orders, billing = items(asked.get("/api/v1/clusters"))

    assert (orders["id"], orders["mode"], orders["broker"], orders["open_incidents"]) == (
        "orders",
        "approve",
        "redis",
        2,
    )
    assert orders["verdicts"]["hung"] == 1
    assert billing["broker"] == "rabbitmq"
    assert asked.get("/api/v1/clusters/orders").json() == orders


def test_workers_of_one_cluster(asked):
    assert [one["name"] for one in items(asked.get("/api/v1/workers?cluster=billing"))] == ["celery@billing-1"]
    assert len(items(asked.get("/api/v1/workers"))) == 7


@pytest.mark.parametrize("by", ["id", "name", "node"])
def test_a_worker_by_id_name_or_node(asked, by):
    hung = next(one for one in items(asked.get("/api/v1/workers")) if one["verdict"] == "hung")

    found = asked.get(f"/api/v1/workers/{hung[by]}").json()

    assert found == hung
    assert found["instance"]["guid"] == samples.GUID.format(2)
    assert found["incident"] == "inc-hung"
    assert found["last_heartbeat_at"].endswith("Z")


def test_an_ambiguous_name_is_answered_with_the_list(asked, world):
    board = world.journal.boards["orders"]
    twin = msgspec.structs.replace(board.findings[0], place=samples.place(0, cluster="billing"))
    billing = world.journal.boards["billing"]
    world.journal.boards["billing"] = msgspec.structs.replace(billing, findings=(*billing.findings, twin))

    said = problem(asked.get("/api/v1/workers/orders-worker/0"), 409)

    assert "orders-worker/0 in orders" in said
    assert twin.place.id in said
    assert asked.get("/api/v1/workers/orders-worker/0?cluster=billing").json()["id"] == twin.place.id


def test_incidents_with_evidence_and_story(asked):
    every = items(asked.get("/api/v1/incidents"))
    still_open = items(asked.get("/api/v1/incidents?open=true"))

    assert [one["id"] for one in every] == ["inc-crashed", "inc-hung", "inc-past"]
    assert [one["id"] for one in still_open] == ["inc-crashed", "inc-hung"]
    assert items(asked.get("/api/v1/incidents?cluster=billing")) == []
    hung = asked.get("/api/v1/incidents/inc-hung").json()
    assert hung["evidence"][2]["rules_out"] == "a long task that still fetches"
    assert [step["kind"] for step in hung["steps"]] == ["opened", "decided", "held"]
    assert hung["approvable"]


def test_apps_with_both_states(asked):
    (app,) = items(asked.get("/api/v1/apps"))

    assert [(one["state"], one["verdict"]) for one in app["instances"]][2] == ("RUNNING", "hung")


def test_a_restart_is_stored_as_a_request(asked, world):
    answer = asked.post("/api/v1/workers/orders-worker/0/restart")

    assert answer.status_code == 202
    stored = world.requests.asked[answer.json()["id"]]
    assert (stored.state, stored.actor, stored.guid) == (RemedyState.REQUESTED, ANYBODY.called, samples.GUID.format(0))
    assert asked.get(f"/api/v1/remedies/{stored.id}").json() == answer.json()


def test_a_recycling_is_stored_as_a_request(asked, world):
    answer = asked.post("/api/v1/workers/orders-worker/0/recycle")

    assert answer.status_code == 202
    stored = world.requests.asked[answer.json()["id"]]
    assert (stored.kind, stored.guid, stored.incident) == (RemedyKind.RECYCLE, samples.GUID.format(0), None)
    assert world.audit.entries(AuditFilter(9, action="recycle"))[0].target == "orders-worker/0"


def test_the_restart_of_an_app_is_stored_as_a_request(asked, world):
    answer = asked.post("/api/v1/apps/orders-worker/restart", params={"cluster": "orders"})

    assert answer.status_code == 202
    stored = world.requests.asked[answer.json()["id"]]
    assert (stored.kind, stored.place.name, stored.guid) == (RemedyKind.RESTART_APP, "orders-worker", None)
    assert world.audit.entries(AuditFilter(9, action="restart-app"))[0].target == "orders-worker"


def test_the_approval_of_a_proposed_restart_of_an_app_is_bound_to_its_incident(asked, world):
    world.journal.stories["inc-app"] = samples.proposed_restart()
    shown = asked.get("/api/v1/incidents/inc-app").json()
    assert (shown["approvable"], shown["remedy"], shown["worker_name"]) == (True, "restart_app", "orders-worker")
    assert shown["turns"][0] == "orders-worker/1"
    assert len(shown["turns"]) == 6

    answer = asked.post("/api/v1/incidents/inc-app/approve")

    assert answer.status_code == 202
    stored = world.requests.asked[answer.json()["id"]]
    assert (stored.kind, stored.incident, stored.state) == (RemedyKind.RESTART_APP, "inc-app", RemedyState.REQUESTED)
    assert (stored.place, stored.guid) == (samples.proposed_restart().place, None)
    assert world.audit.entries(AuditFilter(9, action="approve"))[0].target == "orders-worker"


def test_an_app_whose_incident_somebody_holds_is_not_restarted(asked, world):
    held = replace(samples.proposed_restart(), held_by="bo", held_why="I look", held_reason=HeldReason.HELD_BY_USER)
    world.journal.stories["inc-app"] = held

    assert "bo holds the incident of orders-worker (I look)" in problem(
        asked.post("/api/v1/apps/orders-worker/restart", params={"cluster": "orders"}), 409
    )
    assert world.requests.asked == {}


def test_an_app_tells_whose_turn_comes_when(asked, world):
    """The ill one first, of those that a restart would mend."""
    board = world.journal.boards["orders"]
    ill = tuple(
        replace(one, remedy=RemedyKind.RESTART_INSTANCE) if one.place.index == 2 else one for one in board.findings
    )
    world.journal.boards["orders"] = replace(board, findings=ill)

    (app,) = items(asked.get("/api/v1/apps"))

    assert app["turns"] == [f"orders-worker/{index}" for index in (2, 0, 1, 3, 4, 5)]


def test_what_its_platform_would_leave_ended_is_not_recycled(asked, world):
    board = world.journal.boards["orders"]
    world.journal.boards["orders"] = replace(
        board, apps=tuple(replace(one, restarts_ended=False) for one in board.apps)
    )

    answer = asked.post("/api/v1/workers/orders-worker/0/recycle")
    assert "cannot be recycled: it is not known that its platform starts again" in problem(answer, 409)


def test_an_approval_is_stored_as_a_request(asked, world):
    answer = asked.post("/api/v1/incidents/inc-hung/approve")

    assert answer.status_code == 202
    stored = world.requests.asked[answer.json()["id"]]
    assert (stored.incident, stored.pid, stored.by_person) == ("inc-hung", 16, True)


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/api/v1/clusters/nope", 404, "there are: orders, billing"),
        ("GET", "/api/v1/workers?cluster=nope", 404, "No cluster 'nope'"),
        ("GET", "/api/v1/workers/nope", 404, "No worker 'nope'"),
        ("GET", "/api/v1/tasks/nope", 404, "No task 'nope'"),
        ("GET", "/api/v1/incidents/nope", 404, "No incident 'nope'"),
        ("GET", "/api/v1/remedies/nope", 404, "No remedy 'nope'"),
        ("GET", "/api/v1/nope", 404, "nothing at /api/v1/nope"),
        ("GET", "/api/v1/tasks?cluster=nope", 404, "No cluster 'nope'"),
        ("GET", "/api/v1/queues?cluster=nope", 404, "No cluster 'nope'"),
        ("GET", "/api/v1/queues/nope/samples", 404, "No queue 'nope'"),
        ("GET", "/api/v1/queues/mail/samples?since=nope", 422, "since: is not a time"),
        ("GET", "/api/v1/observation?cluster=nope", 404, "No cluster 'nope'"),
        ("GET", "/api/v1/tasks/counts?step_s=5", 422, "step_s: input should be greater than or equal to 60."),
        (
            "GET",
            "/api/v1/tasks/counts?step_s=1000000000",
            422,
            "step_s: input should be less than or equal to 31622400.",
        ),
        ("GET", "/api/v1/incidents?open=perhaps", 422, "open: "),
        ("GET", "/api/v1/workers?cluster=%00", 422, "cluster: holds a NUL character."),
        ("POST", "/api/v1/workers", 405, "does not take POST"),
        ("POST", "/api/v1/workers/nope/restart", 404, "No worker 'nope'"),
        ("POST", "/api/v1/apps/nope/restart", 404, "No app 'nope' is watched"),
        ("POST", "/api/v1/workers/celery@billing-1/restart", 409, "no running platform instance"),
        ("POST", "/api/v1/incidents/nope/approve", 404, "No incident 'nope'"),
        ("POST", "/api/v1/incidents/inc-past/approve", 409, "nothing to approve"),
    ],
)
def test_a_problem_is_one_clear_sentence(asked, method, path, status, words):
    assert words in problem(asked.request(method, path), status)


def test_no_route_takes_a_parameter_that_it_does_not_have(asked):
    """A filter that is misspelt must not answer with everything."""
    paths = asked.get("/api/openapi.json").json()["paths"]
    refused = 0
    for path, methods in paths.items():
        for method, call in methods.items():
            if path.startswith("/api/v1/"):
                answer = asked.request(method, path.replace("{id}", "x"), params={"nmae": "mail", "limit ": 5})
                assert problem(answer, 422) == "nmae: there is no such parameter; limit : there is no such parameter."
                assert "422" in call["responses"]
                refused += 1

    assert refused >= 40


@pytest.mark.parametrize(("error", "status"), [(UnreachableError, 503), (RefusedError, 403)])
def test_a_failing_store_is_a_problem_without_a_traceback(asked, world, error, status):
    def fail(*_):
        raise error("The store did not answer.")

    world.journal.board = fail

    assert problem(asked.get("/api/v1/workers"), status) == "The store did not answer."


def test_a_defect_is_a_problem_without_a_traceback(world):
    from fastapi.testclient import TestClient

    from celeriac.web.app import create_app

    def fail(*_):
        raise ZeroDivisionError("secret detail")

    world.journal.board = fail
    asked = TestClient(create_app(world.service), "http://localhost", raise_server_exceptions=False)

    answer = asked.get("/api/v1/workers")

    assert "secret" not in answer.text
    assert "did not expect" in problem(answer, 500)
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_health_and_readiness(asked, world):
    assert asked.get("/healthz").status_code == asked.get("/readyz").status_code == 200
    assert asked.get("/readyz").json() == {"ready": True, "problems": []}

    world.time += 60  # the keeper has said nothing since

    assert asked.get("/healthz").status_code == 200
    late = asked.get("/readyz")
    assert late.status_code == 503
    assert late.json()["problems"] == [
        f"{cluster}: {what}"
        for cluster in ("orders", "billing")
        for what in (
            "nothing new is stored: the observer has stopped, or cannot store",
            "the keeper has not judged it yet or has stopped",
        )
    ]
