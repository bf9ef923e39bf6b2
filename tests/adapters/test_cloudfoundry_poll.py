"""The cheap poll: one request for all processes, stats for what has changed, and what is never read as death."""

from pathlib import Path

import pytest

import harness
from adapters.emulated import SLEEPER, configured
from adapters.faulty_foundation import Answer
from celeriac.adapters.cloudfoundry import Budget, CloudFoundry, Credentials, Options
from celeriac.core.errors import MissingError, SparedError, UnreachableError
from celeriac.core.model import InstanceState, Place
from celeriac.core.places import MISSING
from celeriac.emulator import AppConfig, Emulator, ProcessConfig

RUNNING = InstanceState.RUNNING
OF = {"relationships": {"app": {"data": {"guid": "a"}}}}
APP = {"guid": "a", "name": "shop", "state": "STARTED"}
STATS = "/v3/processes/p/stats"
PROCESSES = "/v3/processes"


def process(*instances, version="v1", wanted=None):
    embedded = [{"index": n, "state": state, "since": since} for n, (state, since) in enumerate(instances)]
    return {
        "resources": [
            {"guid": "p", "type": "worker", "instances": wanted or len(instances), "version": version}
            | {"process_instances": embedded}
            | OF
        ]
    }


def stats(*instances):
    return {
        "resources": [
            {"index": n, "state": state, "instance_guid": guid, "uptime": 100, "details": None}
            for n, (state, guid) in enumerate(instances)
        ]
    }


@pytest.fixture
def foundation(foundation):
    """A foundation of API 3.228 with one app of two workers that have run for 100 s."""
    links = {name: {"href": foundation.url} for name in ("self", "login", "uaa", "log_cache")}
    links["cloud_controller_v3"] = {"href": foundation.url, "meta": {"version": "3.228.0"}}
    foundation.script("/", {"links": links})
    foundation.script("/v3/organizations", {"resources": [{"guid": "o"}]})
    foundation.script("/v3/spaces", {"resources": [{"guid": "s"}]})
    foundation.script("/v3/apps", {"resources": [APP]})
    foundation.script("/v3/audit_events", {"resources": []})
    foundation.script(PROCESSES, process(("RUNNING", 100), ("RUNNING", 100)))
    foundation.script(STATS, stats(("RUNNING", "g0"), ("RUNNING", "g1")))
    return foundation


@pytest.fixture
def cloud(foundation, connect, clock):
    session = connect(foundation.url, monotonic=clock)
    return CloudFoundry("cf", session, org="demo", space="dev", selectors=["shop"])


def looked(cloud):
    return [(one.state.value, one.guid) for app in cloud.apps() for one in app.instances]


def test_a_calm_space_costs_one_request_a_poll(foundation, cloud, clock):
    """After the first look the list of processes alone says that nothing has moved; guids and ages stay true."""
    first = looked(cloud)
    before = len(foundation.requests)
    for seconds in (5, 10, 15, 20):
        clock.now += 5
        foundation.script(PROCESSES, process(("RUNNING", 100 + seconds), ("RUNNING", 100 + seconds)))
        assert looked(cloud) == first == [("RUNNING", "g0"), ("RUNNING", "g1")]

    assert [one.line for one in foundation.requests[before:]] == [f"GET {PROCESSES}"] * 4
    assert foundation.requests[-1].query == {"space_guids": "s", "per_page": "5000", "embed": "process_instances"}
    assert cloud.apps()[0].instances[0].uptime_s == 120


def test_a_calm_minute_costs_what_the_guide_says(foundation, cloud, clock):
    """`60 / poll + 5`: as a keeper asks, over a quarter of an hour."""
    foundation.script("/v3/deployments", {"resources": []})
    guide = (Path(__file__).parents[2] / "docs" / "how-to" / "cloudfoundry.md").read_text()
    assert "60 / poll + 5 " in guide
    counted = 0
    for poll in range(6 * 20):
        age = 100 + clock.now - 1000
        foundation.script(PROCESSES, process(("RUNNING", age), ("RUNNING", age)))
        cloud.apps()
        cloud.crashes(0)
        if poll % 6 == 0:
            cloud.changes(0)
        clock.now += 10
        if poll == 5 * 6 - 1:  # the first minutes are those of a start
            counted = len(foundation.requests)

    assert (len(foundation.requests) - counted) / 15 == pytest.approx(60 / 10 + 5, abs=0.3)


