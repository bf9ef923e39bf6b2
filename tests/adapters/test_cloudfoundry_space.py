"""One space of the emulator with real processes: apps, indexes, guids, crashes, restarts and logs as the platform tells them."""

import os
import re
import signal
import time

import pytest

import harness
from adapters.emulated import SLEEPER, configured
from celeriac.adapters.cloudfoundry import CloudFoundry, Credentials, recent
from celeriac.core.errors import MissingError, RefusedError, UnreachableError
from celeriac.core.model import App, Instance, InstanceState, Process
from celeriac.core.places import MISSING
from celeriac.emulator import AppConfig, Emulator, ProcessConfig

DOWN, STARTING, RUNNING, CRASHED = (
    InstanceState.DOWN,
    InstanceState.STARTING,
    InstanceState.RUNNING,
    InstanceState.CRASHED,
)
WHO = "echo WHO $NAME $CF_INSTANCE_INDEX $CF_INSTANCE_GUID END"
SPEAKER = f"{WHO}; exec sleep 1000"
SAYS = re.compile(r"^WHO (\S+) (\d+) (\S+) END$")
GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}")


def named(name, *processes, **settings):
    return AppConfig(name, processes or (ProcessConfig(SLEEPER),), env={"NAME": name}, **settings)


@pytest.fixture
def watch(connect):
    """Watch apps of an emulator's space."""

    def watched(emulator, *selectors, org="demo", space="dev", user="ada"):
        session = connect(emulator.url, Credentials("platform.cf", username=user, password="secret"))
        return CloudFoundry("cf", session, org=org, space=space, selectors=selectors)

    return watched


@pytest.fixture(scope="module")
def calm():
    """One emulator for the tests that only read."""
    apps = (
        named("shop", ProcessConfig(SLEEPER, instances=2), ProcessConfig(SLEEPER, type="web", health_check_timeout=90)),
        named("mail", ProcessConfig(SLEEPER, instances=12)),
        named(
            "idle", ProcessConfig(SLEEPER, instances=2), ProcessConfig(SLEEPER, type="none", instances=0), started=False
        ),
        named("a,b"),
    )
    with Emulator(configured(*apps)) as emulator:
        yield emulator


def states(cloud, app=0):
    return [one.state for one in cloud.apps()[app].instances]


def until(cloud, *wanted, app=0):
    harness.wait_until(lambda: states(cloud, app) == list(wanted), 10, f"{wanted}", dump=cloud.apps)
    return cloud.apps()[app].instances


def said(session, app_guid):
    """Return what the instances of an app said of themselves: name and guid by index, the newest last."""
    found = [SAYS.match(line.text) for line in recent(session, app_guid, limit=1000)]
    return [(one[1], int(one[2]), one[3]) for one in found if one]


def test_a_watched_app_is_shown_with_all_its_processes(calm, watch):
    """An app's name alone watches each of its process types, with what is wanted of it."""
    cloud = watch(calm, "shop")
    until(cloud, *[RUNNING] * 3)
    (app,) = cloud.apps()

    assert (app.platform, app.name, app.state) == ("cf", "shop", "STARTED")
    versions = {one.type: one.version for one in app.processes}
    assert set(app.processes) == {
        Process("worker", 2, 60.0, versions["worker"]),
        Process("web", 1, 90.0, versions["web"]),
    }
    assert all(len(version) == 36 for version in versions.values())
    assert [(one.process, one.index) for one in app.instances if one.process == "worker"] == [
        ("worker", 0),
        ("worker", 1),
    ]
    assert {(one.platform, one.app, one.app_guid) for one in app.instances} == {("cf", "shop", app.guid)}


@pytest.mark.parametrize(
    ("selector", "processes"), [("shop:worker", ["worker"]), ("shop:web", ["web"]), ("shop:no", [])]
)
def test_a_selector_may_name_one_process(calm, watch, selector, processes):
    """`name:process` leaves the app's other processes out."""
    (app,) = watch(calm, selector).apps()

    assert [one.type for one in app.processes] == processes
    assert {one.process for one in app.instances} == set(processes)


def test_several_selectors_watch_several_apps(calm, watch):
    """Each named app is there once, and no other."""
    apps = watch(calm, "mail", "shop:worker", "shop:web").apps()

    assert sorted((app.name, len(app.processes)) for app in apps) == [("mail", 1), ("shop", 2)]


