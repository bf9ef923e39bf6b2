"""The checkup line by line: each as it should be, as it should not, and what lies right beside the border."""

import pytest
from msgspec.structs import replace

from celeriac.core.apps import Rights
from celeriac.core.checkup import State, checkup, counted
from celeriac.core.checkup.facts import Access, Denied, FileState, Lease, Purpose, StoreState, Told
from celeriac.core.limits import Policy
from celeriac.core.memory import Board
from celeriac.core.model import App, Clients, InstanceState, Mode, Pool
from celeriac.core.places import MISSING
from celeriac.core.readings import Known, Unknown
from celeriac.core.retention import Retention
from core.builders import NOW, app, instance, stream, worker
from core.checked import GIGABYTE, alive, cluster, facts, file, lines, of_cluster, of_platform, of_store

AWAY = Unknown("no answer within 6 s")
GONE = Denied("Redis: Connection refused")
OK, WARN, FAIL = State


def told(line):
    """Return state and text of a line."""
    return line.state, line.text


def test_all_is_well_but_that_nobody_is_told() -> None:
    """This version has no alerts, and says so."""
    found = lines()

    assert {one.id for one in found.values() if one.state is not OK} == {"celeriac/alerts"}
    assert all(one.cost is None and one.fix is None for one in found.values() if one.state is OK)


def test_each_line_has_an_id_of_its_own_and_subjects_stay_together() -> None:
    """Clusters, platforms, the store, Celeriac: in this order, each once."""
    second = replace(cluster(), name="billing")
    found = checkup(facts(clusters=(cluster(), second)))

    assert len({one.id for one in found}) == len(found)
    subjects = list(dict.fromkeys(one.subject for one in found))
    assert subjects == ["cluster orders", "cluster billing", "platform cf", "store", "celeriac"]
    grouped = [one for subject in subjects for one in found if one.subject == subject]
    assert grouped == list(found)


def test_what_is_not_well_says_what_it_costs() -> None:
    """Where nothing runs and nothing answers each warning and failure names its cost."""
    silent = cluster(
        access=GONE, clients=GONE, stream=GONE, discovered=GONE, told=GONE, results=GONE, watched=GONE, policy=GONE
    )
    found = checkup(facts(clusters=(replace(silent, board=None),), store=GONE, lease=GONE))

    assert all(one.cost for one in found if one.state is not OK)
    assert counted(found)[FAIL] >= 4


def test_a_defect_in_one_check_hides_no_other() -> None:
    """It is a line of its own, and a warning."""
    whole = set(lines())
    broken = lines(clusters=(replace(cluster(), pools="nonsense"),))

    defects = {id for id in broken if id.endswith("-defect")}
    assert defects == {"cluster/orders/pools-defect"}
    assert broken["cluster/orders/pools-defect"].state is WARN
    assert set(broken) - defects == whole - {"cluster/orders/pools"}


# The broker


def test_a_broker_that_refuses_or_is_away_fails_and_one_not_read_in_time_cannot_be_told() -> None:
    line = of_cluster("broker", access=GONE)
    assert told(line) == (FAIL, "the broker does not let us in: Redis: Connection refused")
    assert "[[cluster]] orders" in line.fix
    assert of_cluster("broker", access=AWAY).state is WARN
    assert of_cluster("broker", access=None).state is WARN
    assert of_cluster("broker-events", access=GONE) is None


@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_missing_right_is_named_with_the_command_that_gives_it(purpose: Purpose) -> None:
    """Only what tells fates of tasks is a warning: all else is a part of verdicts."""
    lacks = Access(purpose, ("CLIENT LIST",), ("CLIENT LIST",), "ACL SETUSER celeriac +client|list")
    line = of_cluster(f"broker-{purpose}", access=(lacks,))

    assert line.state is (WARN if purpose is Purpose.MESSAGES else FAIL)
    assert line.text == "our account lacks CLIENT LIST"
    assert line.fix == "ACL SETUSER celeriac +client|list"


def test_a_right_that_could_not_be_tried_is_a_warning() -> None:
    line = of_cluster("broker-events", access=(Access(Purpose.EVENTS, ("x",), unsure="there is no exchange celeryev"),))
    assert line.state is WARN
    assert line.text.endswith("there is no exchange celeryev")


def test_names_of_connections_matter_on_redis_only() -> None:
    line = of_cluster("client-names", clients=Clients({}))
    assert line.state is WARN
    assert "client_name" in line.fix
    assert of_cluster("client-names", clients=GONE).state is WARN
    assert of_cluster("client-names", broker="rabbitmq") is None


