"""What tests put into the store, and other processes at the same store."""

import contextlib
import fcntl
import subprocess
import sys
from pathlib import Path

from msgspec.structs import replace

from celeriac.core.incident import HeldReason, Incident, IncidentState, Remedy, RemedyKind, RemedyState, Step
from celeriac.core.model import Place, Verdict
from celeriac.core.readings import Evidence
from celeriac.ports import Board
from celeriac.processes import running, spawn

NOW = 1_795_000_000.0
DAY = 86400.0
PLACE = Place("a", "cf", "shop", "worker", 0)
RIVAL = Path(__file__).parent / "store_rival.py"


def incident(id, *, opened_at=NOW, state=IncidentState.OPEN, cluster="a", resolved_at=None):
    return Incident(
        id=id,
        cluster=cluster,
        place=replace(PLACE, cluster=cluster),
        verdict=Verdict.HUNG,
        state=state,
        opened_at=opened_at,
        updated_at=opened_at,
        evidence=(Evidence("ping", "no answer", NOW, "busy"),),
        steps=(Step(NOW, "opened", "it hangs — é"),),
        held_reason=HeldReason.MODE,
        resolved_at=resolved_at,
        remedy=RemedyKind.RESTART_INSTANCE,
    )


def remedy(id, *, state=RemedyState.ACTED, asked_at=NOW, ended_at=None, cluster="a"):
    return Remedy(
        id=id,
        cluster=cluster,
        place=replace(PLACE, cluster=cluster),
        kind=RemedyKind.RESTART_INSTANCE,
        state=state,
        asked_at=asked_at,
        actor="keeper",
        guid="g",
        node="worker@g",
        pid=7,
        ended_at=ended_at,
    )


def board(cluster="a", at=NOW, sentence="all is well", **more):
    return Board(cluster, at, sentence, "approve", **more)


@contextlib.contextmanager
def rivals(what, directory, number=1):
    """Start so many processes; they begin together when the block ends, and their outcomes come after it."""
    outcomes = []
    gate = directory.with_suffix(".gate")
    with contextlib.ExitStack() as stack, gate.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        argv = [sys.executable, str(RIVAL), what, str(directory)]
        children = [stack.enter_context(running(spawn(argv, stdout=subprocess.PIPE))) for _ in range(number)]
        for child in children:
            stack.enter_context(child.stdout)
            assert child.stdout.readline() == b"ready\n"
        yield outcomes
        fcntl.flock(file, fcntl.LOCK_UN)
        outcomes.extend(child.stdout.read().decode().strip() for child in children)
        assert [child.wait(10) for child in children] == [0] * len(children)
