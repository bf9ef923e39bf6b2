"""Following a log: each line once, a slow reader loses the oldest and is told, trouble is told and outlived."""

import pkgutil
from importlib import import_module

import pytest

import celeriac
import harness
from celeriac.adapters.cloudfoundry.failures import ApiRefusedError
from celeriac.app import following
from celeriac.core.errors import PortError, RefusedError, SparedError, UnreachableError
from celeriac.core.log_lines import Lines
from web import samples
from web.told import MemoryRecords, celery, line

NOW = samples.NOW


@pytest.fixture
def world():
    world = samples.night_world()
    yield world
    world.platform.fail(RefusedError("the test is over"))
    harness.wait_until(lambda: world.platform.followers == 0, 5, "nobody follows any more")


MORE = {SparedError: {"after_s": 7.0}, ApiRefusedError: {"codes": frozenset({10008})}}
"""What an error is made of beside its text."""


@pytest.fixture(scope="module")
def port_errors():
    """Every kind of PortError that there is."""
    for one in pkgutil.walk_packages(celeriac.__path__, "celeriac."):
        if not one.name.endswith(("__main__", "flower_ping.login")):  # which is loaded where Flower is
            import_module(one.name)
    return under(PortError)


def under(kind):
    return [kind, *(each for one in kind.__subclasses__() for each in under(one))]


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(following, "backoff", lambda failures, first: 0.01)


class Reader:
    """Takes what comes until it has what it waits for."""

    def __init__(self, one):
        self.one, self.texts, self.dropped, self.last = one, [], 0, None

    def look(self):
        self.last = self.one.take()
        self.texts += [each.text for each in self.last.lines]
        self.dropped += self.last.dropped
        return self

    def until(self, condition, why):
        harness.wait_until(lambda: condition(self.look()), 5, why)
        return self


def follow(world, **how):
    return Reader(world.queries.app_records.follow("orders-worker", **how))


def test_lines_come_from_now_on_each_once(world):
    reader = follow(world)

    world.platform.write(line(NOW + 1, "one"), line(NOW + 2, "two"))
    reader.until(lambda it: len(it.texts) == 2, "two lines")
    world.platform.write(line(NOW + 3, "three"))

    assert reader.until(lambda it: len(it.texts) == 3, "the third").texts == ["one", "two", "three"]
    assert (reader.dropped, reader.last.trouble, reader.last.over) == (0, None, False)


def test_lines_come_from_a_time_on_and_of_one_instance(world):
    reader = follow(world, since=NOW - 60, which=Lines(instance=2, process="worker"))

    world.platform.write(celery(NOW, "INFO", "of another", 1), celery(NOW + 1, "INFO", "mine", 2))

    reader.until(lambda it: it.texts and it.texts[-1].endswith("mine"), "the newest line")
    assert len(reader.texts) == 3
    assert "connection to broker lost" in reader.texts[0]


def test_a_slow_reader_loses_the_oldest_and_is_told_how_many(world, monkeypatch):
    monkeypatch.setattr(following, "WAITING_AT_MOST", 10)
    reader = follow(world)
    world.platform.write(*(line(NOW + number, f"line {number}") for number in range(1, 101)))
    harness.wait_until(lambda: reader.one._dropped == 90, 5, "the platform has told all")

    reader.look()

    assert (reader.dropped, len(reader.texts), reader.texts[-1]) == (90, 10, "line 100")
    assert reader.look().dropped == 90


@pytest.mark.usefixtures("soon")
def test_a_platform_that_fails_for_a_while_is_asked_again_and_repeats_no_line(world):
    reader = follow(world)
    world.platform.write(line(NOW + 1, "before"))
    reader.until(lambda it: it.texts, "a line")

    world.platform.fail(UnreachableError("log-cache is away (503)"))
    reader.until(lambda it: it.last.trouble, "the trouble")
    assert reader.last.trouble == "The platform cloudfoundry: log-cache is away (503)"
    world.platform.told.append(line(NOW + 2, "meanwhile"))
    world.platform.fail(None)

    reader.until(lambda it: len(it.texts) == 2 and not it.last.trouble, "it goes on")
    assert reader.texts == ["before", "meanwhile"]


def test_a_platform_that_refuses_ends_it_with_its_reason(world):
    reader = follow(world)

    world.platform.fail(RefusedError("your role was taken"))

    reader.until(lambda it: it.last.over, "the end")
    assert reader.last.trouble == "The platform cloudfoundry: your role was taken"


def test_a_reader_that_takes_nothing_is_let_go(world, monkeypatch):
    follow(world)
    harness.wait_until(lambda: world.platform.followers == 1, 5, "it follows")

    monkeypatch.setattr(following, "UNREAD_S", 0.0)

    harness.wait_until(lambda: world.platform.followers == 0, 5, "it is let go")


def test_a_platform_that_says_nothing_at_all_is_given_up(world):
    import threading

    records = MemoryRecords(hangs=threading.Event())
    app = world.journal.boards["orders"].apps[0]
    ended = threading.Event()
    one = following.Following(records, app, NOW, lambda _: None, ended.set)
    try:
        with pytest.raises(UnreachableError, match="The platform cloudfoundry: no answer within 0 s"):
            one.begin(0.2)
    finally:
        records.hangs.set()
    assert ended.wait(5)


@pytest.mark.parametrize("verb", ["logs", "events", "environment", "follow"])
def test_every_error_of_a_platform_comes_through_as_itself(world, verb, port_errors):
    assert {SparedError, ApiRefusedError} < set(port_errors)
    for kind in port_errors:
        world.platform.fails = kind("the reason", **MORE.get(kind, {}))

        with pytest.raises(kind, match=r"^The platform cloudfoundry: the reason$") as told:
            getattr(world.queries.app_records, verb)("orders-worker")

        assert type(told.value) is kind
        assert {name: getattr(told.value, name) for name in MORE.get(kind, {})} == MORE.get(kind, {})


@pytest.mark.usefixtures("soon")
def test_a_follower_outlives_a_platform_that_is_spared(world):
    reader = follow(world)
    world.platform.fail(SparedError("429, too many requests", after_s=1.0))
    reader.until(lambda it: it.last.trouble == "The platform cloudfoundry: 429, too many requests", "the trouble")

    world.platform.fail(None)
    world.platform.write(line(NOW + 1, "again"))

    assert reader.until(lambda it: it.texts, "a line").texts == ["again"]