def test_the_management_api_matters_on_rabbitmq_only() -> None:
    assert of_cluster("management") is None
    assert of_cluster("management", broker="rabbitmq").state is WARN
    assert of_cluster("management", broker="rabbitmq", management=True).state is OK
    unread = of_cluster("management", broker="rabbitmq", management=True, clients=Clients(unread="it refuses: (401)"))
    assert told(unread) == (FAIL, "it refuses: (401)")


@pytest.mark.parametrize(
    ("heartbeats", "state", "cost"),
    [
        ({"w@a": 10.0, "w@b": 2.0}, OK, None),
        ({"w@a": 15.0}, OK, None),
        ({"w@a": 16.0}, WARN, "up to 32 s"),
        ({"w@a": 10.0, "w@b": 60.0}, WARN, "up to 120 s"),
        ({"w@a": 0.0, "w@b": 60.0}, WARN, "10 minutes"),
        ({}, WARN, None),
        (None, WARN, None),
        (GONE, WARN, None),
    ],
)
def test_amqp_heartbeats_tell_how_soon_a_hang_is_found(heartbeats, state, cost) -> None:
    reading = Known(heartbeats, NOW)
    line = of_cluster("broker-heartbeat", broker="rabbitmq", heartbeats=reading)
    assert line.state is state
    assert cost is None or cost in line.cost


# What is heard


@pytest.mark.parametrize(("age", "state"), [(4.9, OK), (5.1, FAIL)])
def test_an_observer_that_says_nothing_fails_in_a_server_and_warns_where_nothing_need_run(age, state) -> None:
    said = stream(now=NOW - age)
    assert of_cluster("observer", stream=said).state is state
    if state is FAIL:
        assert of_cluster("observer", stream=said, serving=False).state is WARN
        needs = ("events", "lag", "losses", "workers", "task-events", "clocks", "names")
        assert all("needs one" in of_cluster(check, stream=said).text for check in needs)
        assert all(of_cluster(check, stream=said).state is WARN for check in needs)


def test_a_store_that_nothing_was_written_to() -> None:
    assert of_cluster("observer", stream=Known(None, NOW)).state is FAIL
    assert of_cluster("observer", stream=GONE, serving=False).state is WARN
    assert of_cluster("observer", stream=AWAY).state is WARN


@pytest.mark.parametrize(
    ("flowing", "state"), [(None, FAIL), (39.0, WARN), (41.0, OK)], ids=["nothing flows", "just now", "long enough"]
)
def test_our_echo_tells_whether_events_come(flowing, state) -> None:
    assert of_cluster("events", stream=stream(flowing=flowing, lag_s=0.01)).state is state


@pytest.mark.parametrize(("lag", "state"), [(1.9, OK), (2.1, WARN)])
def test_events_that_are_read_late(lag, state) -> None:
    assert of_cluster("lag", stream=stream(lag_s=lag)).state is state


@pytest.mark.parametrize(("hours", "state"), [(23.0, WARN), (25.0, OK)])
def test_losses_are_told_for_a_day(hours, state) -> None:
    line = of_cluster("losses", stream=stream(gaps=2, lost_tasks=3, lost_at=NOW - hours * 3600))
    assert line.state is state
    if state is WARN:
        assert "2 gaps in the stream, 3 tasks never told" in line.text


# Workers and producers


def test_no_worker_is_a_warning_and_one_without_heartbeats_is_named() -> None:
    nobody = replace(cluster(), incarnations=(), discovered=Known(frozenset(), NOW))
    assert told(lines(clusters=(nobody,))["cluster/orders/workers"]) == (WARN, "no worker speaks or answers")

    line = of_cluster("workers", discovered=frozenset({"celery@guid-0-1", "celery@guid-1-1", "mum@guid-9-1"}))
    assert told(line) == (WARN, "mum@guid-9-1 sent no heartbeat")


def test_workers_that_ended_or_are_long_silent_are_not_there() -> None:
    line = of_cluster("workers", alive(0), alive(1, silent=61), discovered=GONE)
    assert told(line) == (OK, "heartbeats come from 1 worker: celery@guid-0-1")


def test_workers_without_task_events() -> None:
    line = of_cluster("task-events", alive(0), alive(1, mute=True))
    assert line.state is WARN
    assert "celery@guid-1-1 begin tasks" in line.text
    assert "worker_send_task_events" in line.fix

    idle = worker(1, last_task_at=None)
    assert of_cluster("task-events", alive(0), idle).state is OK
    assert of_cluster("task-events", alive(0), idle, enable_task_events="never").state is WARN
    assert of_cluster("task-events", idle).state is WARN


