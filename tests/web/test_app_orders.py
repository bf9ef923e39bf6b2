"""What can be ordered for a whole app by API and page: restarts of two kinds, one index, another number of instances."""

import pytest
from msgspec.structs import replace

from celeriac.core.incident import RemedyKind, Scale, Strategy
from celeriac.core.model import Process
from celeriac.ports import AuditFilter
from web import samples

OURS = {"hx-request": "true", "sec-fetch-site": "same-origin"}


def stored(world, answer):
    assert answer.status_code == 202, answer.text
    return world.requests.asked[answer.json()["id"]]


def refused(answer, status):
    assert answer.status_code == status, answer.text
    return answer.json()["detail"]


def with_processes(world, *processes):
    board = world.journal.boards["orders"]
    world.journal.boards["orders"] = replace(board, apps=(replace(board.apps[0], processes=processes),))


@pytest.mark.parametrize("strategy", [None, *Strategy])
def test_a_restart_of_an_app(asked, world, strategy):
    body = {"strategy": strategy} if strategy else None
    order = stored(world, asked.post("/api/v1/apps/orders-worker/restart", json=body))

    assert (order.kind, order.place.name) == (RemedyKind.RESTART_APP, "orders-worker")
    assert order.strategy is (strategy or Strategy.ROLLING)
    (entry,) = world.audit.entries(AuditFilter(9, action="restart-app"))
    assert f"all its instances, {order.strategy}" in entry.detail


def test_a_strategy_that_is_none_is_refused(asked, world):
    assert asked.post("/api/v1/apps/orders-worker/restart", json={"strategy": "canary"}).status_code == 422
    assert world.requests.asked == {}


def test_the_restart_of_one_index_is_bound_to_what_runs_there(asked, world):
    order = stored(world, asked.post("/api/v1/apps/orders-worker/instances/2/restart"))
    assert (order.kind, order.place.name) == (RemedyKind.RESTART_INSTANCE, "orders-worker/2")
    assert order.guid == samples.GUID.format(2)


@pytest.mark.parametrize(
    ("path", "status", "why"),
    [
        ("instances/77/restart", 404, "orders-worker has no index 77 of process worker."),
        ("instances/2/restart?process=beat", 404, "orders-worker has no process 'beat'; it has: worker."),
    ],
)
def test_an_index_that_is_not_there(asked, path, status, why):
    assert refused(asked.post(f"/api/v1/apps/orders-worker/{path}"), status) == why


def test_scaling_is_stored_with_what_it_was(asked, world):
    order = stored(world, asked.post("/api/v1/apps/orders-worker/scale", json={"instances": 4}))
    assert (order.kind, order.scale) == (RemedyKind.SCALE, Scale("worker", 6, 4, drain=True))
    (entry,) = world.audit.entries(AuditFilter(9, action="scale"))
    assert (entry.target, "process worker from 6 to 4" in entry.detail) == ("orders-worker", True)

    order = stored(world, asked.post("/api/v1/apps/orders-worker/scale", json={"instances": 0, "drain": False}))
    assert order.scale == Scale("worker", 6, 0, drain=False)


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        ({"instances": 6}, 409, "orders-worker has 6 instances of process worker already."),
        ({"instances": 5, "process": "beat"}, 404, "orders-worker has no process 'beat'; it has: worker."),
        ({"instances": -1}, 422, "greater than or equal to 0"),
        ({"instances": 5, "dry": True}, 422, "dry"),
        ({}, 422, "instances"),
    ],
)
def test_what_cannot_be_scaled(asked, world, body, status, why):
    assert why in refused(asked.post("/api/v1/apps/orders-worker/scale", json=body), status)
    assert world.requests.asked == {}


def test_of_several_processes_one_is_named(asked, world):
    with_processes(world, Process("worker", 6), Process("beat", 2))
    why = refused(asked.post("/api/v1/apps/orders-worker/scale", json={"instances": 1}), 409)
    assert why == "orders-worker has 2 processes: beat, worker. Name the process."

    order = stored(world, asked.post("/api/v1/apps/orders-worker/scale", json={"instances": 1, "process": "beat"}))
    assert order.scale == Scale("beat", 2, 1)


