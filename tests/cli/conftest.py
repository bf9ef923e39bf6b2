"""A console to talk to over real HTTP."""

from collections.abc import Iterator

import pytest

from web import samples
from web.serving import Console, serving


@pytest.fixture
def world() -> samples.World:
    return samples.night_world()


@pytest.fixture
def console(world) -> Iterator[Console]:
    with serving(world) as running:
        yield running
