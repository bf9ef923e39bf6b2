"""The questions that the page asks before an order is given: each says what the order will do, and what it passes."""

import json
from collections.abc import Callable

from celeriac.app.app_views import AppInstanceView, AppView, ProcessView
from celeriac.app.order_views import PauseView
from celeriac.app.views import IncidentView, WorkerView
from celeriac.core.incident import RemedyKind, Strategy

APPROVE = {
    RemedyKind.LIVE_REPAIR: "Repair",
    RemedyKind.RECYCLE: "Recycle",
    RemedyKind.RESTART_APP: "Restart app (rolling)",
}
INSTANCE_OF = "index {0.index} of {0.app} ({0.process}, now {0.state}, guid {0.guid})"


def restart_question(worker: WorkerView) -> str:
    """Return what a restart will do, to be read before it is ordered."""
    instance = worker.instance
    if instance is None:
        return ""
    busy = f" {worker.active} running tasks will be cut off." if worker.active else ""
    return (
        f"Restart {worker.name}? The keeper stops {INSTANCE_OF.format(instance)}, the platform starts it again, "
        f"and Celeriac checks that it came back.{busy}{_passed(worker.passes)}"
    )


def restart_instance_question(instance: AppInstanceView, app: AppView) -> str:
    """Return what the restart of one index will do, to be read before it is ordered."""
    found = f"found {instance.verdict.value} by Celeriac" if instance.verdict else "judged by nobody"
    return (
        f"Restart index {instance.index} of {app.name} ({instance.process}, now {instance.state}, guid {instance.guid}, {found})? "
        "The keeper stops it, the platform starts it again, and Celeriac checks that it came back; the tasks that it runs are "
        "cut off."
    )


def recycle_question(worker: WorkerView) -> str:
    """Return what recycling will do, to be read before it is ordered."""
    has = f"the {worker.active} tasks that it runs now" if worker.active else "what it has"
    queues = ", ".join(worker.queues) or "its queues"
    return (
        f"Recycle {worker.name}? The keeper has it consume {queues} no more, waits until it has ended {has}, and tells it to "
        "end; the platform starts it again, and Celeriac checks that it came back. No task is cut off; if it is not idle in "
        f"time, it consumes its queues again.{_passed(worker.passes)}"
    )


def restart_app_question(app: AppView) -> str:
    """Return what a rolling restart will do, to be read before it is ordered."""
    return f"Restart {app.name}? {_rolling(app.turns)}{_passed(app.passes)}"


def restart_all_question(app: AppView) -> str:
    """Return what a restart of all instances at once will do, to be read before it is ordered."""
    return (
        f"Restart all {len(app.instances)} instances of {app.name} at once? The platform stops them and starts new ones; the "
        "tasks that they run are cut off, and nothing is consumed until the new ones have come up. Each is proven to work "
        f"afterwards.{_passed(app.passes)}"
    )


def scale_question(app: AppView) -> str:
    """Return what scaling will do, to be read before it is ordered; the page puts what is chosen there in place of the braces."""
    return (
        f"Scale {{process}} of {app.name} from {{wanted}} to {{instances}}? The platform starts new instances, or stops those with the highest indexes; where draining is "
        "chosen, their workers end what they have before, and nothing is scaled if one is not idle in time."
    )


def first_process(app: AppView) -> ProcessView:
    """Return the process that is chosen where nobody has chosen yet: the one that is meant, else the first that is wanted."""
    return max(app.processes, key=lambda one: (one.type == app.process, one.wanted > 0))


def approve_word(incident: IncidentView) -> str:
    """Return what stands on the button that approves."""
    return APPROVE.get(incident.remedy, "Approve restart")


def approve_question(incident: IncidentView) -> str:
    """Return what an approval will do, to be read before it is given."""
    if incident.repair:
        return (
            f"Repair {incident.worker_name}? It was found {incident.verdict}. By remote control the keeper will "
            f"{incident.repair}, if it still is the same process and lacks the same; nothing is restarted."
            f"{_passed(incident.passes)}"
        )
    if incident.remedy is RemedyKind.RECYCLE:
        return (
            f"Recycle {incident.worker_name}? It was found {incident.verdict}. The keeper has it take no more tasks, waits "
            "until it has ended those that it runs, and tells it to end; the platform starts it again, and Celeriac checks "
            f"that it came back.{_passed(incident.passes)}"
        )
    if incident.remedy is RemedyKind.RESTART_APP:
        return (
            f"Restart {incident.worker_name}? The keeper looks again first, and begins only if still so many of its instances "
            f"are deaf or hung. {_rolling(incident.turns)}{_passed(incident.passes)}"
        )
    return (
        f"Approve the restart of {incident.worker_name}? It was found {incident.verdict}. The keeper looks again first "
        "and restarts it only if the same instance still runs and the evidence still stands."
        f"{_passed(incident.passes)}"
    )


def close_question(incident: IncidentView) -> str:
    """Return what closing will do, to be read before it is done."""
    then = "as long as the same process is in the same state, no other one is opened for an hour"
    if incident.remedy is RemedyKind.RESTART_APP:
        then = "no other restart of this app is proposed for an hour"
    return f"Close the incident of {incident.worker_name}? Nothing is done for it any more, and {then}."


def resume_question(pauses: list[PauseView]) -> str:
    """Return which pauses will end, to be read before it is done."""
    said = "; ".join(f"{one.reason} ({one.actor})" for one in pauses)
    everywhere = " This resumes all clusters." if any(one.cluster is None for one in pauses) else ""
    return f"Resume? Paused for: {said}.{everywhere} The keeper may restart workers again."


def of_cluster(app: AppView) -> str:
    """Return what to send with an order for an app: the same one may be watched in more than one cluster."""
    return json.dumps({"cluster": app.cluster})


def of_process(instance: AppInstanceView, app: AppView) -> str:
    """Return what to send with an order for one index: other process types have indexes of the same number."""
    return json.dumps({"cluster": app.cluster, "process": instance.process, "index": instance.index})


def all_at_once(app: AppView) -> str:
    """Return what to send to restart all instances of an app at once."""
    return json.dumps({"cluster": app.cluster, "strategy": Strategy.ALL_AT_ONCE})


def resumed(pauses: list[PauseView], name: str) -> str:
    """Return what to send to end these pauses: all of them, where one is of all clusters."""
    return json.dumps({} if any(one.cluster is None for one in pauses) else {"cluster": name})


def _rolling(turns: list[str]) -> str:
    """Say what a rolling restart does, and to which instances in which order."""
    return (
        f"It restarts all {len(turns)} instances, also those that are well, one at a time, each proven to work before the next, "
        "and stops at the first that is not; the tasks that they run are cut off. In this order, those found deaf or hung "
        f"first: {', '.join(turns)}."
    )


def _passed(passes: list[str]) -> str:
    """Say what an order passes: people see it before they give it."""
    return f" It passes what holds the keeper now: {'; '.join(passes)}." if passes else ""


FILTERS: dict[str, Callable[..., object]] = {
    one.__name__: one
    for one in (
        all_at_once,
        approve_question,
        approve_word,
        close_question,
        first_process,
        of_cluster,
        of_process,
        recycle_question,
        restart_all_question,
        restart_app_question,
        restart_instance_question,
        restart_question,
        resume_question,
        resumed,
        scale_question,
    )
}