@pytest.mark.parametrize(
    ("seen", "state"),
    [(Told(200), OK), (Told(1), OK), (Told(0), WARN), (Told(200, {"shop.pay": 57}), WARN), (GONE, WARN), (AWAY, WARN)],
)
def test_what_senders_tell_is_known_from_the_tasks_of_a_day(seen, state) -> None:
    assert of_cluster("sent-events", told=seen).state is state


def test_tasks_that_nobody_said_to_have_sent_are_named() -> None:
    some = of_cluster("sent-events", told=Told(200, {"shop.pay": 57}))
    assert some.text == "of the newest 200 tasks of the last day 57 came untold: shop.pay (57)"
    assert "some producers have it" in some.fix
    assert "no producer has it" in of_cluster("sent-events", told=Told(57, {"shop.pay": 57})).fix


def test_pools() -> None:
    assert "celery@guid-0-1, celery@guid-1-1" in of_cluster("pools", pools={}).text
    mixed = {"celery@guid-0-1#7": Pool("prefork"), "celery@guid-1-1#7": Pool("gevent")}
    line = of_cluster("pools", pools=mixed)
    assert told(line) == (WARN, "not all pools are prefork: celery@guid-1-1 gevent")


@pytest.mark.parametrize(("behind", "state"), [(4.0, OK), (-4.0, OK), (120.0, WARN), (-90.0, WARN)])
def test_clocks_of_workers(behind, state) -> None:
    spoke = NOW - 0.5
    line = of_cluster("clocks", alive(0, last_heartbeat_at=spoke, sent=(1, spoke - behind)))
    assert line.state is state
    if state is WARN:
        assert f"celery@guid-0-1 {abs(behind):.0f} s {'behind' if behind > 0 else 'ahead'}" in line.text


def test_two_processes_of_one_name() -> None:
    line = of_cluster("names", alive(0, pid=7), alive(0, pid=8))
    assert told(line) == (FAIL, "two processes call themselves celery@guid-0-1")
    assert of_cluster("names", alive(0, pid=7), alive(0, pid=8, silent=90)).state is OK


def test_the_result_backend() -> None:
    assert of_cluster("results", results=None).state is WARN
    assert told(of_cluster("results", results=Denied("it cannot be read"))) == (FAIL, "it cannot be read")
    assert of_cluster("results", results=AWAY).state is WARN


# The platform


def test_who_does_not_get_in() -> None:
    line = of_platform("login", rights=Denied("the user or password is wrong", passing=False))
    assert line.state is FAIL
    assert "[[platform]] cf" in line.fix
    assert of_platform("role", rights=GONE) is None
    assert of_platform("login", rights=AWAY).state is WARN
    assert of_platform("login", rights=None).state is WARN


def test_a_role_that_may_not_restart_fails_where_something_would_be_restarted() -> None:
    auditor = Rights("ada", "space_auditor", acts=False, reads_env=False, lacking=("cf set-space-role ...",))
    line = of_platform("role", rights=auditor)
    assert told(line) == (FAIL, "its role (space_auditor) may not restart instances")
    assert line.fix == "cf set-space-role ..."
    assert of_platform("role", rights=auditor, acts=False).state is WARN
    assert of_platform("environment", rights=auditor).state is WARN
    assert of_platform("role", rights=Rights("ada", None, acts=None, reads_env=None)).state is WARN


@pytest.mark.parametrize(("ahead", "state"), [(29.0, OK), (-29.0, OK), (31.0, WARN), (-31.0, WARN), (GONE, WARN)])
def test_the_platforms_clock(ahead, state) -> None:
    assert of_platform("clock", clock_ahead=ahead).state is state


def test_watched_apps() -> None:
    gone = App("cf", "", "orders-wroker", MISSING)
    line = of_cluster("apps", watched=(app(instance(0)), gone))
    assert told(line) == (FAIL, "cf shows no app orders-wroker")
    assert of_cluster("apps", watched=GONE).state is FAIL
    assert of_cluster("apps", watched=AWAY).state is WARN
    assert of_cluster("apps", platform=None).state is WARN
    assert of_cluster("nodes", platform=None) is None


def test_a_node_that_runs_in_no_instance_is_named_with_the_start_command() -> None:
    line = of_cluster("nodes", alive(0), alive(1, node="worker@host"))
    assert told(line) == (FAIL, "worker@host: mapped to no instance of orders-worker")
    assert "celery -A APP worker -n worker@$CF_INSTANCE_GUID" in line.fix


def test_a_node_that_only_answers_is_mapped_too() -> None:
    """Before the first start nothing is stored; whoever answers a ping is there."""
    nodes = frozenset({"celery@guid-0-1", "worker@host"})
    line = of_cluster("nodes", stream=GONE, discovered=nodes, serving=False)
    assert told(line) == (FAIL, "worker@host: mapped to no instance of orders-worker")


