"""What the platforms are asked of apps: in time, redacted, and each failure under the platform's name."""

import threading

import pytest
from msgspec.structs import replace

import harness
from celeriac.app import app_record_queries, inquiry_desk
from celeriac.core.apps import Variable
from celeriac.core.errors import ConflictError, MissingError, RefusedError, UnreachableError
from celeriac.core.log_lines import Level, Lines
from web import samples
from web.told import SECRET, line


@pytest.fixture
def world():
    return samples.night_world()


@pytest.fixture
def reads(world):
    return world.queries.app_records


def watch_in_billing_too(world):
    boards = world.journal.boards
    boards["billing"] = replace(boards["billing"], apps=boards["orders"].apps)


def test_lines_come_oldest_first_with_their_level(reads, world):
    lines = reads.logs("orders-worker")

    assert [one.level for one in lines] == [None, "INFO", "WARNING", "ERROR", "CRITICAL", "ERROR", "INFO"]
    assert lines == reads.logs("app-guid-1", "orders")
    assert [one.text for one in reads.logs("orders-worker", limit=1)] == [lines[-1].text]
    assert lines[0].at < lines[-1].at


def test_lines_of_one_instance_are_the_newest_of_its_own(reads, world):
    world.platform.write(*(line(samples.NOW, f"noise {number}", 1) for number in range(300)))

    found = reads.logs("orders-worker", limit=2, which=Lines(instance=2))

    assert [one.index for one in found] == [2, 2]
    assert found[-1].level is Level.CRITICAL
    assert len(reads.logs("orders-worker", limit=2, which=Lines(process="web"))) == 1


def test_what_may_be_secret_is_in_no_line_and_no_event(reads):
    told = " ".join(one.text for one in (*reads.logs("orders-worker"), *reads.events("orders-worker")))

    assert "api_key=" in told
    assert SECRET not in told


def test_a_line_is_cut_where_an_exhibit_is(reads, world):
    world.platform.write(line(samples.NOW, "x" * 5000))

    assert reads.logs("orders-worker")[-1].text == "x" * 4096 + "..."


def test_no_part_of_a_password_is_shown_before_the_cut(reads, world):
    url = "amqp://shop:" + SECRET + "@rabbitmq.internal"
    for shown in range(1, len(SECRET)):
        before = "x" * (4096 - len("amqp://shop:") - shown - 1) + " "
        world.platform.write(line(samples.NOW, before + url))

        text = reads.logs("orders-worker")[-1].text

        assert text == f"{before}amqp://shop:***..."


def test_variables_that_may_be_secret_have_no_value(reads, world):
    found = reads.environment("orders-worker")

    assert {one.name: one.value for one in found.items} == {
        "BROKER_URL": None,
        "CELERY_QUEUES": "orders,mail",
        "PAYMENT_API_KEY": None,
        "RESULT_URL": None,
    }
    assert "never shown" in found.hidden
    world.platform.variables = [Variable("CELERY_QUEUES", "orders")]
    assert reads.environment("orders-worker").hidden is None


@pytest.mark.parametrize("verb", ["logs", "events", "environment", "follow"])
def test_a_name_that_is_no_one_apps_is_told(reads, world, verb):
    ask = getattr(reads, verb)
    with pytest.raises(MissingError, match="No app 'nope' is watched"):
        ask("nope")
    with pytest.raises(MissingError, match="No cluster 'nope' is configured"):
        ask("orders-worker", "nope")

    watch_in_billing_too(world)

    with pytest.raises(ConflictError, match=r"more than one cluster: billing, orders\. Name the cluster"):
        ask("orders-worker")
    with pytest.raises(MissingError, match="The cluster billing names no platform"):
        ask("orders-worker", "billing")
    assert world.platform.asked == []


def test_an_app_that_the_platform_does_not_show_is_not_asked_for(reads, world):
    board = world.journal.boards["orders"]
    world.journal.boards["orders"] = replace(board, apps=(replace(board.apps[0], guid="", state="missing"),))

    with pytest.raises(MissingError, match="The platform cloudfoundry shows no app 'orders-worker'"):
        reads.logs("orders-worker")


@pytest.mark.parametrize("kind", [RefusedError, MissingError, UnreachableError, ConflictError])
@pytest.mark.parametrize("verb", ["logs", "events", "environment", "follow"])
def test_the_platforms_reason_is_told_as_it_is(reads, world, kind, verb):
    world.platform.fails = kind("the role space_auditor may not do that")

    with pytest.raises(kind, match=r"^The platform cloudfoundry: the role space_auditor may not do that$"):
        getattr(reads, verb)("orders-worker")


def test_a_defect_of_a_source_is_no_crash_of_ours(reads, world):
    world.platform.fails = KeyError("resources")

    with pytest.raises(UnreachableError, match="a defect in reading it"):
        reads.events("orders-worker")


def test_a_platform_that_hangs_is_given_up_and_more_questions_are_refused_at_once(reads, world, monkeypatch):
    monkeypatch.setattr(inquiry_desk, "SOURCE_LIMIT_S", 0.3)
    world.platform.hangs = threading.Event()
    try:
        with pytest.raises(UnreachableError, match="The platform cloudfoundry: no answer within 0 s"):
            reads.logs("orders-worker")

        monkeypatch.setattr(inquiry_desk, "SOURCE_LIMIT_S", 20)
        waiting = [threading.Thread(target=reads.events, args=("orders-worker",)) for _ in range(8)]
        for one in waiting:
            one.start()

        def refused():
            try:
                reads.logs("orders-worker", limit=1)
            except UnreachableError as error:
                return "more is asked of it than it answers" in str(error)
            return False

        harness.wait_until(refused, 10, "one question too many is refused")
    finally:
        world.platform.hangs.set()
    for one in waiting:
        one.join(10)
    assert reads.events("orders-worker")


def test_no_more_may_follow_than_there_is_room_for(reads, world, monkeypatch):
    monkeypatch.setattr(app_record_queries, "MOST_FOLLOWERS", 2)
    first, second = reads.follow("orders-worker"), reads.follow("orders-worker")
    with pytest.raises(ConflictError, match="2 readers follow logs already"):
        reads.follow("orders-worker")

    first.close()

    harness.wait_until(lambda: world.platform.followers == 1, 5, "the platform is let go")
    harness.wait_until(lambda: first.take().over, 5, "the first has ended")
    third = reads.follow("orders-worker")
    second.close()
    third.close()
    harness.wait_until(lambda: world.platform.followers == 0, 5, "all have ended")