def test_the_only_process_that_is_wanted_is_meant(asked, world):
    with_processes(world, Process("web", 0), Process("worker", 6))
    assert asked.get("/api/v1/apps/orders-worker").json()["process"] == "worker"

    order = stored(world, asked.post("/api/v1/apps/orders-worker/scale", json={"instances": 7}))
    assert order.scale == Scale("worker", 6, 7)
    order = stored(world, asked.post("/api/v1/apps/orders-worker/instances/2/restart"))
    assert order.place.name == "orders-worker/2"

    with_processes(world, Process("web", 2), Process("worker", 6))
    assert asked.get("/api/v1/apps/orders-worker").json()["process"] is None
    assert refused(asked.post("/api/v1/apps/orders-worker/scale", json={"instances": 7}), 409).endswith(
        "Name the process."
    )

    with_processes(world)
    why = refused(asked.post("/api/v1/apps/orders-worker/scale", json={"instances": 7}), 404)
    assert why == "The platform cloudfoundry shows no process of orders-worker."


def test_the_page_offers_every_process_with_what_is_wanted_of_it(asked, world):
    with_processes(world, Process("web", 0), Process("worker", 6))
    page = asked.get("/").text
    assert '<option value="web" data-wanted="0">web, 0 wanted</option>' in page
    assert '<option value="worker" data-wanted="6" selected>worker, 6 wanted</option>' in page
    assert 'name="instances" type="number" value="6"' in page

    with_processes(world, Process("web", 0), Process("worker", 2), Process("beat", 1))
    page = asked.get("/").text
    assert '<option value="worker" data-wanted="2" selected>' in page
    assert 'name="instances" type="number" value="2"' in page


def test_the_page_gives_the_same_orders(asked, world):
    cluster = {"cluster": "orders"}
    at_once = asked.post("/apps/app-guid-1/restart", data={**cluster, "strategy": "all_at_once"}, headers=OURS)
    fewer = asked.post("/apps/app-guid-1/scale", data={**cluster, "instances": 3, "drain": "true"}, headers=OURS)
    at_any_cost = asked.post("/apps/app-guid-1/scale", data={**cluster, "instances": 3}, headers=OURS)

    assert "Restart of all instances of orders-worker is ordered" in at_once.text
    assert "Scaling of orders-worker to 3 instances is ordered" in fewer.text
    assert at_any_cost.status_code == 202
    first, second, third = world.requests.asked.values()
    assert first.strategy is Strategy.ALL_AT_ONCE
    assert (second.scale, third.scale) == (Scale("worker", 6, 3, drain=True), Scale("worker", 6, 3, drain=False))


def test_the_page_says_first_what_each_does(asked):
    page = asked.get("/").text
    assert "Restart all 6 instances of orders-worker at once? The platform stops them" in page
    assert "Scale {process} of orders-worker from {wanted} to {instances}? The platform starts new instances" in page
    assert 'name="instances" type="number" value="6"' in page


def test_the_page_of_an_app_restarts_one_index(asked, world):
    page = asked.get("/apps/orders-worker").text
    assert "Restart index 2 of orders-worker (worker, now RUNNING, guid " in page
    assert 'hx-post="/apps/app-guid-1/instances/restart"' in page

    form = {"cluster": "orders", "process": "worker", "index": 2}
    answer = asked.post("/apps/orders-worker/instances/restart", data=form, headers=OURS)
    assert answer.status_code == 202
    assert "Restart of orders-worker worker 2 is ordered" in answer.text
    (order,) = world.requests.asked.values()
    assert (order.kind, order.guid) == (RemedyKind.RESTART_INSTANCE, samples.GUID.format(2))


@pytest.mark.parametrize("path", ["restart", "scale"])
def test_an_order_from_another_site_is_refused(asked, world, path):
    theirs = {"sec-fetch-site": "cross-site"}
    data = {"cluster": "orders", "instances": 3}
    assert asked.post(f"/apps/app-guid-1/{path}", data=data, headers=theirs).status_code == 403
    assert world.requests.asked == {}
