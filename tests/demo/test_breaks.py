"""What the demo breaks stays within its own budgets, whatever chance says."""

import itertools
import random
import signal

import pytest

from celeriac.client import Instance, Worker
from celeriac.demo.breaks import FREEZE_EVERY_S, KILL_EVERY_S, SAME_WORKER_EVERY_S, Break, choose, strike
from celeriac.processes import running, spawn


def worker(name: str, *, verdict: str = "healthy", suspect: bool = False, pid: int = 1, guid: str = "g") -> Worker:
    return Worker(
        id=name,
        cluster="demo",
        name=name,
        node=f"worker@{guid}",
        status="ONLINE",
        verdict=verdict,
        suspect=suspect,
        notes=[],
        last_heartbeat_at=None,
        heartbeat_age_s=None,
        pid=pid,
        pool="prefork",
        concurrency=2,
        active=0,
        processed=0,
        queues=[],
        instance=Instance("cf", "orders-worker", "worker", 0, guid, "RUNNING"),
    )


@pytest.mark.parametrize("seed", range(20))
def test_a_day_of_breaks_stays_within_the_budgets(seed: int) -> None:
    """Main processes are killed at most every 5 min, frozen at most every 15, and no worker twice in 10 min."""
    rng, past = random.Random(seed), []
    workers = [worker(f"w{number}") for number in range(4)]
    for minute in range(24 * 60):
        past.append(choose(workers, past, minute * 60.0, rng))

    for kind, least in (("kill", KILL_EVERY_S), ("freeze", FREEZE_EVERY_S)):
        times = [one.at for one in past if one.kind == kind]
        assert len(times) > 10
        assert all(later - earlier >= least for earlier, later in itertools.pairwise(times))
    for name in [one.id for one in workers]:
        times = [one.at for one in past if one.worker == name]
        assert all(later - earlier >= SAME_WORKER_EVERY_S for earlier, later in itertools.pairwise(times))
    mild = sum(one.kind in {"child", "burst", "long"} for one in past)
    assert mild > len(past) / 2


def test_nobody_is_struck_while_somebody_is_down() -> None:
    """While a worker is not well the demo breaks only what needs no healing."""
    workers = [worker("w0"), worker("w1", verdict="crashed"), worker("w2", suspect=True)]

    broken = {choose(workers, [], 0.0, random.Random(seed)).kind for seed in range(50)}

    assert broken == {"child", "burst", "long"}


def test_the_same_worker_is_not_struck_twice() -> None:
    """A worker that was broken lately is left in peace."""
    past = [Break("kill", 0.0, "w0")]

    assert choose([worker("w0"), worker("w1")], past, 400.0, random.Random(1)).worker in {"w1", None}


def test_a_signal_goes_to_the_workers_own_process_only() -> None:
    """A pid that belongs to another process by now is not touched."""
    with running(spawn(["sleep", "60"])) as child:
        with pytest.raises(RuntimeError, match="is not w0"):
            strike(worker("w0", pid=child.pid, guid="another"), signal.SIGKILL)
        assert child.poll() is None
