"""What the keeper may do now: the file PAUSE before what people paused, and both beside mode and windows."""

import time

import pytest
from pydantic import SecretStr

from celeriac.bootstrap.keeping import policy
from celeriac.bootstrap.storing import open_store
from celeriac.core.model import Mode
from celeriac.core.pauses import Pause
from celeriac.settings import ClusterSettings, HealSettings, Settings
from celeriac.settings.maintenance import DAYS


@pytest.fixture
def settings(tmp_path):
    always = {"days": DAYS, "begins": "00:00", "ends": "00:00", "clusters": ("mail",)}
    clusters = tuple(ClusterSettings(name=name, broker=SecretStr("redis://any")) for name in ("orders", "mail"))
    return Settings(store=tmp_path, cluster=clusters, heal=HealSettings(mode="auto", maintenance=(always,)))


@pytest.fixture
def pauses(settings):
    with open_store(settings).opened() as store:
        store.migrate()
        yield store.pauses()


def pause(cluster=None, *, why="we move", for_s=60.0):
    now = time.time()
    return Pause(f"{why}-{cluster}", cluster, why, "ana", now, now + for_s)


def test_nothing_holds(settings, pauses):
    now = policy(settings, "orders", pauses)

    assert (now.mode, now.paused, now.maintenance) == (Mode.AUTO, None, None)


def test_an_open_window_is_of_its_cluster(settings, pauses):
    assert policy(settings, "mail", pauses).maintenance == "maintenance, until 00:00 UTC"


def test_people_pause_one_or_all(settings, pauses):
    pauses.begin(pause("orders"))
    assert policy(settings, "orders", pauses).paused.startswith("we move (by ana, until ")
    assert policy(settings, "mail", pauses).paused is None

    pauses.begin(pause(why="all of it"))
    assert policy(settings, "mail", pauses).paused.startswith("all of it (by ana")


def test_a_pause_that_is_over_holds_nobody(settings, pauses):
    pauses.begin(pause(for_s=-1))

    assert policy(settings, "orders", pauses).paused is None


def test_the_file_wins(settings, pauses):
    """Also over a pause that people have ordered, and after they have resumed."""
    pauses.begin(pause())
    (settings.store / "PAUSE").write_text("the brake\n")

    assert policy(settings, "orders", pauses).paused == "the brake"
