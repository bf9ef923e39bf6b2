"""The verbs over HTTP: tables, JSON, questions, exit codes."""

import json

import msgspec
import pytest

import harness
from celeriac.__main__ import main as run
from celeriac.cli import act
from celeriac.core.incident import IncidentState, RemedyState, Step
from celeriac.core.queues import QueueSample
from cli.outcome import said
from web import samples

SINCE = "2026-09-21T00:00"
ESCAPES = "\x1b]0;owned\x07\x1b[31m\u202e\x9b2J\nnext"


class Keeper:
    """Stands in for the keeper: what it makes of an order as soon as it is stored."""

    def __init__(self, world):
        self.world = world
        self._submit = world.requests.submit
        self.order = {}
        self.incident = None
        world.requests.submit = self.take

    def take(self, remedy):
        self._submit(msgspec.structs.replace(remedy, **self.order))
        if self.incident:
            self.world.journal.stories[self.incident.id] = self.incident


@pytest.fixture
def keeper(world, monkeypatch):
    monkeypatch.setattr(act, "LOOK_EVERY_S", 0.02)
    return Keeper(world)


def test_workers_as_a_table(celeriac):
    lines = said(celeriac("workers")).splitlines()

    assert lines[0].split()[:4] == ["WORKER", "CLUSTER", "VERDICT", "STATUS"]
    assert [line.split()[:4] for line in lines if "hung" in line] == [["orders-worker/2", "orders", "hung", "OFFLINE"]]
    assert "healthy?" in said(celeriac("workers", "--cluster", "orders"))
    assert max(map(len, lines)) <= 120


def test_one_worker_in_detail(celeriac):
    text = said(celeriac("workers", "orders-worker/2"))

    assert "guid " + samples.GUID.format(2) in text
    assert "prefork with 8 slots" in text


@pytest.mark.parametrize("columns", [80, 100, 120])
@pytest.mark.parametrize("verb", ["workers", "tasks", "incidents", "apps", "queues", "durations"])
def test_tables_fit_the_terminal(celeriac, monkeypatch, verb, columns):
    monkeypatch.setenv("COLUMNS", str(columns))

    assert max(map(len, said(celeriac(verb)).splitlines())) <= columns


def test_tasks_filtered_by_state_and_by_the_workers_name(celeriac):
    text = said(celeriac("tasks", "--state", "failure", "--worker", "orders-worker/3"))

    assert "ConnectionError(" in text
    assert "FAILURE" in text
    assert "SUCCESS" not in text
    assert said(celeriac("tasks", "--name", "nope")) == "No task fits.\n"


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (("--state", "failure", "--state", "RETRY"), 12),
        (("--worker", "orders-worker/3"), 10),
        (("--worker", f"worker@{samples.GUID.format(4)}"), 10),  # its last life, which is no worker's now
        (("--queue", "orders"), 60),
        (("--since", SINCE), 60),
        (("--until", SINCE), 0),
        (("--since", "5m"), 0),
        (("--search", "GATEWAY"), 12),
        (("--args", "4722"), 1),
        (("--root", samples.task(5).uuid), 5),
        (("--slower-than", "6.5"), 4),
        (("--cluster", "billing"), 0),
    ],
)
def test_tasks_are_found_by_every_filter(celeriac, arguments, count):
    lines = said(celeriac("tasks", "--limit", "100", *arguments)).splitlines()

    assert (len(lines) - 1 if count else lines) == (count or ["No task fits."])


def test_a_page_of_tasks_says_how_to_go_on(celeriac):
    first = celeriac("tasks", "--limit", "58")
    cursor = first.stderr.removeprefix("Older tasks: --older ").strip()
    last = celeriac("tasks", "--older", cursor)

    assert (len(said(first).splitlines()), len(said(last).splitlines()), last.stderr) == (59, 3, "")


def test_a_search_that_ran_out_of_time_says_how_far_it_came(celeriac, world):
    world.histories["orders"].slow = samples.cursor(samples.task(20))

    assert celeriac("tasks", "--search", "EUR", "--limit", "50").stderr.startswith(
        "Searched back to 2026-09-21 14:12:24 UTC within 2 s; go on with --older "
    )


def test_tasks_are_counted_by_their_values(celeriac):
    text = said(celeriac("tasks", "--facets", "--state", "FAILURE"))

    assert "FAILURE      6" in text
    assert "shop.reports.nightly.build" in text
    assert "SUCCESS" not in text


def test_durations_by_name(celeriac):
    lines = said(celeriac("durations", "--since", SINCE, "--name", "shop.stock.reserve")).splitlines()

    assert lines[1].split()[:2] == ["shop.stock.reserve", "6"]
    assert float(lines[1].split()[-1].removesuffix("ms")) == pytest.approx(412, rel=0.07)
    assert said(celeriac("durations", "--name", "nope")) == "No task began or ended in that time.\n"


