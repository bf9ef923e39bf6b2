"""Checks of what workers and producers tell: heartbeats, tasks, pools, results, and by which clock."""

from collections import defaultdict
from collections.abc import Iterator

from celeriac.core.checkup.facts import ClusterFacts, Denied, had
from celeriac.core.checkup.hearing import NEEDS_OBSERVER, SERVE
from celeriac.core.checkup.lines import Line, Subject, listed, number
from celeriac.core.checkup.nodes import fresh_stream, live_nodes, speaking
from celeriac.core.flow import EVENTS_SETTING, SENT_SETTING
from celeriac.core.readings import Known

SKEWED_S = 5.0
"""A worker's clock may be off by so much, the way of its events included, before it is told."""


def heard(cluster: ClusterFacts, subject: Subject) -> Iterator[Line]:
    """Tell whether each worker that is there sends heartbeats."""
    check, nodes = "workers", live_nodes(cluster)
    start = "celery worker without --without-heartbeat"
    if not nodes:
        found = had(cluster.discovered, "they were not asked")
        if isinstance(found, Denied):
            yield subject.untold(check, "whether workers are there", found.why)
        else:
            yield subject.warn(check, "no worker speaks or answers", "there is nothing to look after", start)
    elif fresh_stream(cluster) is None:
        yield subject.untold(check, f"whether heartbeats come from {listed(nodes)}", NEEDS_OBSERVER, SERVE)
    elif beatless := nodes - {one.node for one in speaking(cluster) if one.beats}:
        cost = "a dead one looks like an idle one until it is asked, so its end is found minutes later"
        yield subject.warn(check, f"{listed(beatless)} sent no heartbeat", cost, start)
    else:
        yield subject.ok(check, f"heartbeats come from {number(len(nodes), 'worker')}: {listed(nodes)}")


def task_events(cluster: ClusterFacts, subject: Subject) -> Iterator[Line]:
    """Tell which workers send no task events."""
    check, lives = "task-events", speaking(cluster)
    if fresh_stream(cluster) is None:
        yield subject.untold(check, "which workers send task events", NEEDS_OBSERVER, SERVE)
        return
    mute = {one.node for one in lives if one.mute}
    silent = {one.node for one in lives if one.last_task_at is None} - mute
    asks = cluster.enable_task_events == "once"
    cost = "their tasks are not seen: no history of them, no list of what is lost, and no stuck task is found"
    if mute:
        fix = (
            EVENTS_SETTING
            if asks
            else f'{EVENTS_SETTING}; or enable_task_events = "once" in [[cluster]] {cluster.name}'
        )
        yield subject.warn(check, f"{listed(mute)} begin tasks and send no task events", cost, fix)
    elif not lives:
        yield subject.untold(check, "which workers send task events", "no worker speaks")
    elif silent and not asks:
        why = f"{listed(silent)} {'has' if len(silent) == 1 else 'have'} begun no task yet"
        yield subject.untold(check, "whether all workers send task events", why, EVENTS_SETTING)
    elif silent:
        ready = "; if they send none with their first task, they are told to" if len(silent) < len(lives) else ""
        text = f"{listed(silent)} {'has' if len(silent) == 1 else 'have'} begun no task yet{ready}"
        yield (
            subject.ok(check, f"task events come; {text}")
            if ready
            else subject.untold(check, "whether workers send task events", text, EVENTS_SETTING)
        )
    else:
        yield subject.ok(check, f"task events come from {number(len(lives), 'worker')}")


def sent_events(cluster: ClusterFacts, subject: Subject) -> Iterator[Line]:
    """Tell of which tasks their senders said that they sent them."""
    check, found = "sent-events", cluster.told
    what = "whether producers tell what they send"
    cost = "a message that is swallowed by a frozen worker has no name, and how long tasks wait in a queue is unknown"
    if not isinstance(found, Known):
        yield subject.untold(check, what, found.why if found else "the store was not asked")
    elif isinstance(found.value, Denied):
        yield subject.untold(check, what, found.value.why, SERVE)
    elif not found.value.tasks:
        yield subject.untold(check, what, "no task was seen within the last day", SENT_SETTING)
    elif unsent := found.value.unsent:
        names = listed(f"{name} ({many})" for name, many in unsent.items())
        text = f"of the newest {found.value.tasks} tasks of the last day {sum(unsent.values())} came untold: {names}"
        yield subject.warn(check, text, cost, f"{SENT_SETTING}: {_senders(found.value.tasks, sum(unsent.values()))}")
    else:
        yield subject.ok(check, f"the newest {number(found.value.tasks, 'task')} of the last day were told when sent")


