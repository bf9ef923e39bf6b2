"""Workers that speak and do not work: which proof tells a deaf one from one that has nothing to do.

A deaf worker is idle by its own beats while work waits that it should take, or while its siblings take all of it, and one
more thing shows why (facts measured: docs/explanation/the-cycle.md). Idleness alone proves nothing: a rate limit holds
tasks back, and so may whoever has cancelled its consumers on purpose.
"""

from collections.abc import Callable

from msgspec.structs import replace

from celeriac.core.case import Case
from celeriac.core.finding import Finding, found, mend, recycle, restart
from celeriac.core.model import Inspection, Verdict
from celeriac.core.readings import Known, Unknown
from celeriac.core.recyclable import unfit
from celeriac.core.repair import Repair, RepairKind

Proof = Callable[[Case], Finding | None]


def deaf(case: Case) -> Finding | None:
    """It is idle, and work waits for it: deaf with a proof, else well with a doubt."""
    limits, idle_s = case.limits, case.idle_s()
    if idle_s is None or idle_s < limits.doubt_s or case.site.twins:  # of two of one name any may have answered
        return None
    if case.owed(limits.doubt_s) is None and not case.passed_over():
        return _begins_nothing(case) if idle_s >= limits.deaf_s and case.held() else _answers_nothing(case)
    if idle_s < limits.deaf_s or (case.owed(limits.deaf_s) is None and not case.passed_over()):
        return found(case, Verdict.HEALTHY, *(["it answers no ping"] if _mute(case) else []), doubt=True)
    return next(finding for proof in PROOFS if (finding := proof(case)))


def _mute(case: Case) -> bool:
    ping = case.ping()
    return isinstance(ping, Known) and not ping.value


def _begins_nothing(case: Case) -> Finding | None:
    """Only it has work, and does not begin it: an empty pool is a proof, and nothing else is.

    A rate limit holds tasks back, and so does a task class of one's own that collects its calls (celery-batches).
    """
    told = case.inspection()
    if not isinstance(told, Known):
        note = "it answers no ping; " if _mute(case) else ""
        note += f"it holds tasks that it does not begin; cannot tell why: remote control: {told.why}"
        return found(case, Verdict.HEALTHY, note, doubt=True)
    if not told.value.reserved:
        return _answers_nothing(case)  # that they ended was not heard
    why = "tasks of its have a rate limit" if told.value.limited else "they may be held back on purpose"
    note = f"it holds {told.value.reserved} messages that it does not begin; cannot tell why: {why}"
    return _has_no_pool(case) or found(case, Verdict.HEALTHY, note, doubt=True)


def _answers_nothing(case: Case) -> Finding | None:
    """It beats and does not hear us, but nothing waits for it: time will tell."""
    if not _mute(case):
        return None
    note = "it answers no ping; whether it takes tasks cannot be told, as none wait for it"
    return found(case, Verdict.HEALTHY, note, doubt=True)


def _consumes_it_no_more(case: Case) -> Finding | None:
    """People cancel consumers on purpose, so it is theirs to say."""
    told = case.inspection()
    there = set(told.value.queues) if isinstance(told, Known) else set(case.queues()) - set(case.logged().cancelled)
    owed = case.owed(case.limits.deaf_s)
    missing = [name for name in ([owed[0]] if owed else case.queues()) if name not in there]
    if not missing:
        return None
    note = f"it consumes {', '.join(missing)} no more: somebody may have cancelled that on purpose"
    return mend(case, Verdict.DEAF, note, Repair(RepairKind.ADD_CONSUMER, missing[0], (missing[0],)))


def _has_no_pool(case: Case) -> Finding | None:
    told = case.inspection()
    if not isinstance(told, Known) or told.value.processes != 0:
        return None
    note = "its pool has no processes: somebody may have shrunk it on purpose"
    return mend(case, Verdict.DEAF, note, Repair(RepairKind.POOL_GROW, str(case.slots() or 1), case.queues()))


def _does_not_hear(case: Case) -> Finding | None:
    """It beats, but answers no ping while others do: the connections of a zombie."""
    fetches = _fetches(case)
    if not _mute(case) or (fetches and case.owed(case.limits.deaf_s) is None):
        return None
    note = "it sends heartbeats, but answers no ping and takes no task"
    return restart(case, Verdict.DEAF, note, approval=_working(case) or fetches)


def _is_given_nothing(case: Case) -> Finding | None:
    """The broker itself shows that it is connected, and has no consumer on the queue, whatever it says."""
    owed, told = case.owed(case.limits.deaf_s), case.inspection()
    if owed is None or not told.at or not case.not_given(owed[0]):  # it may not have been asked yet
        return None
    note = f"RabbitMQ has no consumer of its connection on {owed[0]}"
    if not isinstance(told, Known):
        return restart(case, Verdict.DEAF, note, approval="it cannot be asked what it consumes")
    note = f"it says that it consumes {owed[0]}, but {note}"
    if _working(case) and unfit(case.site) is None:
        return recycle(case, Verdict.DEAF, note)
    return restart(case, Verdict.DEAF, note, approval=_working(case))


