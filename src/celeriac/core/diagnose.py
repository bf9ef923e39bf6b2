"""Verdicts: one table of rules, read from top to bottom; the first that fits a place gives its finding.

No rule convicts on silence alone. A hung worker is silent, gives no answer to a ping, and is seen not to fetch by the
broker; what cannot be known makes the finding blind, with the reason. Failure modes F1 to F21 and what each signal shows
under them were measured on real workers (docs/explanation/the-cycle.md).
"""

from collections.abc import Callable

from celeriac.core.blindness import blindness
from celeriac.core.case import Case, spoke_at
from celeriac.core.crashes import loop
from celeriac.core.crowd import count
from celeriac.core.deaf import deaf
from celeriac.core.doubts import HELD, PREFORK, approval, nameless
from celeriac.core.evidence import rules_out
from celeriac.core.finding import UNMAPPED, Finding, found, mend, restart
from celeriac.core.incident import RemedyKind
from celeriac.core.limits import Limits
from celeriac.core.model import InstanceState, Verdict
from celeriac.core.places import Site, sites
from celeriac.core.readings import Evidence, Known, Unknown
from celeriac.core.repair import Repair, RepairKind
from celeriac.core.snapshot import Seen, Stream, silence, speaks

_NO_BEATS = "sends no heartbeats but answers a ping"

Rule = Callable[[Case], Finding | None]


def diagnose(seen: Seen, limits: Limits) -> tuple[Finding, ...]:
    """Return one finding for each place of the cluster."""
    stream = seen.stream.value if isinstance(seen.stream, Known) else None
    found = sites(seen)
    siblings, crowd = _siblings(found, stream, limits), count(seen, limits.suspect_beats)
    findings = []
    for site in found:
        silent_s = silence(spoke_at(site.incarnation, seen, limits), stream) if site.incarnation and stream else 0.0
        case = Case(seen, limits, site, stream, silent_s, siblings, crowd)
        finding = next(finding for rule in RULES if (finding := rule(case)))
        findings.append(finding)
    return tuple(finding for finding in findings if not _forgotten(finding, seen, limits))


# The table. Platform facts come first: they need no events. ----------------------------------------------------------


def _stopped_on_platform(case: Case) -> Finding | None:
    """A person stopped the app (`cf stop`), or scaled the index away."""
    app, instance = case.site.app, case.site.instance
    if app is None or instance is None:
        return None
    if app.state == "STOPPED":
        return found(case, Verdict.STOPPED, "the app is stopped")
    wanted = next((process.wanted for process in app.processes if process.type == instance.process), None)
    if wanted is not None and instance.index >= wanted:
        return found(case, Verdict.STOPPED, "the app is scaled below this index")
    if instance.state is InstanceState.STOPPING:
        return found(case, Verdict.STOPPED, "the platform is stopping it")
    return None


def _crash_looping(case: Case) -> Finding | None:
    """It ended badly again and again, whatever it did in between: another restart would be one more turn."""
    crashes = loop(case.site.place, case.seen, case.limits)
    if not crashes:
        return None
    last, number = crashes[-1], len(crashes)
    line = Evidence(
        "platform events", f"crash {last.count} in a row, {case.seen.at - last.at:.0f} s ago: {last.text}", last.at
    )
    if number >= case.limits.crash_loop_at:
        note = f"crashed {number} times within {case.limits.crash_window_s / 60:.0f} min"
    else:
        note = f"crashed {last.count} times in a row, by the platform's count"
    return found(case, Verdict.CRASH_LOOPING, note, remedy=RemedyKind.ALERT, evidence=(line,))


def _crashed_on_platform(case: Case) -> Finding | None:
    """The platform says that the process ended and is not back yet."""
    instance = case.site.instance
    if instance is None or instance.state is not InstanceState.CRASHED:
        return None
    return found(case, Verdict.CRASHED, "the platform restarts it after its own pause")


def _deaf_ourselves(case: Case) -> Finding | None:
    """Broker down, observer stale, or our own echo late: nobody is judged by silence."""
    why = blindness(case.seen, case.limits)
    return found(case, Verdict.BLIND, why) if why else None


def _not_joined(case: Case) -> Finding | None:
    """The platform starts or runs it, and no event of it has come yet."""
    instance, one = case.site.instance, case.site.incarnation
    if instance is None or one is not None:
        return None
    if instance.state is InstanceState.UNKNOWN:
        return found(case, Verdict.BLIND, "the platform does not know the state of this index")
    if instance.state is InstanceState.RUNNING and instance.guid is None:
        return found(case, Verdict.BLIND, "the platform's API gives no instance guid: no node can be mapped to it")
    waited = instance.uptime_s or 0.0
    if waited <= case.limits.start_deadline_s or not case.listened(case.limits.start_deadline_s):
        return found(case, Verdict.STARTING, *filter(None, [instance.details]))
    note = "never joined: no event since its start, or its node name does not hold its instance guid"
    if instance.state is InstanceState.DOWN and instance.details:
        note = f"the platform cannot start it: {instance.details}"
    return found(case, Verdict.HUNG, note, remedy=RemedyKind.ALERT)