def _senders(tasks: int, unsent: int) -> str:
    return (
        "no producer has it"
        if tasks == unsent
        else "some producers have it; beat and workers that send tasks count too"
    )


def pools(cluster: ClusterFacts, subject: Subject) -> Iterator[Line]:
    """Tell of which workers the pool is known."""
    check, nodes = "pools", live_nodes(cluster)
    known = {key.rpartition("#")[0]: pool for key, pool in cluster.pools.items()}
    if not nodes:
        yield subject.untold(check, "which pools workers have", "no worker is there")
    elif unknown := nodes - known.keys():
        cost = "each counts as one that may block: silent for 10 minutes before it is called hung, and then by approval"
        fix = "worker_enable_remote_control = True in the workers' settings; one that is busy answers later"
        yield subject.warn(check, f"the pool of {listed(unknown)} is not known", cost, fix)
    elif other := {node: known[node].kind for node in nodes if known[node].kind != "prefork"}:
        kinds = ", ".join(f"{node} {kind}" for node, kind in sorted(other.items())[:5])
        cost = (
            "a task may block such a worker whole: it is called hung after 10 minutes of silence, and then by approval"
        )
        yield subject.warn(
            check, f"not all pools are prefork: {kinds}", cost, "celery worker --pool prefork, where it suits"
        )
    else:
        yield subject.ok(check, f"the pool of {number(len(nodes), 'worker')} is known: prefork")


def clocks(cluster: ClusterFacts, subject: Subject) -> Iterator[Line]:
    """Tell whose clock is off, by the newest event of each."""
    check, lives = "clocks", [one for one in speaking(cluster) if one.sent[1] and one.last_heartbeat_at]
    if fresh_stream(cluster) is None or not lives:
        why = NEEDS_OBSERVER if fresh_stream(cluster) is None else "no worker has sent a heartbeat"
        yield subject.untold(check, "whether workers' clocks agree with ours", why, SERVE)
    elif off := {one.node: one.behind_s for one in lives if abs(one.behind_s) > SKEWED_S}:
        said = listed(f"{node} {abs(by):.0f} s {'behind' if by > 0 else 'ahead'}" for node, by in off.items())
        cost = "times of tasks and waits are wrong by that; verdicts are not, as they count by our own clock"
        yield subject.warn(
            check, f"clocks are off: {said}", cost, "chronyc makestep, or NTP on the machines of those workers"
        )
    else:
        yield subject.ok(check, f"the clocks of {number(len(lives), 'worker')} agree with ours within {SKEWED_S:.0f} s")


def twins(cluster: ClusterFacts, subject: Subject) -> Iterator[Line]:
    """Tell which node names are of two processes at once."""
    check = "names"
    alive: dict[str, set[str]] = defaultdict(set)
    for one in speaking(cluster) if fresh_stream(cluster) else ():
        alive[one.node].add(one.key)
    if double := {node for node, keys in alive.items() if len(keys) > 1}:
        cost = "which of them died cannot be told, and both answer a ping meant for one"
        fix = "celery worker -n worker@$CF_INSTANCE_GUID, or another name for each process"
        yield subject.fail(check, f"two processes call themselves {listed(double)}", cost, fix)
    elif not alive:
        yield subject.untold(check, "whether each node name is of one process", NEEDS_OBSERVER, SERVE)
    else:
        yield subject.ok(check, f"{number(len(alive), 'node name')}, each of one process")


def results(cluster: ClusterFacts, subject: Subject) -> Iterator[Line]:
    """Tell whether the result backend can be read."""
    check, found = "results", cluster.results
    cost = "a hung worker is given its whole grace though its tasks have ended, and ended tasks may count as lost"
    setting = f"result_backend in [[cluster]] {cluster.name}, as the workers have it"
    if found is None:
        yield subject.warn(check, "no result backend is given", cost, setting)
    elif not isinstance(found, Known):
        yield subject.untold(check, "whether the result backend can be read", found.why)
    elif isinstance(found.value, Denied):
        yield subject.fail(check, found.value.why, cost, setting)
    else:
        yield subject.ok(check, "the result backend can be read")