@pytest.mark.parametrize(
    ("app", "short", "each_poll"),
    [
        (APP | {"state": "STOPPED"}, (("DOWN", 0), ("DOWN", 0)), [PROCESSES]),
        (APP, (("RUNNING", 100), ("DOWN", 0)), [PROCESSES, STATS]),
    ],
    ids=["a stopped app", "no room"],
)
def test_what_stays_down_has_not_moved(foundation, cloud, clock, app, short, each_poll):
    """Only the long word of an index that is wanted and missing is read each time; apps and crashes are not read for it."""
    foundation.script("/v3/apps", {"resources": [app]})
    foundation.script(STATS, stats(("RUNNING", "g0"), ("DOWN", "")))

    def polled(seconds):
        clock.now += seconds
        foundation.script(PROCESSES, process(*((state, since and since + clock.now - 1000) for state, since in short)))
        cloud.apps()
        cloud.crashes(0)

    for seconds in (0, 1, 61):
        polled(seconds)
    before = len(foundation.requests)
    for _ in range(4):
        polled(5)

    assert [one.path for one in foundation.requests[before:]] == each_poll * 4


@pytest.mark.parametrize(
    "change",
    [
        process(("RUNNING", 110), ("RUNNING", 30)),
        process(("RUNNING", 110), ("CRASHED", 3)),
        process(("RUNNING", 110), ("DOWN", 0)),
        process(("RUNNING", 110), ("RUNNING", 110), version="v2"),
        process(("RUNNING", 110), ("RUNNING", 110), ("STARTING", 0)),
        process(("RUNNING", 110), wanted=2),
    ],
)
def test_what_has_changed_is_read_whole(foundation, cloud, clock, change):
    """Another start, state, version or number of instances: the stats of that process are read, and the list of apps."""
    looked(cloud)
    clock.now += 10
    foundation.script(PROCESSES, change)
    foundation.script(STATS, stats(("RUNNING", "g0"), ("RUNNING", "g2")))

    assert looked(cloud)[:2] == [("RUNNING", "g0"), ("RUNNING", "g2")]
    assert len(foundation.asked(STATS)) == len(foundation.asked("/v3/apps")) == 2


def test_each_index_is_told_once_during_a_rolling_deployment(foundation, cloud, clock):
    """Two processes of one type, each with its own stats: what the newer one has of an index counts."""
    old, new = (
        process(*states)["resources"][0] for states in ((("RUNNING", 100),) * 3, (("RUNNING", 40), ("STARTING", 1)))
    )
    old |= {"guid": "old", "type": "web", "created_at": "2026-11-01T00:00:00Z", "version": "v1"}
    new |= {"guid": "new", "type": "web", "created_at": "2026-11-02T00:00:00Z", "version": "v2"}
    foundation.script(PROCESSES, {"resources": [new, old]})
    foundation.script("/v3/processes/old/stats", stats(("RUNNING", "o0"), ("RUNNING", "o1"), ("RUNNING", "o2")))
    foundation.script("/v3/processes/new/stats", stats(("RUNNING", "n0"), ("STARTING", "")))

    for _ in range(2):
        (app,) = cloud.apps()
        told = [(one.index, one.state.value, one.guid) for one in app.instances]
        assert told == [(0, "RUNNING", "n0"), (1, "STARTING", None), (2, "RUNNING", "o2")]
        assert [(one.type, one.wanted, one.version) for one in app.processes] == [("web", 3, "v2")]
    assert len(foundation.asked("/v3/processes/old/stats")) == 1  # it rests on what it said


def test_what_changes_between_the_two_reads_is_read_again(foundation, cloud, clock):
    """The list still says RUNNING and stats already CRASHED: the next poll does not rest on either."""
    foundation.script(STATS, stats(("RUNNING", "g0"), ("CRASHED", "")), stats(("RUNNING", "g0"), ("RUNNING", "g3")))
    looked(cloud)
    clock.now += 5

    assert looked(cloud) == [("RUNNING", "g0"), ("RUNNING", "g3")]


def test_an_order_reads_its_app_whatever_polls_may(foundation, cloud, clock):
    """The budget is spent: polls wait for their turn, and who orders waits for nobody."""
    cloud.apps()
    cloud._session.budget = Budget(1, clock)
    for _ in range(60):
        cloud._session.budget.count()
    with pytest.raises(SparedError):
        cloud.apps(), cloud.apps()

    assert cloud.orders.read(Place("demo", "cf", "shop")).instances == cloud._look()[0].instances
    with pytest.raises(MissingError, match="shows no app mail"):
        cloud.orders.read(Place("demo", "cf", "mail"))


def test_a_young_instance_is_always_read_whole(foundation, cloud, clock):
    """Of one that started seconds ago the age alone does not tell whether it is still the same."""
    foundation.script(PROCESSES, process(("RUNNING", 3), ("RUNNING", 100)))
    looked(cloud)
    clock.now += 2
    looked(cloud)

    assert len(foundation.asked(STATS)) == 2