def _draining(case: Case) -> Finding | None:
    """A warm shutdown began (`worker-offline`); it still runs its tasks, without heartbeats and without answers."""
    one, instance = case.site.incarnation, case.site.instance
    if one is None or not one.offline or case.stream is None:
        return None
    for_s = case.stream.observed_at - (one.offline_at or one.last_seen_at)
    if for_s < case.limits.taken_back_s:  # that of a broken connection comes late, `worker-online` a second after it
        return None
    if instance is None and case.gone_from_broker():
        return found(case, Verdict.STOPPED, "it said goodbye and its connections are gone")
    if for_s <= case.limits.drain_deadline_s:
        return found(case, Verdict.DRAINING, f"warm shutdown began {for_s:.0f} s ago")
    if instance is None and not case.outstays():
        return found(case, Verdict.STOPPED, "it said goodbye; whether the process is gone cannot be seen")
    return _drained_too_long(case, for_s)


def _drained_too_long(case: Case, for_s: float) -> Finding:
    late = f"still draining after {for_s:.0f} s"
    return restart(case, Verdict.HUNG, late, approval="a draining worker may still run a task", may_work=True)


def _damaged(case: Case) -> Finding | None:
    """It speaks, and tasks hold slots of its far longer than their like ever took."""
    held, slots = case.stuck(), case.slots()
    if not held or not case.heard() or case.silent_s >= case.suspect_after:
        return None
    of = f" of {slots}" if slots else ""
    note = f"{len(held)}{of} slots are held by tasks that have run for too long"
    if slots is not None and len(held) >= slots:
        return restart(case, Verdict.DAMAGED, note, approval="its tasks may be running all the same")
    if case.pool_kind() != PREFORK:  # no other pool can end a task
        return found(case, Verdict.DAMAGED, note, remedy=RemedyKind.ALERT)
    return mend(case, Verdict.DAMAGED, note, Repair(RepairKind.REVOKE, held[0].id, (held[0].name,)))


def _drains_aloud(case: Case) -> Finding | None:
    """It said goodbye, beats on and hears us no more: gevent pools drain so (Celery 5.7)."""
    one, ping = case.site.incarnation, case.ping()
    if one is None or not one.leaving or not case.heard() or case.silent_s >= case.suspect_after:
        return None
    left_at = one.offline_at or one.first_seen_at
    if case.seen.answered.get(one.node, 0.0) > left_at + case.limits.taken_back_s:
        return None  # the goodbye was that of a connection that broke
    if not (isinstance(ping, Known) and not ping.value):
        return found(case, Verdict.HEALTHY, doubt=True)
    for_s = case.stream.observed_at - left_at if case.stream else 0.0
    if for_s > case.limits.drain_deadline_s:
        return _drained_too_long(case, for_s)
    return found(case, Verdict.DRAINING, "it said goodbye and beats on, but answers no ping: a warm shutdown")


def _speaks(case: Case) -> Finding | None:
    """It spoke within its last few beats, or it answered our last round of pings if it sends none."""
    if not case.heard() or case.silent_s >= case.suspect_after:
        return None
    return found(case, Verdict.HEALTHY, *([_NO_BEATS] if case.beatless() else []))


def _settling(case: Case) -> Finding | None:
    """It has not spoken since our own last gap ended, and that was a moment ago."""
    if case.stream is None or case.listened(case.limits.settle_s):
        return None
    if case.heard():
        return found(case, Verdict.HEALTHY, suspect=True)
    return found(case, Verdict.BLIND, "the event stream flows again since a moment: silence counts from then")


def _answers(case: Case) -> Finding | None:
    """Silent, but alive by another proof: an answer to our ping, or a fetch that the broker sees."""
    ping = case.ping()
    if isinstance(ping, Known) and ping.value:
        return found(case, Verdict.HEALTHY, _NO_BEATS, suspect=bool(case.beats()))
    if case.silent_s < case.convict_after:
        return found(case, Verdict.HEALTHY, suspect=True)
    consumer = case.consumer()
    if consumer is None or case.of_rabbitmq():  # AMQP tells of a connection that it is there, not that it lives
        return None
    if consumer.fetching:
        return found(case, Verdict.HEALTHY, "sends no heartbeats but fetches from the broker", suspect=True)
    if consumer.idle_s < case.limits.idle_consumer_s:
        return found(case, Verdict.HEALTHY, "sends no heartbeats but speaks to the broker", suspect=True)
    return None