def test_queues_with_who_consumes_them(celeriac):
    rows = [line.split()[:5] for line in said(celeriac("queues")).splitlines()[1:]]

    assert rows[0] == ["reports", "orders", "118", "nobody", "60m"]
    assert rows[1] == ["orders", "orders", "102", "3", "4.2s"]
    assert said(celeriac("queues", "--cluster", "billing")).splitlines()[1].split()[:2] == ["paid", "billing"]


def test_observation_tells_losses_and_what_cannot_be_seen(celeriac):
    text = said(celeriac("observation"))

    assert [line.split()[:3] for line in text.splitlines()[1:3]] == [
        ["orders", "well", "redis"],
        ["billing", "lossy", "redis"],
    ]
    assert "billing: events lost, as far as that can be told: 1203" in text
    assert "orders does not show the tasks of some workers" in text
    assert "  mended by: worker_send_task_events = True" in text


def test_a_cluster_that_is_not_heard_is_blind_whatever_was_lost_before(celeriac, world):
    refused = msgspec.structs.replace(world.histories["billing"].heard, error="Connection refused", flowing_since=None)
    world.histories["billing"].heard = refused

    assert said(celeriac("observation")).splitlines()[2].split()[:2] == ["billing", "blind"]


def test_the_story_of_an_incident(celeriac):
    text = said(celeriac("incidents", "inc-hung"))

    assert "9 connections, none fetching, idle 33 s" in text
    assert "a long task that still fetches" in text
    assert "14:09:11  held       mode approve: a person must approve" in text
    assert "celeriac approve inc-hung" in text


def test_open_incidents_unless_all_are_wanted(celeriac):
    assert "inc-past" not in said(celeriac("incidents"))
    assert "inc-past" in said(celeriac("incidents", "--all"))


@pytest.mark.parametrize(
    ("arguments", "length"),
    [(("workers",), 7), (("incidents", "--all"), 3), (("apps",), 1), (("queues",), 4), (("observation",), 2)],
)
def test_every_list_prints_json(celeriac, arguments, length):
    assert len(json.loads(said(celeriac(*arguments, "--json")))) == length


def test_json_of_tasks_has_the_cursors_too(celeriac):
    first = json.loads(said(celeriac("tasks", "--limit", "59", "--json")))
    second = json.loads(said(celeriac("tasks", "--older", first["next"], "--json")))

    assert (len(first["items"]), len(second["items"]), second["next"]) == (59, 1, None)


def test_json_of_facets_and_durations(celeriac):
    assert json.loads(said(celeriac("tasks", "--facets", "--json")))["states"]["SUCCESS"] == 30
    found = json.loads(said(celeriac("durations", "--since", SINCE, "--json")))
    assert found["items"][0]["runtime"]["buckets"]
    assert found["series"]


def test_json_of_one(celeriac):
    assert json.loads(said(celeriac("workers", "orders-worker/2", "--json")))["verdict"] == "hung"
    assert json.loads(said(celeriac("incidents", "inc-hung", "--json")))["evidence"][1]["signal"] == "ping"


def test_data_cannot_command_the_terminal(celeriac, world):
    one = samples.task(3)
    one.name, one.exception, one.uuid = ESCAPES, ESCAPES, ESCAPES
    world.histories["orders"].rows = {ESCAPES: one}
    world.journal.stories["inc-hung"] = msgspec.structs.replace(
        world.hung, steps=(Step(samples.NOW, ESCAPES, ESCAPES),)
    )

    world.histories["orders"].samples.append(QueueSample(ESCAPES, samples.NOW, {0: 1}, unknown={"unacked": ESCAPES}))
    world.histories["billing"].heard = samples.heard(1, store_error=ESCAPES, reader=ESCAPES)

    for arguments in (
        ("tasks",),
        ("tasks", "--facets"),
        ("durations", "--since", SINCE),
        ("queues",),
        ("observation",),
        ("incidents", "inc-hung"),
        ("incidents",),
        ("tasks", "--json"),
    ):
        text = said(celeriac(*arguments))
        assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(text), arguments


def test_approving_shows_the_evidence_asks_and_follows_to_the_end(celeriac, world, keeper):
    keeper.order = {"state": RemedyState.VERIFIED}
    more = (*world.hung.steps, Step(samples.NOW, "resolved", "3 heartbeats, ping, and a task received"))
    keeper.incident = msgspec.structs.replace(world.hung, state=IncidentState.RESOLVED, steps=more, held_reason=None)

    result = celeriac("approve", "inc-hung", typed="y\n")

    assert result.exit_code == 0
    assert "none of its connections fetches" in result.stdout
    assert "Approve the restart of orders-worker/2?" in result.stdout
    assert result.stdout.rstrip().endswith("Resolved.")
    assert "3 heartbeats, ping, and a task received" in result.stdout


