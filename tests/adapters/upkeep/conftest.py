"""Small histories."""

import pytest

from adapters.stored import kept
from adapters.upkeep.rows import OLD


@pytest.fixture
def started(tmp_path):
    """Open histories whose partitions take ten rows."""
    opened = []

    def start(retention=OLD, rows=10):
        opened.append(kept(tmp_path / f"{len(opened)}.db", rows=rows, retention=retention))
        return opened[-1].__enter__()

    yield start
    for one in opened:
        one.__exit__(None, None, None)