def test_a_name_may_hold_a_comma(calm, watch):
    """A comma inside a name does not split the filter."""
    assert [(app.name, app.state) for app in watch(calm, "a,b").apps()] == [("a,b", "STARTED")]


@pytest.mark.parametrize("selector", ["SHOP", "Shop:WORKER", "sHoP:worker"])
def test_a_name_in_another_case_is_the_same_app(calm, watch, selector):
    """Cloud Foundry finds apps in any case; the app is neither missing nor watched in more processes than asked."""
    (app,) = watch(calm, selector).apps()

    wanted = {"SHOP": {"worker", "web"}, "Shop:WORKER": set(), "sHoP:worker": {"worker"}}[selector]
    assert (app.name, {one.type for one in app.processes}) == ("shop", wanted)


def test_a_watched_app_that_is_not_there_is_missing(calm, watch):
    """It is listed by its own name without a guid, beside those that are there."""
    apps = watch(calm, "shop", "No-Such:worker", "absent").apps()

    assert apps[0].name == "shop"
    assert apps[1:] == (App("cf", "", "absent", MISSING), App("cf", "", "No-Such", MISSING))


def test_an_unknown_organization_names_the_setting(calm, watch):
    """One sentence tells what to look at."""
    with pytest.raises(MissingError) as caught:
        watch(calm, "shop", org="nowhere").apps()

    assert str(caught.value) == "no organization 'nowhere' is to be seen; check platform.cf.org and the role"


def test_an_unknown_space_names_the_setting(calm, watch):
    """One sentence tells what to look at."""
    with pytest.raises(MissingError) as caught:
        watch(calm, "shop", space="nowhere").apps()

    assert str(caught.value) == (
        "no space 'nowhere' is to be seen; check platform.cf.space and the role "
        "(cf set-space-role ada demo nowhere SpaceAuditor)"
    )


def test_a_stopped_app_lists_its_wanted_indexes_as_down(calm, watch):
    """What is wanted stays known; a process of which none is wanted has no index."""
    (app,) = watch(calm, "idle").apps()

    assert app.state == "STOPPED"
    assert {(one.type, one.wanted) for one in app.processes} == {("worker", 2), ("none", 0)}
    assert app.instances == tuple(Instance("cf", "idle", app.guid, "worker", index, DOWN) for index in range(2))


def test_indexes_are_in_order_also_beyond_nine(calm, watch):
    """Index 10 follows 9."""
    cloud = watch(calm, "mail")

    assert [one.index for one in until(cloud, *[RUNNING] * 12)] == list(range(12))


def test_running_instances_have_guids_and_an_age(calm, watch):
    """Every instance has a guid of its own."""
    instances = until(watch(calm, "mail"), *[RUNNING] * 12)

    assert len({one.guid for one in instances}) == 12
    assert all(GUID.match(one.guid) and one.uptime_s >= 0 for one in instances)


def test_a_starting_instance_is_starting(launch, watch):
    """Until its container is there it is no running instance."""
    emulator = launch(named("shop"), start_seconds=30)

    assert states(watch(emulator, "shop")) == [STARTING]


def test_an_instance_without_room_is_down_and_says_why(launch, watch):
    """No cell has the memory: the platform's own words are kept, and there is no guid."""
    emulator = launch(named("shop", ProcessConfig(SLEEPER, instances=2, memory_mb=64)), cell_memory_mb=100)
    instances = until(watch(emulator, "shop"), RUNNING, DOWN)

    assert instances[0].details is None
    assert (instances[1].guid, instances[1].details) == (None, "insufficient resources: memory")


def test_an_instance_in_back_off_is_crashed(launch, watch):
    """After its third crash Diego lets it wait; it has no guid then."""
    emulator = launch(named("shop", ProcessConfig("exit 7")))
    instances = until(watch(emulator, "shop"), CRASHED)

    assert instances[0].guid is None


def test_an_api_that_tells_no_guids_yet_gives_instances_without(launch, watch):
    """Before 3.191 stats had no instance guid: the instance is there, unmapped."""
    emulator = launch(named("shop"), api_version="3.190.0")
    instances = until(watch(emulator, "shop"), RUNNING)

    assert [one.guid for one in instances] == [None]


@pytest.fixture
def twins(launch, watch):
    """Two apps of the same make, each with two process types of three instances that say who they are."""
    processes = [ProcessConfig(SPEAKER, type=kind, instances=3) for kind in ("worker", "beat")]
    cloud = watch(launch(named("shop", *processes), named("mail", *processes)), "shop", "mail")
    for number in range(2):
        until(cloud, *[RUNNING] * 6, app=number)
    return cloud


