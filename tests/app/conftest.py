"""A real store, and a clock that stands."""

from collections.abc import Iterator

import pytest

from app.virtual import Clock, stored
from celeriac.adapters.sql import SqlStore
from core.builders import CLUSTER


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path) -> Iterator[SqlStore]:
    with stored(tmp_path / "store").opened() as opened:
        yield opened


@pytest.fixture
def history(store):
    return store.history(CLUSTER)


@pytest.fixture
def journal(store):
    return store.journal()
