"""The console's requests to a foundation: one share for pages and doctor, and reads wait their turn when it is low."""

from contextlib import ExitStack, closing

import pytest

from celeriac.adapters.sql import SqlStore
from celeriac.bootstrap.checking import checkup
from celeriac.bootstrap.platforms import CONSOLE, Foundations, target_of
from celeriac.core.errors import SparedError
from celeriac.core.model import App
from celeriac.emulator import AppConfig, Emulator, EmulatorConfig, ProcessConfig, UserConfig
from celeriac.settings import PlatformSettings, Settings


@pytest.fixture
def settings(tmp_path):
    process = ProcessConfig("exec sleep 1000", instances=1)
    config = EmulatorConfig(apps=(AppConfig("shop", (process,)),), users=(UserConfig("ada", "secret"),), speed=15)
    with Emulator(config) as emulator:
        place = PlatformSettings(
            name="cf", api=emulator.url, org="demo", space="dev", username="ada", password="secret"
        )
        cluster = {"name": "demo", "broker": "redis://127.0.0.1:1/0", "platform": "cf", "apps": ["shop"]}
        yield Settings(store=tmp_path, platform=(place,), cluster=[cluster])


def budget_of(foundations, settings):
    (place,) = settings.platform
    return foundations.session(place, target_of(place)).budget


def test_pages_and_doctor_have_one_share_together(settings):
    pages = Foundations(settings, CONSOLE)
    before = budget_of(pages, settings)._tokens
    with closing(pages), ExitStack() as ending, SqlStore(settings.store, ("demo",)).opened() as store:
        (platform,) = checkup(settings, store, lambda: 0.0, ending, pages)._platforms
        assert platform.rights.rights().acts
    assert budget_of(pages, settings)._tokens < before - 1


@pytest.mark.parametrize("read", ["events", "environment", "room"])
def test_what_people_read_waits_its_turn_when_the_share_is_used_up(settings, read):
    foundations = Foundations(settings, CONSOLE)
    with closing(foundations):
        watched = foundations.watched(settings.cluster[0])
        (app,) = watched.platform.apps()
        asked = (app, 5) if read == "events" else (app,)
        ask = getattr(watched.app_records, read)
        assert ask(*asked) is not None
        for _ in range(100):
            budget_of(foundations, settings).count()

        with pytest.raises(SparedError, match="keep within the request budget") as told:
            ask(*asked)

        assert told.value.after_s > 0
        assert isinstance(app, App)
        watched.app_records.lines(app, 5)  # logs are of no limit, and are read all the same