def test_guids_and_indexes_are_those_that_the_instances_themselves_know(twins):
    """No app, process or index gets another's guid: each instance's own environment says the same."""
    for app in twins.apps():
        spoken = harness.wait_until(
            lambda app=app: found if len(found := said(twins._session, app.guid)) == 6 else None,
            10,
            "all six have spoken",
        )

        assert sorted(spoken) == sorted((app.name, one.index, one.guid) for one in app.instances)


def test_only_the_wanted_index_of_the_wanted_app_is_restarted(twins):
    """Of twelve alike instances one gets a new guid, and all others keep theirs."""
    before = [one for app in twins.apps() for one in app.instances]
    chosen = next(one for one in before if (one.app, one.process, one.index) == ("mail", "beat", 1))
    twins.restart_instance(chosen)
    harness.wait_until(lambda: twins.instance(chosen).guid != chosen.guid, 10, "the instance is gone")
    after = [one for app in twins.apps() for one in app.instances]

    assert [one.place("c") for one in after] == [one.place("c") for one in before]
    changed = [old for old, new in zip(before, after, strict=True) if old.guid != new.guid]
    assert changed == [chosen]


def test_an_instance_is_read_again_as_it_is_now(twins):
    """The re-read right before an act has the same fields as the look before."""
    for app in twins.apps():
        for one in app.instances:
            now = twins.instance(one)
            assert (now.place("c"), now.guid, now.app_guid) == (one.place("c"), one.guid, one.app_guid)


def test_a_restarted_instance_comes_back_under_a_new_guid(launch, watch):
    """DELETE stops it; Diego's next convergence starts it again."""
    emulator = launch(named("shop", ProcessConfig(SLEEPER, instances=2)))
    cloud = watch(emulator, "shop")
    first, second = until(cloud, RUNNING, RUNNING)

    cloud.restart_instance(first)
    until(cloud, DOWN, RUNNING)
    assert cloud.instance(first).guid is None
    emulator.foundation.diego.converge()
    again = until(cloud, RUNNING, RUNNING)

    assert again[0].guid not in {None, first.guid}
    assert again[1].guid == second.guid
    assert cloud.crashes(0) == ()


def test_a_crashed_instance_can_be_restarted(launch, watch):
    """Also what waits in its back-off is taken away, with its count."""
    emulator = launch(named("shop", ProcessConfig("exit 7")))
    cloud = watch(emulator, "shop")
    (crashed,) = until(cloud, CRASHED)

    cloud.restart_instance(crashed)
    assert states(cloud) == [DOWN]


def test_an_index_that_is_gone_is_missing(launch, watch):
    """After the app was scaled down neither the re-read nor the restart finds it."""
    emulator = launch(named("shop", ProcessConfig(SLEEPER, instances=2)))
    cloud = watch(emulator, "shop")
    _, gone = until(cloud, RUNNING, RUNNING)
    cloud._session.order("POST", f"/v3/apps/{gone.app_guid}/processes/worker/actions/scale", {"instances": 1})

    with pytest.raises(MissingError, match=r"^shop has no index 1 of process worker any more$"):
        cloud.instance(gone)
    with pytest.raises(MissingError, match=r"^Instance not found \(404, request "):
        cloud.restart_instance(gone)


def test_an_app_or_process_that_is_gone_is_missing(calm, watch):
    """The platform's own words say what it does not know."""
    cloud = watch(calm, "shop")
    there = cloud.apps()[0].instances[0]

    for like in (
        Instance("cf", "x", "x", "worker", 0, RUNNING),
        Instance("cf", "shop", there.app_guid, "no", 0, RUNNING),
    ):
        for call in (cloud.instance, cloud.restart_instance):
            with pytest.raises(MissingError, match="not found"):
                call(like)


def test_a_guid_cannot_leave_its_place_in_the_path(calm, watch):
    """A guid from elsewhere is quoted whole."""
    cloud = watch(calm, "shop")
    app = cloud.apps()[0]

    with pytest.raises(MissingError):
        cloud.instance(Instance("cf", "shop", f"x/../{app.guid}", "worker", 0, RUNNING))