def _left_by_itself(case: Case) -> Finding | None:
    """It ended its own subscriptions while its connections stay: a warm shutdown whose goodbye was not heard.

    Measured: a frozen worker keeps both of its subscriptions, a draining one has none and keeps the rest.
    """
    consumer = case.consumer()
    if consumer is None or consumer.listening:
        return None
    if case.silent_s <= case.limits.drain_deadline_s:
        return found(case, Verdict.DRAINING, "it has ended its own subscriptions: a warm shutdown began unheard")
    return _drained_too_long(case, case.silent_s)


def _broken(case: Case) -> Finding | None:
    """Its log tells of an error that ends it: it says no more, and goes once its running tasks have ended.

    Celery 5.7 does so when Redis restarts while the worker holds messages.
    """
    logged, one = case.logged(), case.site.incarnation
    if logged.broken is None or one is None or case.silent_s > case.limits.drain_deadline_s:
        return None
    return found(case, Verdict.DRAINING, "an unrecoverable error ends it once its running tasks have ended")


def _may_be_working(case: Case) -> Finding | None:
    """Only prefork beats while it works: any other pool, and an unknown one, may be silent because of a task."""
    pool = case.pool_kind()
    if pool == PREFORK or case.silent_s >= case.limits.may_block_s:
        return None
    what = f"pool {pool}" if pool else "a pool that we do not know"
    return found(case, Verdict.BUSY, f"{what} may be silent while a task runs", suspect=True)


def _cannot_tell(case: Case) -> Finding | None:
    """A proof is missing because its source fails: that convicts nobody."""
    for name, reading in (("ping", case.ping()), ("broker", case.seen.clients), ("platform", case.seen.platform)):
        if isinstance(reading, Unknown):
            return found(case, Verdict.BLIND, f"cannot tell: {name}: {reading.why}", suspect=True)
    if case.site.place.mapped and case.site.instance is None:
        return found(case, Verdict.BLIND, "cannot tell: the platform does not show its app", suspect=True)
    if case.site.instance is not None and case.site.instance.state is not InstanceState.RUNNING:
        why = f"the platform says {case.site.instance.state} of its instance"
        return found(case, Verdict.BLIND, f"cannot tell: {why}", suspect=True)
    if case.held_by_rabbitmq() and case.silent_s < case.limits.may_block_s:
        return found(case, Verdict.BLIND, f"cannot tell: {HELD}", suspect=True)
    gone = case.site.instance is None and case.counted_gone()
    if not case.named() and not case.counted_idle() and not gone:
        return found(case, Verdict.BLIND, f"cannot tell: {nameless(case)}", suspect=True)
    return None


def _dead_unmapped(case: Case) -> Finding | None:
    """Without a platform: no connection left is a crash, connections without a fetch are a hang; people are told."""
    if case.site.instance is not None:
        return None
    gone = case.gone_from_broker() or case.counted_gone()
    verdict = Verdict.CRASHED if gone else Verdict.HUNG
    return found(case, verdict, UNMAPPED, remedy=RemedyKind.ALERT)


def _hung(case: Case) -> Finding:
    """Silent, no answer, no fetch, and the platform runs it: it will not come back by itself."""
    pool = case.pool_kind()
    more = () if pool != PREFORK else (rules_out(case, "pool", "prefork: its main process never runs tasks", "busy"),)
    return restart(case, Verdict.HUNG, approval=approval(case), suspect=True, evidence=more)


RULES: tuple[Rule, ...] = (
    _stopped_on_platform,
    _crash_looping,
    _crashed_on_platform,
    _deaf_ourselves,
    _not_joined,
    _draining,
    _drains_aloud,
    deaf,
    _damaged,
    _speaks,
    _settling,
    _answers,
    _left_by_itself,
    _broken,
    _may_be_working,
    _cannot_tell,
    _dead_unmapped,
    _hung,
)


def _forgotten(finding: Finding, seen: Seen, limits: Limits) -> bool:
    """A worker that nothing maps is forgotten after a while when it has stopped (Flower keeps such ghosts).

    Where a platform maps the others, a silent node that it does not map has lived and died between two looks.
    """
    one = finding.site.incarnation if finding.site else None
    if one is None or finding.place.mapped or seen.at - one.last_seen_at <= limits.forget_s:
        return False
    return finding.verdict is Verdict.STOPPED or isinstance(seen.platform, Known)


def _siblings(found: tuple[Site, ...], stream: Stream | None, limits: Limits) -> str:
    lives = [site.incarnation for site in found if site.incarnation and not site.incarnation.offline]
    beating = [one for one in lives if stream and speaks(one, stream, limits)]
    return f"{len(beating)} of {len(lives)} heart-beating"
