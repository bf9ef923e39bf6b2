"""The directory of the store: whose it is, and the sentence when it cannot be used."""

import os
import stat

import pytest

from celeriac.bootstrap.naming import cluster_named
from celeriac.bootstrap.storing import open_store
from celeriac.core.errors import SettingsError
from celeriac.settings import Settings


@pytest.fixture
def settings(tmp_path):
    def of(*parts):
        return Settings(store=tmp_path.joinpath(*parts), cluster=({"name": "orders", "broker": "redis://h"},))

    return of


@pytest.fixture
def open_umask():
    """Let new files and directories be everybody's, unless their maker says otherwise."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_directory_is_its_owners_alone(settings, open_umask):
    """It holds arguments and results of tasks; nothing else is left in it by the check."""
    one = settings("deep", "data")
    open_store(one)

    assert mode(one.store) == 0o700
    assert list(one.store.iterdir()) == []


def test_a_directory_that_is_there_keeps_its_mode(settings):
    """Who made it has decided who may look."""
    one = settings("data")
    one.store.mkdir()
    one.store.chmod(0o750)
    open_store(one)

    assert mode(one.store) == 0o750


@pytest.mark.parametrize("parts", [("file",), ("file", "data")])
def test_a_directory_that_cannot_be_is_one_sentence(settings, parts):
    """It names the setting and the directory."""
    one = settings(*parts)
    (one.store if len(parts) == 1 else one.store.parent).write_text("")

    with pytest.raises(SettingsError, match=r"^The setting store: the directory .+ cannot be written: .+\.$"):
        open_store(one)


def test_a_cluster_that_is_not_there_is_told_with_those_that_are(settings):
    """The sentence helps with a mistyped name."""
    assert cluster_named(settings("data"), "orders").name == "orders"
    with pytest.raises(SettingsError, match=r"no \[\[cluster\]\] 'order' in the settings; there are: orders\."):
        cluster_named(settings("data"), "order")