def test_a_role_that_may_only_look_is_refused(calm, watch):
    """eve sees everything and may change nothing."""
    cloud = watch(calm, "shop", user="eve")
    app = cloud.apps()[0]

    for order in (
        lambda: cloud.restart_instance(app.instances[0]),
        lambda: cloud.orders.restart_app(app),
        lambda: cloud.orders.scale(app, "worker", 1),
    ):
        with pytest.raises(RefusedError) as caught:
            order()
        assert str(caught.value).startswith(
            "our account lacks the right to do this in space 'dev'; a manager gives it by: "
            "cf set-space-role eve demo dev SpaceSupporter (You are not authorized"
        )
    assert [one.guid for one in cloud.apps()[0].instances] == [one.guid for one in app.instances]


def test_every_crash_is_told_once_with_its_own_guid(launch, watch):
    """Three exits of one index: three crashes, each with the guid that the instance itself knew, and the count."""
    begun = time.time()
    cloud = watch(launch(named("shop", ProcessConfig(f"{WHO}; exit 7"))), "shop")
    until(cloud, CRASHED)
    app = cloud.apps()[0]
    crashes = sorted(cloud.crashes(begun - 5), key=lambda one: one.count)

    assert [one.count for one in crashes] == [1, 2, 3]
    assert len({one.id for one in crashes}) == 3
    assert [one.instance_guid for one in crashes] == [guid for _, _, guid in said(cloud._session, app.guid)]
    assert {(one.platform, one.app, one.process, one.index) for one in crashes} == {("cf", "shop", "worker", 0)}
    assert {one.text for one in crashes} == {"APP/PROC/WORKER: Exited with status 7"}
    assert all(begun - 2 <= one.at <= time.time() + 1 for one in crashes)
    assert not any(one.clean_exit for one in crashes)
    assert set(cloud.crashes(begun - 5)) == set(crashes)


def test_crashes_are_not_mixed_up_between_apps_and_indexes(launch, watch):
    """Two apps crash beside each other: every crash carries the app, index and guid of the instance that ended."""
    apps = [named(name, ProcessConfig(f"{WHO}; exit {code}", instances=3)) for name, code in (("shop", 3), ("mail", 4))]
    cloud = watch(launch(*apps), "shop", "mail")
    for number in range(2):
        until(cloud, *[CRASHED] * 3, app=number)
    spoken = [one for app in cloud.apps() for one in said(cloud._session, app.guid)]
    crashes = cloud.crashes(0)

    assert sorted((one.app, one.index, one.instance_guid) for one in crashes) == sorted(spoken)
    assert len(crashes) == 2 * 3 * 3
    assert {(one.app, one.text[-1]) for one in crashes} == {("shop", "3"), ("mail", "4")}


def test_crashes_of_what_is_not_watched_are_left_out(launch, watch):
    """Neither other apps nor other processes of a watched app count."""
    crashing, calm = ProcessConfig("exit 7", type="beat"), ProcessConfig(SLEEPER)
    emulator = launch(named("shop", crashing, calm), named("mail", ProcessConfig("exit 7")))
    everything, cloud = watch(emulator, "shop", "mail"), watch(emulator, "shop:worker")
    harness.wait_until(
        lambda: everything.apps() and len(everything.crashes(0)) == 6, 10, "all crashes are told", dump=everything.apps
    )
    cloud.apps()

    assert cloud.crashes(0) == ()
    assert {(one.app, one.process) for one in everything.crashes(0)} == {("shop", "beat"), ("mail", "worker")}


def test_an_exit_with_status_0_is_a_crash_of_its_own_kind(launch, watch):
    """Diego restarts it like any other; the text tells that it ended by itself."""
    cloud = watch(launch(named("shop", ProcessConfig("exit 0"))), "shop")
    until(cloud, CRASHED)

    assert {(one.text, one.clean_exit) for one in cloud.crashes(0)} == {("Codependent step exited", True)}


def test_a_killed_instance_is_a_crash(launch, watch):
    """SIGKILL from outside shows as status 137 of just that index."""
    cloud = watch(launch(named("shop", ProcessConfig(f"{SPEAKER}", instances=2))), "shop")
    before = until(cloud, RUNNING, RUNNING)
    pids = {one.guid: harness.carrying(f"CF_INSTANCE_GUID={one.guid}") for one in before}
    harness.wait_until(lambda: all(pids.values()), 5, "both are found")
    for pid in pids[before[1].guid]:
        os.kill(pid, signal.SIGKILL)
    (crash,) = harness.wait_until(lambda: cloud.crashes(0), 10, "the crash is told")

    assert (crash.index, crash.instance_guid, crash.count) == (1, before[1].guid, 1)
    assert crash.text == "APP/PROC/WORKER: Exited with status 137"