def test_two_nodes_in_one_container() -> None:
    line = of_cluster("containers", alive(0), alive(0, node="other@guid-0-1"))
    assert line.state is WARN
    assert "orders-worker/0: celery@guid-0-1, other@guid-0-1" in line.text


def test_an_instance_without_a_worker() -> None:
    running = (app(instance(0), instance(1), instance(2)),)
    line = of_cluster("instances", watched=running)
    assert told(line) == (WARN, "no worker speaks from orders-worker/2")
    young = (app(instance(0), instance(1), instance(2, uptime=20)),)
    assert of_cluster("instances", watched=young).state is OK
    down = (app(instance(0), instance(1), instance(2, state=InstanceState.CRASHED)),)
    assert of_cluster("instances", watched=down).state is OK


# The store


def test_the_schema() -> None:
    control = file("control.db")
    assert told(of_store("schema", control, file(state=FileState.OLD)))[0] is FAIL
    assert told(of_store("schema", control, file(state=FileState.MISSING)))[0] is FAIL
    assert of_store("schema", control, file(state=FileState.UNREADABLE, why="a newer Celeriac made it")).state is FAIL
    none = [file(name, FileState.MISSING) for name in ("control.db", "history-orders.db")]
    assert of_store("schema", *none).state is WARN


def test_a_store_that_cannot_be_written() -> None:
    assert of_store("writable", writable=False).state is FAIL
    assert "history-orders.db" in of_store("writable", file("control.db"), file(writable=False)).text


@pytest.mark.parametrize(
    ("free", "used", "state"),
    [
        (0.04 * GIGABYTE, 0, FAIL),
        (0.4 * GIGABYTE, 10 * GIGABYTE, WARN),
        (9 * GIGABYTE, 0, WARN),
        (9 * GIGABYTE, 3 * GIGABYTE, OK),
        (None, 0, WARN),
    ],
    ids=["scarce", "little", "less than wanted", "enough", "not known"],
)
def test_room_on_the_disk(free, used, state) -> None:
    found = lines(
        store=StoreState("/s", (file(size=used),), free=free, disk=500 * GIGABYTE),
        retention=Retention(most_bytes=10 * GIGABYTE),
    )
    assert found["store/disk"].state is state


@pytest.mark.parametrize(("size", "state"), [(8.9, OK), (9.1, WARN)])
def test_a_history_that_is_nearly_full(size, state) -> None:
    files = (file("control.db"), file(size=int(size * GIGABYTE)))
    found = lines(store=StoreState("/s", files), retention=Retention(most_bytes=10 * GIGABYTE))
    assert found["store/size"].state is state


# Tonight


def test_the_lease() -> None:
    assert told(lines(lease=Lease("host:1", NOW + 1))["celeriac/lease"]) == (OK, "the keeper host:1 holds the lease")
    assert lines(lease=Lease("host:1", NOW - 1))["celeriac/lease"].state is FAIL
    assert lines(lease=None)["celeriac/lease"].state is FAIL
    assert lines(lease=None, serving=False)["celeriac/lease"].state is WARN


@pytest.mark.parametrize(("age", "state"), [(29, OK), (31, FAIL)])
def test_a_keeper_that_judges_no_more(age, state) -> None:
    assert of_cluster("keeper", board=Board("orders", NOW - age, "", "auto")).state is state


def test_what_the_mode_means_tonight() -> None:
    approve = of_cluster("mode", policy=Policy(mode=Mode.APPROVE), board=None)
    assert told(approve) == (WARN, "mode approve: every restart waits until a person approves it")
    assert of_cluster("mode", policy=Policy(mode=Mode.OBSERVE), board=None).state is WARN
    assert of_cluster("mode").state is OK
    paused = of_cluster("mode", policy=Policy(mode=Mode.AUTO, paused="a deploy (by ana)"))
    assert told(paused) == (WARN, "paused: a deploy (by ana)")
    assert "celeriac resume --cluster orders" in paused.fix
    assert of_cluster("mode", policy=Policy(mode=Mode.AUTO, maintenance="nightly")).state is WARN
    assert of_cluster("mode", policy=GONE).state is WARN


def test_a_keeper_that_works_in_another_mode_than_the_settings_say() -> None:
    line = of_cluster("mode", board=Board("orders", NOW - 1, "", "observe"))
    assert told(line) == (WARN, "the keeper works in mode observe, and these settings say auto")
    assert of_cluster("mode", board=Board("orders", NOW - 60, "", "observe")).state is OK
