"""`celeriac restart` and `celeriac scale`: what they say before, what they ask, and what they order."""

import pytest
from msgspec.structs import replace

from celeriac.core.incident import RemedyKind, Scale, Strategy
from celeriac.core.model import Process
from cli.outcome import said
from web import samples


def with_processes(world, *processes):
    board = world.journal.boards["orders"]
    world.journal.boards["orders"] = replace(board, apps=(replace(board.apps[0], processes=processes),))


def ordered(world):
    (order,) = world.requests.asked.values()
    return order


@pytest.mark.parametrize("flags", [(), ("--rolling",)])
def test_an_app_is_restarted_one_instance_at_a_time(celeriac, world, flags):
    text = said(celeriac("restart", "orders-worker", *flags, "--yes", "--no-wait"))

    assert "will restart the 6 instances of orders-worker in orders, one at a time" in text
    assert "they run 14 tasks now, which are cut off" in text
    assert "In this order: orders-worker/0, orders-worker/1, " in text
    assert (ordered(world).kind, ordered(world).strategy) == (RemedyKind.RESTART_APP, Strategy.ROLLING)


def test_all_at_once(celeriac, world):
    text = said(celeriac("restart", "orders-worker", "--all-at-once", "--yes", "--no-wait"))

    assert "will stop all 6 instances of orders-worker in orders at once and start new ones" in text
    assert "Until these have come up nothing is consumed." in text
    assert ordered(world).strategy is Strategy.ALL_AT_ONCE


@pytest.mark.parametrize("named", [("orders-worker", "--instance", "2"), ("orders-worker/2",)])
def test_one_instance_by_its_index_or_its_worker(celeriac, world, named):
    text = said(celeriac("restart", *named, "--yes", "--no-wait"))

    assert "The keeper will stop index 2 of orders-worker (worker, now RUNNING" in text
    assert (ordered(world).kind, ordered(world).guid) == (RemedyKind.RESTART_INSTANCE, samples.GUID.format(2))


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("restart", "nope", "--rolling"), "The app nope is not watched."),
        (("restart", "nope"), "No worker 'nope' is known"),
        (("restart", "orders-worker", "--instance", "77"), "orders-worker has no index 77 of process worker."),
        (("restart", "orders-worker", "--instance", "1", "--rolling"), "--instance restarts one index"),
        (
            ("restart", "orders-worker", "--instance", "2", "--process", "beat"),
            "orders-worker has no index 2 of process beat.",
        ),
        (("scale", "nope", "3"), "The app nope is not watched."),
        (("scale", "orders-worker", "6"), "orders-worker has 6 instances of process worker already."),
        (("scale", "orders-worker", "-1"), "-1"),
        (
            ("scale", "orders-worker", "3", "--process", "web"),
            "no process web; it has: worker (6 wanted). Add --process.",
        ),
    ],
)
def test_what_cannot_be_ordered(celeriac, world, words, why):
    result = celeriac(*words, "--yes")
    assert why in result.stderr
    assert result.exit_code != 0
    assert world.requests.asked == {}


def test_a_no_orders_nothing(celeriac, world):
    for words in (("restart", "orders-worker", "--all-at-once"), ("scale", "orders-worker", "2")):
        result = celeriac(*words, typed="n\n")
        assert "Nothing was done." in result.stdout
    assert world.requests.asked == {}


def test_scaling_down_says_who_goes(celeriac, world):
    text = said(celeriac("scale", "orders-worker", "4", "--yes", "--no-wait"))
    assert (
        "The workers at index 4, 5 of orders-worker (worker) in orders end what they have and are stopped; 4 of 6 instances"
        in text
    )
    assert ordered(world).scale == Scale("worker", 6, 4, drain=True)


def test_scaling_down_without_draining(celeriac, world):
    text = said(celeriac("scale", "orders-worker", "5", "--no-drain", "--process", "worker", "--yes", "--no-wait"))
    assert "index 5 of orders-worker (worker) in orders are stopped; the tasks that they run are cut off" in text
    assert ordered(world).scale == Scale("worker", 6, 5, drain=False)


def test_one_name_on_two_platforms_is_told_apart_by_ids(celeriac, world):
    board = world.journal.boards["orders"]
    twin = replace(board.apps[0], platform="cf-west", guid="app-guid-west")
    world.journal.boards["orders"] = replace(board, apps=(*board.apps, twin))
    for verb in (("scale", "orders-worker", "4"), ("restart", "orders-worker")):
        result = celeriac(*verb, "--yes")
        assert "is on cloudfoundry (id app-guid-1), cf-west (id app-guid-west); give its id" in result.stderr
    assert world.requests.asked == {}


def test_an_index_that_nobody_has_judged_yet_is_asked_about_too(celeriac, world):
    board = world.journal.boards["orders"]
    world.journal.boards["orders"] = replace(board, findings=())
    result = celeriac("restart", "orders-worker", "--instance", "2", typed="n\n")
    assert "will stop index 2 of orders-worker (worker, now RUNNING, guid " in result.stdout
    assert "Restart index 2 of orders-worker?" in result.output
    assert "Nothing was done." in result.stdout


def test_scaling_up(celeriac, world):
    text = said(celeriac("scale", "orders-worker", "9", "--yes", "--no-wait"))
    assert "will be told to run 9 instances of orders-worker (worker) in orders, now 6; each new one is proven" in text
    assert ordered(world).scale == Scale("worker", 6, 9)


def test_of_several_processes_the_only_one_that_is_wanted_is_scaled(celeriac, world):
    with_processes(world, Process("web", 0), Process("worker", 6))
    result = celeriac("scale", "orders-worker", "4", "--no-wait", typed="y\n")
    assert "Scale worker of orders-worker from 6 to 4?" in result.output
    assert ordered(world).scale == Scale("worker", 6, 4, drain=True)


def test_of_several_that_are_wanted_one_is_named(celeriac, world):
    with_processes(world, Process("web", 2), Process("worker", 6))
    result = celeriac("scale", "orders-worker", "4", "--yes")
    assert "no one process that is meant; it has: web (2 wanted), worker (6 wanted). Add --process." in result.stderr
    assert world.requests.asked == {}