def test_only_crashes_since_then_are_told(launch, watch):
    """The platform keeps whole seconds, so the bound is the second in which `since` lies."""
    cloud = watch(launch(named("shop", ProcessConfig("exit 7"))), "shop")
    until(cloud, CRASHED)
    newest = max(one.at for one in cloud.crashes(0))

    assert len(cloud.crashes(newest - 60)) == 3
    assert cloud.crashes(newest + 2) == ()


def test_before_the_first_look_at_the_apps_no_crash_is_known(launch, watch):
    """Crashes are asked for by the guids of the watched apps."""
    cloud = watch(launch(named("shop", ProcessConfig("exit 7"))), "shop")

    assert cloud.crashes(0) == ()


def test_an_app_is_restarted_stopped_and_started(launch, watch):
    """A restart gives every index a new guid; an app that others stop is stopped, and starts again."""
    cloud = watch(launch(named("shop", ProcessConfig(SLEEPER, instances=2)), named("mail")), "shop", "mail")
    before, other = until(cloud, RUNNING, RUNNING), until(cloud, RUNNING, app=1)
    app = cloud.apps()[0]

    cloud.orders.restart_app(app)
    restarted = until(cloud, RUNNING, RUNNING)
    assert not {one.guid for one in restarted} & {one.guid for one in before}
    cloud._session.order("POST", f"/v3/apps/{app.guid}/actions/stop")
    assert cloud.apps()[0].state == "STOPPED"
    assert states(cloud) == [DOWN, DOWN]
    cloud._session.order("POST", f"/v3/apps/{app.guid}/actions/start")
    started = until(cloud, RUNNING, RUNNING)
    assert not {one.guid for one in started} & {one.guid for one in (*before, *restarted)}
    assert [one.guid for one in cloud.apps()[1].instances] == [one.guid for one in other]
    assert cloud.crashes(0) == ()


def test_orders_to_an_unknown_app_are_missing(calm, watch):
    """The guid of an app that is gone finds nothing, and what that may mean is told."""
    cloud, gone = watch(calm, "shop"), App("cf", "no-such-guid", "shop", "STARTED")

    for order in (cloud.orders.restart_app, lambda app: cloud.orders.scale(app, "worker", 2)):
        with pytest.raises(MissingError, match=r"App not found.*or our account has lost its role in space 'dev'"):
            order(gone)


def test_recent_logs_are_the_newest_lines_oldest_first(launch, watch):
    """Each line has its time, its source, its index and its stream."""
    command = 'for n in 1 2 3; do echo "out $n é"; done; echo problem >&2; exec sleep 1000'
    cloud = watch(launch(named("shop", ProcessConfig(command))), "shop")
    guid = cloud.apps()[0].guid

    def spoken():
        lines = [one for one in recent(cloud._session, guid) if one.source == "APP/PROC/WORKER"]
        return lines if len(lines) == 4 else None

    lines = harness.wait_until(spoken, 10, "all four lines are there")
    assert [one.text for one in lines if one.stream == "OUT"] == ["out 1 é", "out 2 é", "out 3 é"]
    assert [(one.text, one.index) for one in lines if one.stream == "ERR"] == [("problem", 0)]
    assert [one.at for one in lines] == sorted(one.at for one in lines)
    assert abs(lines[0].at - time.time()) < 30
    everything = recent(cloud._session, guid)
    assert recent(cloud._session, guid, limit=2) == everything[-2:]


def test_logs_of_an_unknown_app_are_missing(calm, watch):
    """Log-cache answers 404 for what it does not know and for what one may not see."""
    with pytest.raises(MissingError, match=r"^Cloud Foundry answered Not Found \(404"):
        recent(watch(calm, "shop")._session, "no-such-guid")


def test_the_newest_lines_of_one_instance_are_told_apart(launch, watch):
    cloud = watch(launch(named("shop", ProcessConfig(SPEAKER, instances=2))), "shop")

    def spoken():
        there = cloud.apps()[0].instances
        found = [[line.text for line in cloud.logs(one, 500)] for one in there]
        return found if all(any("WHO shop" in text for text in texts) for texts in found) else None

    for index, texts in enumerate(harness.wait_until(spoken, 10, "both have spoken")):
        (line,) = [text for text in texts if "WHO shop" in text]
        assert line.startswith(f"APP/PROC/WORKER OUT WHO shop {index} ")
    assert len(cloud.logs(cloud.apps()[0].instances[0], 1)) == 1


