"""A console over a store in memory: asked in process, or over real HTTP."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx2
import pytest
from fastapi.testclient import TestClient

import harness
from celeriac.web.app import create_app
from celeriac.web.server import Server
from web import samples


@pytest.fixture
def world() -> samples.World:
    return samples.night_world()


@pytest.fixture
def page(world) -> Iterator[TestClient]:
    """Ask the console in process; the name it is called by is the machine's own."""
    with TestClient(create_app(world.queries, world.commands), base_url="http://127.0.0.1:5555") as client:
        yield client