def test_a_no_orders_nothing(celeriac, world):
    result = celeriac("approve", "inc-hung", typed="n\n")

    assert result.exit_code == 1
    assert "Nothing was done." in result.stdout
    assert world.requests.asked == {}


def test_nobody_to_ask_is_told(celeriac, world):
    result = celeriac("restart", "orders-worker/0", typed="")

    assert result.exit_code != 0
    assert "add --yes" in result.stderr
    assert world.requests.asked == {}


def test_an_order_that_lapses_is_told_with_its_note(celeriac, keeper):
    keeper.order = {"state": RemedyState.LAPSED, "note": "the instance changed meanwhile"}

    result = celeriac("restart", "orders-worker/0", "--yes")

    assert result.exit_code == 1
    assert "Not resolved; the order is lapsed: the instance changed meanwhile" in result.stdout


def test_an_escalation_is_not_resolved(celeriac, world, keeper):
    keeper.order = {"state": RemedyState.UNVERIFIED}
    keeper.incident = msgspec.structs.replace(world.hung, state=IncidentState.ESCALATED)

    assert celeriac("approve", "inc-hung", "--yes").exit_code == 1


def test_a_restart_says_what_it_will_do(celeriac, world):
    text = said(celeriac("restart", "orders-worker/2", "--yes", "--no-wait"))

    assert samples.GUID.format(2) in text
    assert "8 tasks now; they will be cut off" in text
    assert [one.actor for one in world.requests.asked.values()] == ["someone on this machine"]


def test_a_recycling_says_what_it_will_do(celeriac, world):
    text = said(celeriac("recycle", "orders-worker/0", "--yes", "--no-wait"))

    assert "consume orders, mail no more, wait until it has ended the " in text
    assert [one.kind for one in world.requests.asked.values()] == ["recycle"]


def test_the_approval_of_a_rolling_restart_says_whom_it_restarts(celeriac, world):
    world.journal.stories["inc-app"] = samples.proposed_restart()
    result = celeriac("approve", "inc-app", typed="n\n")

    assert "Restart all instances of orders-worker, one at a time, also those that are well?" in result.stdout
    assert (
        "In this order: orders-worker/1, orders-worker/2, orders-worker/3, orders-worker/5, orders-worker/0, "
        in result.stdout
    )
    assert world.requests.asked == {}
    said(celeriac("approve", "inc-app", "--yes", "--no-wait"))
    assert [one.kind for one in world.requests.asked.values()] == ["restart_app"]


def test_what_has_no_instance_cannot_be_restarted(celeriac, world):
    result = celeriac("restart", "celery@billing-1", "--yes")

    assert result.exit_code != 0
    assert "no running platform instance" in result.stderr
    assert world.requests.asked == {}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("workers", "nope"), "Error: No worker 'nope' is known."),
        (("incidents", "nope"), "Error: No incident 'nope' is known."),
        (("approve", "inc-past", "--yes"), "Error: There is nothing to approve: the incident is resolved."),
        (("wrokers",), "'workers'"),
        (("workers", "--jsno"), "No such option '--jsno'."),
        (("tasks", "--limit", "900"), "900 is not in the range"),
        (("tasks", "--since", "soon"), "'soon' is no time; write 2026-11-22T14:00, or how long ago: 30m, 2h, 1d."),
        (("tasks", "--since", "999999999d"), "'999999999d' is too long ago; write a time since 1970, such as 2026-"),
        (("tasks", "--since", "99999999h"), "'99999999h' is too long ago"),
        (("durations", "--since", "5000000d"), "'5000000d' is too long ago"),
        (("tasks", "--since", "30000d"), "Error: since: is not a time since 1970"),
        (("tasks", "--state", "FAILD"), "Error: state: 'FAILD' is no state of a task; there are: PENDING"),
        (("tasks", "--older", "nope"), "Error: cursor: this is no cursor that a page came with"),
    ],
)
def test_what_goes_wrong_is_one_sentence_and_code_2(celeriac, capsys, arguments, words):
    assert run(list(arguments)) == 2

    printed = capsys.readouterr()
    assert words in printed.err
    assert "Traceback" not in printed.err


def test_no_console_is_told_with_the_fix(monkeypatch, capsys):
    monkeypatch.setenv("CELERIAC_URL", f"http://127.0.0.1:{harness.free_port()}")

    assert run(["workers"]) == 2
    assert "celeriac serve" in capsys.readouterr().err