def test_lines_of_another_process_type_are_not_its_own(launch, watch):
    """Their indexes have the same numbers."""
    speak = "echo I am a {0}; exec sleep 1000"
    types = [ProcessConfig(speak.format(one), type=one) for one in ("worker", "beat")]
    cloud = watch(launch(named("shop", *types)), "shop")

    def spoken():
        there = {one.process: one for one in cloud.apps()[0].instances}
        said = {name: [line.text for line in cloud.logs(one, 500)] for name, one in there.items()}
        return said if all(any("I am" in text for text in texts) for texts in said.values()) else None

    said = harness.wait_until(spoken, 10, "both have spoken")
    assert [text for text in said["worker"] if "I am" in text] == ["APP/PROC/WORKER OUT I am a worker"]
    assert [text for text in said["beat"] if "I am" in text] == ["APP/PROC/BEAT OUT I am a beat"]


def test_what_befell_an_app_is_told_without_its_settings(launch, watch):
    cloud = watch(launch(named("shop")), "shop")
    begun = time.time() - 60
    (one,) = until(cloud, RUNNING)
    cloud.restart_instance(one)

    def told():
        return cloud.events(one, begun)

    events = harness.wait_until(told, 10, "the restart is told")
    assert events[-1].text.startswith("audit.app.process.terminate_instance by ada")
    assert events[-1].text.endswith("process_index=0")
    assert abs(events[-1].at - time.time()) < 30
    assert cloud.events(one, time.time() + 3600) == ()


# What people do to apps ----------------------------------------------------------------------------------------------


def told(cloud, since=0.0):
    return sorted((one.what, one.actor, one.process, one.index, one.own, one.active) for one in cloud.changes(since))


def test_what_others_do_is_told_by_whom(launch, watch, connect):
    """Somebody else's restart, scaling and restart of one instance; ours are marked as made under our account."""
    begun = time.time()
    emulator = launch(named("shop", ProcessConfig(SLEEPER, instances=2)), named("mail"))
    ours = watch(emulator, "shop")
    theirs = connect(emulator.url, Credentials("x", client_id="robot", client_secret="r2d2-secret"))
    first, _ = until(ours, RUNNING, RUNNING)

    ours.restart_instance(first)
    ours._session.order("POST", f"/v3/apps/{first.app_guid}/actions/restart")
    scale = f"/v3/apps/{first.app_guid}/processes/worker/actions/scale"
    theirs.order("POST", scale, {"instances": 3})
    theirs.order("DELETE", f"/v3/apps/{first.app_guid}/processes/worker/instances/1")

    assert told(ours, begun - 5) == [
        ("restarted instance 0 of process worker", "ada", "worker", 0, True, False),
        ("restarted instance 1 of process worker", "robot", "worker", 1, False, False),
        ("restarted the app", "ada", None, None, True, False),
        ("scaled process worker to 3", "robot", "worker", None, False, False),
    ]
    assert {(one.platform, one.app) for one in ours.changes(0)} == {("cf", "shop")}
    assert all(begun - 2 <= one.at <= time.time() + 1 for one in ours.changes(0))
    assert ours.changes(time.time() + 2) == ()


def test_an_active_deployment_is_told_until_it_ends(launch, watch):
    """It shows as under way, however long ago it began, beside the event of its beginning."""
    web = ProcessConfig(SLEEPER, type="web")
    emulator = launch(named("shop", web, ProcessConfig(SLEEPER)), named("mail"), speed=0.01)
    cloud = watch(emulator, "shop:worker")
    (app,) = cloud.apps()
    until(cloud, RUNNING)
    body = {"relationships": {"app": {"data": {"guid": app.guid}}}}
    cloud._session.order("POST", "/v3/deployments", body)

    later = time.time() + 2
    assert told(cloud, later) == [("has a deployment under way, begun", None, None, None, False, True)]
    assert ("began a deployment", "ada", None, None, True, False) in told(cloud)

    def finished():
        emulator.foundation.deployments.update()
        return cloud.changes(later) == ()

    harness.wait_until(finished, 10, "the deployment is over", dump=cloud.apps)
    again = cloud.apps()[0]
    assert again.processes[0].version not in {None, app.processes[0].version}


def test_before_the_first_look_at_the_apps_nothing_is_known_of_changes(launch, watch):
    """That is no answer: it must not pass for nobody being at work."""
    with pytest.raises(UnreachableError, match="no watched app has been seen yet"):
        watch(launch(named("shop")), "shop").changes(0)
