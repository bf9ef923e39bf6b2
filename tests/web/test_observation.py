"""How well clusters are heard, and their queues: nothing looks healthy while it is deaf."""

import datetime as dt

import pytest
from msgspec.structs import replace

from celeriac.core.model import Pool, Verdict
from celeriac.core.queues import QueueSample
from web import samples

MEGABYTE = 1024 * 1024


def items(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


@pytest.fixture
def quiet(world):
    """The same clusters without an incident, all workers healthy, everything heard."""
    world.journal.stories.clear()
    board = world.journal.boards["orders"]
    well = tuple(replace(one, verdict=Verdict.HEALTHY, suspect=False) for one in board.findings)
    world.journal.boards["orders"] = replace(board, findings=well)
    world.histories["billing"].heard = samples.heard(10_422)
    return world


def test_each_cluster_tells_how_it_is_heard(asked):
    orders, billing = items(asked.get("/api/v1/observation"))

    assert (orders["cluster"], orders["events_seen"], orders["reader"], orders["lag_s"]) == (
        "orders",
        1_284_221,
        "redis",
        0.012,
    )
    assert (orders["last_event_age_s"], orders["store_error"], orders["troubles"]) == (0.7, None, [])
    assert (billing["events_lost_estimate"], billing["tasks_lost"], billing["cuts"]) == (1203, 2, 1)
    assert items(asked.get("/api/v1/observation?cluster=billing")) == [billing]


def test_what_cannot_be_seen_names_the_setting_and_the_workers(asked):
    orders, _ = items(asked.get("/api/v1/observation"))

    gap = next(one for one in orders["coverage"] if "worker_send_task_events" in (one["setting"] or ""))
    assert gap["workers"] == [f"worker@{samples.GUID.format(0)}"]


def test_a_cluster_of_which_nothing_is_heard_yet_is_listed(asked, world):
    world.histories["billing"].heard = None

    _, billing = items(asked.get("/api/v1/observation"))

    assert (billing["events_seen"], billing["observed_at"], billing["last_event_age_s"]) == (0, None, None)
    assert "Nothing heard yet" in asked.get("/").text


def test_all_is_good_only_while_all_is_heard(quiet):
    assert quiet.queries.headline().tone == "good"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lost_events": 3}, "events lost, as far as that can be told: 3"),
        ({"lost_tasks": 2}, "tasks begun without a word of them reaching Celeriac: 2"),
        ({"dropped": 4}, "events that found no room while the store took nothing: 4"),
        ({"cuts": 1}, "times the connection was cut: 1"),
        ({"gaps": 2}, "times a part of the stream was missing: 2"),
        ({"malformed": 6, "refused": 6}, "events refused for their content type: 6"),
        ({"malformed": 5}, "events that cannot be read: 5"),
        ({"store_error": "database or disk is full"}, "the store took nothing for a while: database or disk is full"),
        ({"error": "Connection refused"}, "the cluster is not heard: Connection refused"),
    ],
)
def test_what_is_lost_is_told_at_the_top(quiet, asked, change, words):
    quiet.histories["billing"].heard = replace(samples.heard(10_422), **change)

    headline = quiet.queries.headline()

    assert (headline.tone, words in headline.text) == ("attention", True)
    assert [one["troubles"] for one in items(asked.get("/api/v1/observation"))] == [[], [words]]
    assert f"{words[0].upper()}{words[1:]}." in asked.get("/").text


def test_a_cluster_that_is_not_heard_is_not_called_partly_heard(quiet, asked):
    quiet.histories["billing"].heard = replace(
        samples.heard(10_422), error="Connection refused", flowing_since=None, lost_events=3
    )

    page = asked.get("/").text

    assert ("Not heard now" in page, "Not all is heard" in page) == (True, False)


def test_an_old_loss_is_a_number_and_no_trouble(quiet):
    """A loss of yesterday must not hide that all is well today."""
    lost = replace(samples.heard(10_422), lost_events=3, lost_at=samples.NOW - 3_601)
    quiet.histories["billing"].heard = lost

    assert quiet.queries.headline().tone == "good"
    assert [one.events_lost_estimate for one in quiet.queries.observation.all("billing")] == [3]


def test_a_full_disk_is_named_as_the_probable_cause_while_nothing_is_stored(quiet, asked):
    quiet.time += 15  # and no observer could store anything since
    quiet.disk_free = 12 * MEGABYTE
    cause = "nothing new is stored, probably because the store's disk has only 12 MB left"

    assert quiet.queries.headline().text == f"orders: {cause}"
    assert quiet.queries.headline().tone == "blind"
    assert [one["troubles"][0] for one in items(asked.get("/api/v1/observation"))] == [cause, cause]
    assert f"orders: {cause}" in asked.get("/readyz").json()["problems"]


