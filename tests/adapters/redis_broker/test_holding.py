"""Where Redis holds the messages of tasks: in which queue, or taken and not acknowledged."""

import pytest
from kombu import Exchange, Queue

from adapters.broker_talk import producer
from adapters.redis_broker.taking import taken
from celeriac.adapters.redis_broker import holding
from celeriac.adapters.redis_broker.holding import Walk
from celeriac.core.casualties import Whereabouts


def send(url, *queues, priority=0):
    with producer(url) as app:
        return [app.send_task("orders.price", [1], queue=queue, priority=priority).id for queue in queues]


def test_what_waits_is_in_its_queue_whatever_its_priority(broker, redis_server):
    (first,) = send(redis_server.url, "orders", priority=0)
    last, other = send(redis_server.url, "orders", "reports", priority=9)

    assert broker.holding([first, last, other], ["orders", "reports"]) == Whereabouts(
        queued={first: "orders", last: "orders", other: "reports"}
    )


def test_what_is_taken_and_not_acknowledged_is_in_unacked(broker, redis_server):
    url = redis_server.url
    ids = send(url, "orders", "orders", "orders")
    with taken(url, 2, Queue("orders", Exchange("orders"), "orders", no_ack=False)):
        found = broker.holding(ids, ["orders"])

        assert len(found.unacked) + len(found.queued) == 3
        assert len(found.unacked) >= 2


def test_queues_that_kombu_has_bound_are_looked_through_unnamed(broker, redis_server):
    url = redis_server.url
    with taken(url, 0, Queue("bound", Exchange("bound"), "bound")):
        (id,) = send(url, "bound")
        found = broker.holding([id], [])

    assert id in {*found.queued, *found.unacked}


def test_what_is_nowhere_is_nowhere(broker, redis_server, look):
    """Messages that name no task do not disturb."""
    send(redis_server.url, "orders")
    look.lpush("orders", "no JSON")
    look.hset("unacked", "tag", "no JSON")

    assert broker.holding(["gone"], ["orders"]) == Whereabouts()


@pytest.mark.parametrize(
    ("bound", "why"), [("MOST_READ", "more than 3 messages wait"), ("MOST_READ_MB", "messages of more than 0 MB wait")]
)
def test_beyond_a_bound_absence_proves_nothing(broker, redis_server, monkeypatch, bound, why):
    monkeypatch.setattr(holding, "AT_ONCE", 2)
    monkeypatch.setattr(holding, bound, 3 if bound == "MOST_READ" else 0)
    send(redis_server.url, *["orders"] * 9)

    assert why in broker.holding(["gone"], ["orders"]).unknown


def test_the_walk_ends_in_time(look, redis_server):
    send(redis_server.url, "orders")
    times = iter([0.0, holding.LONGEST_S + 1, holding.LONGEST_S + 1])
    found = Walk(look, ["gone"], lambda: next(times)).through(["orders"])

    assert found.unknown == "Redis did not show all its messages within 5 s"


def test_when_all_is_found_no_more_is_read(broker, redis_server, monkeypatch):
    """The oldest message lies at the end of a list: the newest is found first."""
    monkeypatch.setattr(holding, "AT_ONCE", 2)
    monkeypatch.setattr(holding, "MOST_READ", 4)
    *_, newest = send(redis_server.url, *["orders"] * 9)

    assert broker.holding([newest], ["orders"]) == Whereabouts(queued={newest: "orders"})


def test_what_the_acl_refuses_is_unknown(look):
    look.execute_command("ACL", "SETUSER", "blind", "on", ">pw", "~*", "+@all", "-hscan")
    port = look.connection_pool.connection_kwargs["port"]
    from celeriac.adapters.redis_broker import RedisBroker

    assert "Redis refuses" in RedisBroker(f"redis://blind:pw@127.0.0.1:{port}").holding(["t"], ["orders"]).unknown