def _does_not_fetch(case: Case) -> Finding | None:
    """It says that it consumes and holds nothing: a message that waits would be its own at once.

    That its siblings take all of them does not do: workers on Redis ask anew each second, and who asked first gets the next
    message, so that steady traffic may pass one by for minutes (seen on solo workers after a restart of Redis).
    """
    told, shown = case.inspection(), case.on_redis()
    if not isinstance(told, Known) or told.value.reserved or told.value.limited:
        return None
    if _held_back(case) or _full(case, told.value):
        return None
    if (shown and shown.fetching) or (shown is None and case.owed(case.limits.deaf_s) is None):
        return None
    note, approval = "it says that it consumes its queues, but takes no message from them", _unproven(case, told.value)
    if _working(case) and unfit(case.site) is None:
        return replace(recycle(case, Verdict.DEAF, note), approval=approval)
    return restart(case, Verdict.DEAF, note, approval=_working(case) or approval)


def _nobody_fetches(case: Case) -> Finding | None:
    """It does not tell, or cannot be asked; but the broker shows that nobody takes these messages."""
    owed, told = case.owed(case.limits.deaf_s), case.inspection()
    if owed is None or isinstance(told, Known) or not told.at:  # it may not have been asked yet
        return None
    name, waiting = owed
    if waiting.unacked == 0:
        note = f"nobody takes what waits in {name}: no message of it is unacknowledged"
    elif waiting.consumers == 0:
        note = f"nobody takes what waits in {name}: the queue has no consumers"
    else:
        return None
    return restart(case, Verdict.DEAF, note, approval="whether it still consumes the queue is not known")


def _cannot_tell(case: Case) -> Finding | None:
    told = case.inspection()
    if not isinstance(told, Known):
        why = "; ".join(filter(None, (f"remote control: {told.why}", _fetches(case))))
    elif told.value.limited:
        why = "tasks of its have a rate limit, which may hold them back"
    elif told.value.reserved:
        why = f"it holds {told.value.reserved} messages that it does not begin"
    elif held := _held_back(case):
        why = held
    else:
        idle = "its connection to the broker fetches" if case.on_redis() else "its siblings may just have been quicker"
        why = _full(case, told.value) or idle
    return found(case, Verdict.HEALTHY, f"work waits and it takes none; cannot tell why: {why}", doubt=True)


def _held_back(case: Case) -> str | None:
    """Return why the broker gives it nothing of what it owes, if it tells."""
    owed, taking = case.owed(case.limits.deaf_s), case.taking()
    return taking.held.get(owed[0]) if owed and taking else None


def _fetches(case: Case) -> str | None:
    """Return why it may take tasks although it does not hear us, or None where the broker does not show so."""
    shown = case.on_redis()
    if shown:
        return "its connection to the broker fetches" if shown.fetching else None
    clients = case.seen.clients
    unseen = isinstance(clients, Unknown) and case.named()
    return "whether its connection to the broker fetches cannot be seen" if unseen else None


def _full(case: Case, told: Inspection) -> str | None:
    """Return why its broker gives it no more: it holds as many messages as it may, and runs them or keeps them for later."""
    one, later = case.site.incarnation, told.later or 0
    runs = (one.active if one else None) or 0
    if not told.prefetch or runs + told.reserved + later < told.prefetch:
        return None
    return f"it may hold {told.prefetch} messages at once: it runs {runs} and keeps {later} for later"


def _unproven(case: Case, told: Inspection) -> str | None:
    """Return why it may be well all the same; None where Redis shows that it fetches nothing, or its siblings take all."""
    clients = case.seen.clients
    if told.prefetch and told.later is None:
        return "how many messages it keeps for later is not known, and they may be all that it may hold"
    if case.on_redis():
        return None
    if case.taking():
        return "RabbitMQ shows no reason why it is given nothing, and no fault either"
    if case.of_rabbitmq():
        return "AMQP does not tell who takes messages: it may stand by for a queue with x-single-active-consumer"
    if isinstance(clients, Unknown):
        return f"who fetches cannot be seen: {clients.why}"
    if not case.passed_over():
        return "its siblings do not take these messages either, so the cause may be elsewhere"
    return None


def _working(case: Case) -> str | None:
    """Return why only a person may end it, if it still runs tasks."""
    one = case.site.incarnation
    return f"it still runs {one.active} tasks" if one and one.active else None


PROOFS: tuple[Proof, ...] = (
    _consumes_it_no_more,
    _has_no_pool,
    _does_not_hear,
    _is_given_nothing,
    _does_not_fetch,
    _nobody_fetches,
    _cannot_tell,
)
