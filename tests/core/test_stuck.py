"""Tasks that hold a slot for too long, and what is found of their worker."""

import pytest

from celeriac.core.diagnose import diagnose
from celeriac.core.incident import RemedyKind
from celeriac.core.model import Status, Verdict
from celeriac.core.repair import Repair, RepairKind
from celeriac.core.stuck import Running, Runs, Stuck, stuck
from celeriac.core.tasks import STARTED, Task
from core.builders import LIMITS, NOW, finding, guid, unmapped, worker

NODE = f"celery@{guid()}"
PAY = Runs(200, 40.0)


def task(for_s=900.0, id="t", name="shop.pay", node=NODE, **fields):
    fields = {"started_at": NOW - for_s, **fields}
    return Task(id, STARTED, name, node, **fields)


def of(*tasks, running=("t",), runs=PAY, last=NOW - 5, behind=0.0):
    found = stuck(tasks, {NODE: Running(frozenset(running), last, behind)}, {"shop.pay": runs}, NOW, LIMITS)
    return [one.id for one in found.get(NODE, ())]


def test_a_task_that_runs_for_many_times_the_longest_run_is_stuck():
    assert of(task()) == ["t"]


def test_where_the_event_of_its_beginning_is_lost_the_worker_s_counter_tells():
    """What runs now began no later than the last task that it counted."""
    assert of(task(started_at=None, received_at=NOW - 2000), last=NOW - 900) == ["t"]


def test_a_clock_that_is_wrong_makes_no_task_longer_or_shorter():
    assert of(task(5 + 1200), behind=1200.0) == []
    assert of(task(900 - 1200), behind=-1200.0) == ["t"]
    assert of(task(started_at=None, received_at=NOW - 2000 - 1200), last=NOW - 900, behind=1200.0) == ["t"]


NOT_STUCK = {
    "it began a moment ago": of(task(599)),
    "others take as long": of(task(900), runs=Runs(200, 301.0)),
    "no run of its name has ended": of(task(), runs=Runs()),
    "too few runs to tell": of(task(), runs=Runs(19, 40.0)),
    "the worker does not say to run it": of(task(), running=()),
    "its beginning is not known": of(task(started_at=None, received_at=None)),
    "the worker began something since": of(task(started_at=None, received_at=NOW - 900), last=NOW - 500),
    "its counter tells nothing": of(task(started_at=None, received_at=NOW - 900), last=None),
    "it came after the last beginning": of(task(started_at=None, received_at=NOW - 500), last=NOW - 900),
    "of its name nothing is known": of(task(name="other")),
    "another runs it": of(task(node="celery@other")),
}


@pytest.mark.parametrize("found", NOT_STUCK.values(), ids=NOT_STUCK)
def test_what_may_be_work_is_not_stuck(found):
    assert found == []


def test_the_longest_comes_first():
    assert of(task(700, "b"), task(900, "a"), running=("a", "b")) == ["a", "b"]


def held(number, life=None, **fields):
    """Return the finding on a worker of four slots of which so many are held."""
    tasks = tuple(Stuck(f"t{index}", "shop.pay", 1860.0, PAY) for index in range(number))
    return finding(life or worker(active=number), **{"stuck": {NODE: tasks}, **fields})


def test_a_worker_with_a_stuck_slot_is_damaged_and_the_longest_task_is_to_be_revoked():
    """A restart would take the tasks in the other slots along."""
    one = held(1)

    assert (one.verdict, one.remedy, one.status) == (Verdict.DAMAGED, RemedyKind.LIVE_REPAIR, Status.ONLINE)
    assert one.repair == Repair(RepairKind.REVOKE, "t0", ("shop.pay",))
    assert one.notes == ("1 of 4 slots are held by tasks that have run for too long",)
    line = next(line.reading for line in one.evidence if line.signal == "slots")
    assert line == "shop.pay[t0] has run for 31 min; the longest of 200 finished runs took 40.0 s"


def test_only_a_process_of_a_prefork_pool_can_be_ended():
    assert held(1, pool="threads").remedy is RemedyKind.ALERT


def test_when_all_slots_are_held_a_restart_is_proposed_and_a_person_decides():
    one = held(4)

    assert (one.verdict, one.remedy) == (Verdict.DAMAGED, RemedyKind.RESTART_INSTANCE)
    assert one.approval


def test_without_a_platform_people_are_told():
    tasks = tuple(Stuck(f"t{index}", "shop.pay", 1860.0, PAY) for index in range(4))
    one = diagnose(unmapped(worker(active=4), stuck={NODE: tasks}), LIMITS)[0]

    assert (one.verdict, one.remedy) == (Verdict.DAMAGED, RemedyKind.ALERT)


def test_what_its_beats_contradict_is_not_believed():
    """It runs nothing any more, or it does not speak."""
    assert held(2, worker(active=0)).verdict is Verdict.HEALTHY
    assert held(2, worker(active=2, silent=20)).verdict is Verdict.HEALTHY
    assert held(0).verdict is Verdict.HEALTHY
