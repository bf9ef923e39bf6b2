"""Everything that a look asks, in memory."""

import pytest

from app.virtual import Cluster


@pytest.fixture
def cluster(clock, history):
    one = Cluster(clock, history)
    yield one
    one.gatherer.close()
