"""A platform that is not asked, to spare it: the last reading serves for a while, and nobody looks dead."""

import pytest

import harness
from celeriac.app.change_watch import ChangeWatch
from celeriac.app.platform_watch import SPARED_S, PlatformWatch
from celeriac.core.errors import SparedError, UnreachableError
from celeriac.core.model import App
from celeriac.core.readings import Known, Unknown

APPS = (App("cf", "a", "shop", "STARTED"),)


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


class Platform:
    name = "cf"
    error = None
    asked = 0

    def _say(self, answer):
        self.asked += 1
        if self.error:
            raise self.error
        return answer

    def apps(self):
        return self._say(APPS)

    def crashes(self, since):
        return self._say(())

    def changes(self, since):
        return self._say(())


@pytest.fixture
def platform():
    return Platform()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def watch(platform, clock):
    one = PlatformWatch("demo", platform, clock, every_s=10, on_suspicion_s=2)
    yield one
    one.close()


def look(watch, clock, seconds):
    clock.now += seconds
    watch.look(wary=True)


def test_the_last_reading_serves_with_its_own_time(watch, platform, clock):
    """Known as of then, for two minutes; then it is said why not."""
    look(watch, clock, 0)
    read_at = clock.now
    platform.error = SparedError("not asked, to keep within the request budget", after_s=1)

    for _ in range(int(SPARED_S / 4)):
        look(watch, clock, 4)
        assert watch.apps == Known(APPS, read_at)
        assert watch.crashes == Known((), read_at)
    look(watch, clock, 4)
    assert isinstance(watch.apps, Unknown)
    assert "request budget" in watch.apps.why


def test_it_is_asked_again_when_its_turn_comes(watch, platform, clock):
    """Not before: with 20 s to go the next look asks nothing."""
    look(watch, clock, 0)
    platform.error = SparedError("not asked", after_s=20)
    look(watch, clock, 3)
    asked = platform.asked
    look(watch, clock, 15)
    assert platform.asked == asked
    platform.error = None
    look(watch, clock, 6)
    assert watch.apps == Known(APPS, clock.now)


def test_a_platform_that_is_away_is_unknown_at_once(watch, platform, clock):
    look(watch, clock, 0)
    platform.error = UnreachableError("no answer")
    look(watch, clock, 3)

    assert isinstance(watch.apps, Unknown)


def test_changes_that_were_not_asked_for_stay_as_last_known(platform, clock):
    from concurrent.futures import ThreadPoolExecutor

    apps = Known(APPS, clock.now)
    with ThreadPoolExecutor(1) as pool:
        changes = ChangeWatch(pool, clock, 10)
        first = harness.wait_until(
            lambda: isinstance(now := changes.look(platform, apps, wary=True), Known) and now, 5, "changes are known"
        )
        platform.error = SparedError("not asked", after_s=5)
        clock.now += 11
        assert changes.look(platform, apps, wary=True) == first
        clock.now += 40
        assert isinstance(changes.look(platform, apps, wary=True), Unknown)
