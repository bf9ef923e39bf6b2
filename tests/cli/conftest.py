"""A console to talk to over real HTTP."""

from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from celeriac.cli import main as root
from web import samples
from web.serving import Console, serving


@pytest.fixture(autouse=True)
def own_files(tmp_path, monkeypatch):
    """Nothing of whoever runs the tests is read or written."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("CELERIAC_TOKEN", raising=False)


@pytest.fixture
def world() -> samples.World:
    return samples.night_world()


@pytest.fixture
def console(world) -> Iterator[Console]:
    with serving(world) as running:
        yield running


@pytest.fixture
def celeriac(console, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("CELERIAC_URL", console.url)

    def running(*arguments, typed=""):
        return CliRunner().invoke(root, arguments, input=typed)

    return running
