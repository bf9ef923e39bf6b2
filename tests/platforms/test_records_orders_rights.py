"""The promises of the ports that people's verbs use, held on each platform: good days, gone apps and platforms, refusals."""

import time

import pytest
from msgspec.structs import replace

import harness
from celeriac.core.errors import MissingError, PortError, RefusedError, UnreachableError
from platforms.staged import ENV

pytestmark = pytest.mark.timeout(90)

COUNTING = "n=0; while :; do n=$((n+1)); echo n$n; sleep 0.05; done"

OF_AN_APP = {
    "lines": lambda stage, app: stage.records.lines(app, 10),
    "follow": lambda stage, app: next(stage.records.follow(app, time.time() - 60)),
    "events": lambda stage, app: stage.records.events(app, 10),
    "environment": lambda stage, app: stage.records.environment(app),
    "room": lambda stage, app: stage.records.room(app),
    "restart_app": lambda stage, app: stage.orders.restart_app(app),
    "scale": lambda stage, app: stage.orders.scale(app, "worker", 1),
    "scaled_by": lambda stage, app: stage.orders.scaled_by(app),
}
OF_US = {
    "rights": lambda stage, _: stage.rights.rights(),
    "clock_ahead": lambda stage, _: stage.rights.clock_ahead(),
}
FOR_DEVELOPERS = ("restart_app", "scale", "environment", "scaled_by")
TO_MEND = {"local": "run Celeriac as the same user", "cloudfoundry": "cf set-space-role eve demo dev SpaceSupporter"}


def numbers(lines):
    return [int(one.text[1:]) for one in lines if one.source == "APP/PROC/WORKER" and one.text.startswith("n")]


def outcomes(stage, app, asked):
    """Return the kind of error that each question or order ended with, or None; each error is one sentence."""

    def outcome(ask):
        try:
            ask(stage, app)
        except PortError as error:
            return error
        return None

    found = {name: outcome(ask) for name, ask in asked.items()}
    said = {name: str(error) for name, error in found.items() if error}
    assert {name: text for name, text in said.items() if not text or "\n" in text} == {}
    return {name: error and type(error) for name, error in found.items()}


def test_the_newest_lines_are_told_oldest_first_with_whose_they_are(stage):
    stage = stage(worker="echo one; echo two >&2; exec sleep 1000")
    stage.until_running(2)

    def said():
        found = [one for one in stage.records.lines(stage.app(), 100) if one.source == "APP/PROC/WORKER"]
        return found if len(found) == 4 else None

    found = harness.wait_until(said, 10, "both have spoken", dump=stage.dump)
    assert {(one.process, one.index, one.stream, one.text) for one in found} == {
        ("worker", index, stream, text) for index in (0, 1) for stream, text in (("OUT", "one"), ("ERR", "two"))
    }
    every = stage.records.lines(stage.app(), 100)
    assert [one.at for one in every] == sorted(one.at for one in every)
    assert stage.records.lines(stage.app(), 3) == every[-3:]


def test_lines_are_followed_from_then_on_each_once(stage):
    stage = stage(worker=COUNTING, instances=1)
    stage.until_running(1)
    harness.wait_until(lambda: numbers(stage.records.lines(stage.app(), 100))[5:], 10, "it counts", dump=stage.dump)
    since = next(one.at for one in stage.records.lines(stage.app(), 100) if one.text == "n3") + 1e-6
    found = []
    for lines in stage.records.follow(stage.app(), since):
        found += numbers(lines)
        if len(found) > 30:
            break
    assert found == list(range(4, 4 + len(found)))


def test_who_follows_a_quiet_app_hears_that_there_is_nothing(stage):
    stage = stage(instances=1)
    stage.until_running(1)
    following = stage.records.follow(stage.app(), time.time() + 1)
    begun = time.monotonic()
    assert [next(following) for _ in range(4)] == [()] * 4
    assert 2 < time.monotonic() - begun < 8


def test_events_are_told_newest_first_by_whom_and_in_words(stage):
    stage = stage()
    stage.until_running(2)
    stage.orders.scale(stage.app(), "worker", 1)
    stage.until_running(1)
    stage.orders.restart_app(stage.app())

    found = stage.records.events(stage.app(), 10)
    assert {one.text.partition("scaled")[2] or one.text.partition("restarted")[2] for one in found} >= {
        " process worker to 1",
        " the app",
    }
    assert [one.at for one in found] == sorted((one.at for one in found), reverse=True)
    assert len({one.id for one in found}) == len(found)
    assert all(one.actor for one in found)
    assert stage.records.events(stage.app(), 1) == found[:1]


def test_the_environment_is_told_by_name_and_without_secrets(stage):
    stage = stage()
    found = stage.records.environment(stage.app())
    told = {one.name: one.value for one in found}
    assert {name: told[name] for name in ENV} == {"GREETING": "hello", "DB_PASSWORD": None, "BROKER_URL": None}
    assert "hunter2" not in repr(found)
    assert [one.name for one in found] == sorted(told)


def test_room_is_what_quotas_leave_where_there_are_quotas(stage):
    """On purpose different: a host has none."""
    stage = stage()
    stage.until_running(2)
    if stage.kind == "local":
        assert stage.records.room(stage.app()) == ()
        return
    assert [one.instances_left for one in stage.records.room(stage.app())] == [stage.most - 2]
    stage.orders.scale(stage.app(), "worker", 3)
    assert [one.instances_left for one in stage.records.room(stage.app())] == [stage.most - 3]


