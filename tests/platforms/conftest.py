"""The same app started on each kind of platform in turn."""

import contextlib
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from platforms.staged import STAGES, Stage


@dataclass
class Starter:
    """Starts the app on one kind of platform, and stops it with the test."""

    kind: str
    folder: Path
    stack: contextlib.ExitStack = field(repr=False)

    def __call__(self, **how) -> Stage:
        return self.stack.enter_context(STAGES[self.kind](self.folder, **how))


@pytest.fixture(params=list(STAGES))
def stage(request, tmp_path):
    with contextlib.ExitStack() as stack:
        yield Starter(request.param, tmp_path, stack)