def test_trouble_of_diego_is_no_death(foundation, cloud, clock):
    """Neither a list nor stats that answer 503 show anybody dead."""
    looked(cloud)
    for path in (PROCESSES, STATS):
        foundation.script(PROCESSES, process(("DOWN", 0), ("DOWN", 0)))
        foundation.script(path, Answer(503, {"errors": [{"code": 170015, "detail": "Runner is unavailable"}]}))
        with pytest.raises(UnreachableError, match=r"^Runner is unavailable \(503\)$"):
            cloud.apps()
        clock.now += 10


def test_silent_metrics_are_no_death(foundation, cloud):
    """While log-cache is away stats come without usage and with a warning: states and guids stand."""
    warned = {"X-Cf-Warnings": "Stats+server+temporarily+unavailable."}
    body = stats(("RUNNING", "g0"), ("RUNNING", "g1"))
    for one in body["resources"]:
        one["usage"] = {}
    foundation.script(STATS, Answer(200, body, warned))

    assert looked(cloud) == [("RUNNING", "g0"), ("RUNNING", "g1")]


def test_a_lost_role_is_no_death(foundation, cloud, clock):
    """The apps have gone from sight and the space with them: that is told as what it is."""
    looked(cloud)
    for path in ("/v3/apps", "/v3/spaces", PROCESSES):
        foundation.script(path, {"resources": []})
    clock.now += 10

    with pytest.raises(
        MissingError, match=r"probably lost its role there, its apps may well run .cf set-space-role ada"
    ):
        cloud.apps()


def test_an_app_that_was_deleted_is_missing(foundation, cloud, clock):
    """The space is still to be seen, and the app is not."""
    looked(cloud)
    foundation.script("/v3/apps", {"resources": []})
    foundation.script(PROCESSES, {"resources": []})
    clock.now += 10

    assert [one.state for one in cloud.apps()] == [MISSING]


def test_crashes_are_asked_for_when_something_moves(foundation, cloud, clock):
    """While the list of processes tells of no change the last answer holds, for a minute."""
    cloud.apps()
    clock.now += 61
    foundation.script(PROCESSES, process(("RUNNING", 161), ("RUNNING", 161)))
    cloud.apps()
    for _ in range(5):
        clock.now += 10
        cloud.crashes(0)
    assert len(foundation.asked("/v3/audit_events")) == 1
    foundation.script(PROCESSES, process(("RUNNING", 211), ("STARTING", 1)))
    cloud.apps()
    cloud.crashes(0)
    assert len(foundation.asked("/v3/audit_events")) == 2


def test_apps_are_found_by_labels(foundation, connect):
    """A label selector goes to Cloud Foundry as it is; apps by name are added."""
    options = Options(labels="celery=worker,team in (a,b)")
    cloud = CloudFoundry("cf", connect(foundation.url), org="demo", space="dev", selectors=["shop"], options=options)

    assert [one.name for one in cloud.apps()] == ["shop"]
    assert [one.query.get("label_selector") for one in foundation.asked("/v3/apps")] == [None, options.labels]


@pytest.mark.parametrize("version", ["3.228.0", "3.200.0", "3.190.0"])
def test_every_version_of_the_api_maps_indexes_to_guids(connect, version):
    """With embedded instances, with stats that tell guids, and with the guids that log-cache's lines carry."""
    speaker = "while true; do echo here; sleep 0.3; done"
    app = AppConfig("shop", (ProcessConfig(speaker, instances=2), ProcessConfig(SLEEPER, type="web")))
    with Emulator(configured(app, api_version=version)) as emulator:
        who = Credentials("platform.cf", username="ada", password="secret")
        cloud = CloudFoundry("cf", connect(emulator.url, who), org="demo", space="dev", selectors=["shop:worker"])

        def mapped():
            there = cloud.apps()[0].instances
            return there if all(one.state is RUNNING and one.guid for one in there) else None

        there = harness.wait_until(mapped, 15, "both indexes have their guids")
        slots = {one.guid for one in there}
        assert len(slots) == 2
        cloud.restart_instance(there[1])
        harness.wait_until(lambda: cloud.apps()[0].instances[1].state is not RUNNING, 10, "index 1 is stopped")
        emulator.foundation.diego.converge()
        after = harness.wait_until(
            lambda: (now := mapped()) and now[1].guid != there[1].guid and now, 20, "index 1 has a new guid"
        )
        assert after[0].guid == there[0].guid
        assert cloud.instance(there[1]).guid == after[1].guid