@pytest.mark.parametrize("free", [None, 50 * MEGABYTE])
def test_with_room_on_the_disk_it_is_not_blamed(quiet, free):
    quiet.time += 15
    quiet.disk_free = free

    assert quiet.queries.headline().text == "orders: nothing new is stored: the observer has stopped, or cannot store"


def test_a_nearly_full_disk_is_no_cause_while_all_is_stored(quiet):
    quiet.disk_free = 1

    assert quiet.queries.headline().tone == "good"


# Queues


def queue(asked, name):
    return next(one for one in items(asked.get("/api/v1/queues")) if one["name"] == name)


def test_queues_that_nobody_consumes_come_first_then_the_deepest(asked):
    found = items(asked.get("/api/v1/queues"))

    assert [(one["name"], one["unconsumed"]) for one in found] == [
        ("reports", True),
        ("orders", False),
        ("paid", False),
        ("mail", False),
    ]
    assert [one["name"] for one in items(asked.get("/api/v1/queues?cluster=billing"))] == ["paid"]


def test_a_queue_with_all_that_the_broker_tells(asked):
    assert queue(asked, "paid") | {"id": ""} == {
        "id": "",
        "cluster": "billing",
        "name": "paid",
        "depth": 3,
        "ready": {"0": 3},
        "unacked": 2,
        "consumers": 1,
        "consumers_by": "broker",
        "arriving_per_s": 1.5,
        "completing_per_s": 1.4,
        "oldest_s": 0.8,
        "oldest_how": "message timestamp",
        "unknown": {},
        "unconsumed": False,
        "at": "2026-09-21T14:13:16Z",
    }


def test_what_is_not_known_says_why(asked):
    reports = queue(asked, "reports")

    assert (reports["arriving_per_s"], reports["unacked"]) == (None, None)
    assert set(reports["unknown"]) == {"arriving_per_s", "completing_per_s", "unacked"}


def test_where_the_broker_cannot_tell_the_workers_are_counted_that_take_tasks(asked):
    # Of six workers one hangs, one starts, and one shuts down.
    orders = queue(asked, "orders")

    assert (orders["consumers"], orders["consumers_by"]) == (3, "workers")
    assert "consumers" not in orders["unknown"]


@pytest.mark.parametrize("change", ["a worker said nothing", "the keeper is silent", "the cluster is not heard"])
def test_nobody_is_only_said_where_that_is_known(asked, world, change):
    board = world.journal.boards["orders"]
    silent = {**board.pools, samples.life(0).key: Pool("prefork", 8)}
    world.journal.boards["orders"] = {
        "a worker said nothing": replace(board, pools=silent),
        "the keeper is silent": replace(board, at=samples.NOW - 60),
        "the cluster is not heard": replace(board, blind="our echo is late"),
    }[change]

    reports = queue(asked, "reports")

    assert (reports["consumers"], reports["unconsumed"]) == (None, False)
    assert reports["unknown"]["consumers"]


def test_the_samples_of_a_queue_by_name_and_by_id(asked, world):
    hour = items(asked.get("/api/v1/queues/orders/samples"))

    assert [one["depth"] for one in hour] == [52, 62, 72, 82, 92, 102]  # the seventh is older than an hour
    assert items(asked.get(f"/api/v1/queues/{queue(asked, 'orders')['id']}/samples")) == hour
    since = (dt.datetime.fromisoformat(hour[2]["at"]) - dt.timedelta(seconds=1)).isoformat()
    assert (
        items(asked.get("/api/v1/queues/orders/samples", params={"since": since, "until": hour[3]["at"]})) == hour[2:4]
    )


def test_a_queue_with_a_slash_in_its_name(asked, world):
    world.histories["orders"].samples.append(QueueSample("mail/high", samples.NOW - 1, {0: 1}))

    assert [one["depth"] for one in items(asked.get("/api/v1/queues/mail/high/samples"))] == [1]


def test_a_queue_that_two_clusters_have_is_answered_with_both(asked, world):
    world.histories["billing"].samples.append(QueueSample("mail", samples.NOW - 1, {0: 7}))

    answer = asked.get("/api/v1/queues/mail/samples")

    assert answer.status_code == 409
    assert answer.json()["detail"] == "Several clusters have a queue 'mail': orders, billing."
    assert [one["depth"] for one in items(asked.get("/api/v1/queues/mail/samples?cluster=billing"))] == [7]
