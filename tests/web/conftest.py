"""A console over a store in memory: asked in process, or over real HTTP."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from celeriac.web.app import create_app
from web import samples
from web.serving import Console, serving


@pytest.fixture
def world() -> samples.World:
    return samples.night_world()


@pytest.fixture
def asked(world) -> Iterator[TestClient]:
    """Ask the console in process, by the machine's own name."""
    with TestClient(create_app(world.service), base_url="http://127.0.0.1:5555") as client:
        yield client


@pytest.fixture
def console(world) -> Iterator[Console]:
    with serving(world) as running:
        yield running
