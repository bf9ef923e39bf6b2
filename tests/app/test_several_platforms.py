"""Several platforms as one: what one cannot tell stays as last known and unknown, and the others' workers are healed on."""

import pytest

from celeriac.app.several_apps import SeveralOrders, SeveralRecords
from celeriac.app.several_platforms import SeveralPlatforms
from celeriac.core.errors import MissingError, RefusedError, SparedError, UnreachableError
from celeriac.core.model import App, Instance, InstanceState
from celeriac.core.places import MISSING

AWAY = UnreachableError("no answer")


class Site:
    """A platform with one app, that fails as told; it notes what it is asked."""

    def __init__(self, name, *absent):
        self.name, self.error, self.errors, self.asked = name, None, {}, []
        one = Instance(name, "shop", "a", "worker", 0, InstanceState.RUNNING, f"guid-{name}")
        shop = App(name, "a", "shop", "STARTED", (), (one,))
        self.found = (shop, *(App(name, "", app, MISSING) for app in absent))

    def _say(self, what, answer):
        self.asked.append(what)
        error = self.errors.get(what, self.error)
        if error:
            raise error
        return answer

    def apps(self):
        return self._say("apps", self.found)

    def crashes(self, since):
        return self._say("crashes", (f"crash of {self.name}",))

    def changes(self, since):
        return self._say("changes", (f"change of {self.name}",))

    def instance(self, like):
        return self._say("instance", like)

    def restart_instance(self, instance):
        self._say(f"restart {instance.guid}", None)

    def logs(self, instance, limit):
        return self._say("logs", (self.name,))

    def events(self, *_):
        return self._say("events", (self.name,))

    def read(self, place):
        return self._say("read", self.found[0])

    def scale(self, app, process, instances):
        self._say(f"scale {instances}", None)


@pytest.fixture
def two():
    return Site("a"), Site("b")


def joined(*sites, named=("shop",), **more):
    return SeveralPlatforms(sites, {one.name: one for one in sites}, {one.name: named for one in sites}, **more)


def states(several):
    return {one.platform: (one.state.value, one.guid) for app in several.apps() for one in app.instances}


def test_the_apps_of_all_are_told(two):
    several = joined(*two)

    assert several.name == "a, b"
    assert states(several) == {"a": ("RUNNING", "guid-a"), "b": ("RUNNING", "guid-b")}
    assert several.crashes(0) == ("crash of a", "crash of b")
    assert several.changes(0) == ("change of a", "change of b")


def test_one_that_is_away_is_unknown_and_never_gone(two):
    """Its instances stay as last known, guid and all, in a state that nobody is judged by; and it comes back."""
    several = joined(*two)
    several.apps()
    two[1].error = AWAY

    assert states(several) == {"a": ("RUNNING", "guid-a"), "b": ("UNKNOWN", "guid-b")}
    two[1].error = None
    assert states(several)["b"] == ("RUNNING", "guid-b")


def test_what_one_told_that_is_away_does_not_come_back_as_new(two):
    """Its crashes and changes stay as it told them last; those of one that never told any are not known."""
    several = joined(*two)
    several.apps(), several.crashes(0), several.changes(0)
    two[1].error = AWAY
    several.apps()
    assert (several.crashes(0), several.changes(0)) == (("crash of a", "crash of b"), ("change of a", "change of b"))

    again = joined(*two)
    again.apps()
    assert (again.crashes(0), again.changes(0)) == (("crash of a",), ("change of a",))


def test_changes_of_one_that_is_spared_are_not_known(two):
    """Its apps stand as last read, so it has to be known who is at work there."""
    several = joined(*two)
    several.apps()
    two[1].error = SparedError("not asked", after_s=5)
    several.apps()
    with pytest.raises(SparedError):
        several.changes(0)


def test_one_that_was_never_read_keeps_its_named_apps_out_of_sight(two):
    """So its workers are remembered by the guids that they had; where apps are found by labels nothing can be said at all."""
    two[1].error = AWAY

    assert [(app.platform, app.name, app.state) for app in joined(*two).apps()] == [
        ("a", "shop", "STARTED"),
        ("b", "shop", MISSING),
    ]
    with pytest.raises(UnreachableError, match="no answer"):
        joined(*two, named=()).apps()


def test_when_none_answers_the_reading_fails(two):
    two[0].error, two[1].error = SparedError("not asked", after_s=5), RefusedError("no role")
    several = joined(*two)

    for ask in (several.apps, lambda: several.crashes(0), lambda: several.changes(0)):
        with pytest.raises(RefusedError, match="no role"):
            ask()


def test_one_that_is_spared_is_as_last_read(two):
    """Out of budget says nothing of the instances; but for two minutes at most."""
    now = [0.0]
    several = joined(*two, monotonic=lambda: now[0])
    several.apps()
    two[1].error = SparedError("not asked", after_s=5)

    now[0] = 120
    assert states(several)["b"] == ("RUNNING", "guid-b")
    now[0] = 121
    assert states(several)["b"] == ("UNKNOWN", "guid-b")


def test_unknown_changes_of_one_that_shows_its_apps_are_an_error(two):
    """Nobody may be restarted while it cannot be told who is at work there."""
    several = joined(*two)
    several.apps()
    two[1].errors["changes"] = AWAY

    with pytest.raises(UnreachableError):
        several.changes(0)


def test_an_app_that_one_lacks_and_another_has_is_not_missing():
    one, other = Site("a", "mail", "nowhere"), Site("b")
    other.found += (App("b", "m", "mail", "STARTED"),)

    assert [(app.platform, app.name) for app in joined(one, other).apps() if app.state == MISSING] == [("a", "nowhere")]


def test_orders_and_records_go_to_the_platform_of_the_instance(two):
    several, (app,) = joined(*two), two[1].found
    (instance,) = app.instances

    several.instance(instance)
    several.restart_instance(instance)
    assert (several.logs(instance, 5), several.events(instance, 0)) == (("b",), ("b",))
    orders = SeveralOrders({one.name: one for one in two})
    orders.scale(app, "worker", 3)
    assert orders.read(instance.place("c")) is app
    assert SeveralRecords({one.name: one for one in two}).events(app, 5) == ("b",)
    assert (two[0].asked, two[1].asked) == (
        [],
        ["instance", "restart guid-b", "logs", "events", "scale 3", "read", "events"],
    )
    with pytest.raises(MissingError, match="no platform 'c'"):
        SeveralOrders({}).restart_app(App("c", "", "x", "STARTED"))