def test_the_app_of_a_place_is_read_as_it_is_now(stage):
    """And an app that is not there, or not any more, is missing."""
    stage = stage()
    stage.until_running(2)
    app = stage.app()
    place = app.instances[0].place("orders")

    assert stage.orders.read(place).processes == app.processes
    stage.orders.scale(app, "worker", 1)
    assert [one.wanted for one in stage.orders.read(place).processes if one.type == "worker"] == [1]
    with pytest.raises(MissingError):
        stage.orders.read(replace(place, app="blog"))


def test_a_restarted_app_has_new_instances_and_a_new_version(stage):
    stage = stage()
    before = {one.guid for one in stage.until_running(2)}
    version, begun = stage.app().processes[0].version, time.time() - 2

    def all_new():
        return all(guid and guid not in before for guid in stage.guids())

    stage.orders.restart_app(stage.app())
    harness.wait_until(all_new, 15, "others run", dump=stage.dump)

    assert stage.app().processes[0].version != version
    assert stage.crashes(begun) == ()
    (change,) = stage.platform.changes(begun)
    assert (change.what, change.process, change.index, change.own) == ("restarted the app", None, None, True)


def test_scaling_down_ends_the_highest_indexes_and_up_starts_new_ones(stage):
    stage = stage(instances=3)
    before, begun = [one.guid for one in stage.until_running(3)], time.time() - 2

    stage.orders.scale(stage.app(), "worker", 1)
    harness.wait_until(lambda: stage.guids() == before[:1], 10, "the highest are gone", dump=stage.dump)
    stage.orders.scale(stage.app(), "worker", 3)
    after = [one.guid for one in stage.until_running(3)]

    assert after[0] == before[0]
    assert not set(after[1:]) & set(before)
    assert stage.crashes(begun) == ()
    told = {one.what: (one.process, one.index, one.own) for one in stage.platform.changes(begun)}
    assert told == dict.fromkeys(("scaled process worker to 1", "scaled process worker to 3"), ("worker", None, True))


def test_more_than_is_allowed_is_refused_with_the_platforms_own_reason_and_changes_nothing(stage):
    stage = stage()
    before = [one.guid for one in stage.until_running(2)]
    reason = {"local": "instances must be 0 to 100", "cloudfoundry": "app_instance_limit_exceeded"}[stage.kind]

    with pytest.raises(RefusedError, match=reason):
        stage.orders.scale(stage.app(), "worker", stage.most + 1)
    with pytest.raises(RefusedError):
        stage.orders.scale(stage.app(), "worker", -1)
    assert stage.guids() == before


def test_an_unknown_process_is_missing_and_nothing_changes(stage):
    stage = stage()
    before = [one.guid for one in stage.until_running(2)]

    with pytest.raises(MissingError):
        stage.orders.scale(stage.app(), "clock", 1)
    assert stage.guids() == before


def test_nothing_else_scales_it(stage):
    stage = stage()
    assert stage.orders.scaled_by(stage.app()) is None


def test_who_may_everything_is_told_so_and_the_clocks_agree(stage):
    stage = stage()
    rights = stage.rights.rights()
    assert (rights.acts, rights.reads_env, rights.lacking) == (True, True, ())
    assert rights.account
    assert rights.role
    assert abs(stage.rights.clock_ahead()) < 2


def test_an_app_that_is_not_there_is_missing_whatever_is_asked_or_ordered(stage):
    """On purpose different: room is that of the whole space on Cloud Foundry, and the app is not looked for."""
    stage = stage()
    before = [one.guid for one in stage.until_running(2)]
    other = replace(stage.app(), name="blog", guid="4a6f5f2e-0000-4000-8000-000000000000")
    missing = dict.fromkeys(OF_AN_APP, MissingError)

    assert outcomes(stage, other, OF_AN_APP) == missing | ({} if stage.kind == "local" else {"room": None})
    assert stage.guids() == before


def test_a_platform_that_is_gone_is_unreachable_whatever_is_asked_or_ordered(stage):
    stage = stage()
    stage.until_running(2)
    app, asked = stage.app(), OF_AN_APP | OF_US
    stage.end()

    begun = time.monotonic()
    assert outcomes(stage, app, asked) == dict.fromkeys(asked, UnreachableError)
    assert time.monotonic() - begun < 30


def test_a_platform_that_goes_while_it_is_followed_ends_that_at_once_or_after_a_while(stage):
    """On purpose different: Cloud Foundry's log cache is awaited for half a minute."""
    stage = stage(instances=1)
    stage.until_running(1)
    following = stage.records.follow(stage.app(), time.time() - 60)
    harness.wait_until(lambda: next(following), 15, "lines are followed", dump=stage.dump)
    stage.end()

    if stage.kind == "cloudfoundry":
        assert [next(following) for _ in range(3)] == [()] * 3
    else:
        with pytest.raises(UnreachableError):
            next(following)


def test_who_may_order_nothing_is_refused_and_changes_nothing(stage):
    """On purpose different: an auditor of Cloud Foundry may look; who cannot connect to a socket may not even ask."""
    stage = stage()
    before, app, asked = [one.guid for one in stage.until_running(2)], stage.app(), OF_AN_APP | OF_US
    with stage.stranger() as stranger:
        found = outcomes(stranger, app, asked)
        with pytest.raises(RefusedError):
            stranger.platform.restart_instance(app.instances[0])
        with pytest.raises(RefusedError, match=TO_MEND[stage.kind]):
            stranger.orders.restart_app(app)
        lacking = stranger.rights.rights() if stage.kind == "cloudfoundry" else None

    assert stage.guids() == before
    refused = dict.fromkeys(asked, RefusedError)
    if lacking is None:
        assert found == refused
        return
    assert found == dict.fromkeys(asked) | dict.fromkeys(FOR_DEVELOPERS, RefusedError)
    assert (lacking.role, lacking.acts, lacking.reads_env) == ("space_auditor", False, False)
    assert TO_MEND[stage.kind] in " ".join(lacking.lacking)
