"""The evidence of a case: every signal that was read for a place, as people read it, in the order of the proof."""

from celeriac.core.case import Case
from celeriac.core.model import InstanceState, Taking
from celeriac.core.readings import Evidence, Known, Unknown


def signals(case: Case) -> tuple[Evidence, ...]:
    """Return every signal that was read for this place, in the order of the proof."""
    return tuple(
        line
        for line in (
            _heartbeat(case),
            _ping(case),
            _inspection(case),
            _broker(case),
            _work(case),
            _log(case),
            _slots(case),
            _platform(case),
            _changes(case),
            _echo(case),
        )
        if line
    )


def _heartbeat(case: Case) -> Evidence | None:
    one, stream = case.site.incarnation, case.stream
    if one is None or stream is None:
        return None
    usual = f"one every {one.freq:g} s is usual" if one.beats else "it sends no heartbeats"
    text = f"last event {max(0.0, stream.observed_at - one.last_seen_at):.1f} s ago, {usual}; pid {one.pid}"
    return Evidence("heartbeat", text, one.last_seen_at)


def _ping(case: Case) -> Evidence | None:
    reading = case.ping()
    if isinstance(reading, Unknown):
        return None if reading.why == "not asked yet" else Evidence("ping", reading.why, reading.at)
    return Evidence("ping", "answered" if reading.value else "no answer", reading.at)


def _inspection(case: Case) -> Evidence | None:
    reading = case.inspection()
    if isinstance(reading, Unknown):
        return None if reading.why == "not asked yet" else Evidence("remote control", reading.why, reading.at)
    told = reading.value
    text = f"it consumes {', '.join(told.queues) or 'no queue'} and holds {told.reserved} messages that are not begun"
    if told.later:
        text += f", and {told.later} for later, of {told.prefetch} that it may hold"
    if told.processes is not None:
        text += f"; its pool has {told.processes} processes"
    return Evidence("remote control", text, reading.at, rules_out=None if told.limited else "a rate limit")


def _work(case: Case) -> Evidence | None:
    """Tell of what it owes, only where it begins nothing."""
    idle_s, owed = case.idle_s(), case.owed(case.limits.doubt_s)
    if idle_s is None or idle_s < case.limits.doubt_s:
        return None
    one = case.site.incarnation
    runs = f"runs {one.active} tasks" if one and one.active else "runs nothing"
    idle = f"it has begun nothing for {idle_s:.0f} s and {runs}"
    if owed is not None:
        name, waiting = owed
        on_way = "" if waiting.unacked is None else f", {waiting.unacked} unacknowledged"
        text = f"{waiting.depth} messages in {name}{on_way}, not empty for {case.seen.at - (waiting.since or 0):.0f} s"
        return Evidence("work", f"{text}; {idle}", case.seen.at, rules_out="nothing to do")
    if (held := case.held()) is not None:
        text = f"{held.number} tasks received and not begun, the oldest one ({held.name or 'unnamed'}) "
        text += f"{case.seen.at - held.since:.0f} s ago"
        return Evidence("work", f"{text}; {idle}", case.seen.at, rules_out="nothing to do")
    if case.passed_over() and one is not None:
        share = case.seen.shares[one.key]
        text = f"the {share.workers} workers of its queues began {share.theirs} tasks since it began its last"
        text = f"{text} (by chance: {share.chance:.0e}); {idle}"
        return Evidence("work", text, case.seen.at, rules_out="chance")
    return None


def _broker(case: Case) -> Evidence | None:
    clients, consumer = case.seen.clients, case.consumer()
    if isinstance(clients, Unknown):
        return Evidence("broker", clients.why, clients.at) if clients.at else None
    if consumer is None and not case.named():
        return _crowd(case, clients.at)
    unread = f"; {clients.value.unread}" if clients.value.unread else ""
    if consumer is None:
        return Evidence("broker", f"no connection of its own{unread}", clients.at)
    if consumer.taking is not None:
        return Evidence("broker", _taking(consumer.taking), clients.at)
    doing = "fetching" if consumer.fetching else f"none fetching, idle {consumer.idle_s:.0f} s"
    return Evidence("broker", f"{consumer.connections} connections, {doing}{unread}", clients.at)


def _taking(taking: Taking) -> str:
    """Tell what the broker itself says of its consumers."""
    queues = ", ".join(taking.queues) or "no task queue"
    text = f"the connection of its remote control has consumers on {queues}, so for {taking.lasting_s:.0f} s"
    if taking.unacked is not None:
        text += f"; {taking.unacked} messages unacknowledged"
    return "; ".join([text, *dict.fromkeys(taking.held.values())])


def _log(case: Case) -> Evidence | None:
    one = case.site.incarnation
    reading = case.seen.logged.get(one.node) if one else None
    if isinstance(reading, Unknown):
        return Evidence("log", reading.why, reading.at)
    logged = case.logged()
    told = [f"it canceled the queue {name}" for name in logged.cancelled]
    if logged.stopping_at is not None:
        told.append(f"it was told to stop {case.seen.at - logged.stopping_at:.0f} s ago")
    if logged.broken:
        told.append(f"unrecoverable error: {logged.broken}")
    return Evidence("log", "; ".join(told), case.seen.at) if told else None


def _slots(case: Case) -> Evidence | None:
    held = case.stuck()
    return Evidence("slots", "; ".join(one.text for one in held), case.seen.at) if held else None


def _crowd(case: Case, at: float) -> Evidence | None:
    counted, one = case.crowd.counted, case.site.incarnation
    if counted is None or one is None or case.silent_s < case.suspect_after:
        return None
    fetching = "" if counted.fetching is None else f", {counted.fetching} fetch"
    text = f"of the connections without a name {counted.subscribed} subscribe{fetching}; {case.crowd.speaking} workers speak"
    before = case.seen.crowds.get(one.key)
    if before is not None:
        text += f"; when it spoke {before.counted.subscribed} subscribed, of {before.workers} workers"
    return Evidence("broker", text, at)


def _platform(case: Case) -> Evidence | None:
    instance, platform = case.site.instance, case.seen.platform
    if isinstance(platform, Unknown):
        return Evidence("platform", platform.why, platform.at)
    if instance is None or platform is None:
        return None
    up = f" for {instance.uptime_s:.0f} s" if instance.uptime_s is not None else ""
    text = f"{instance.state}{up}, guid {instance.guid or 'none'}"
    crash = "a crash" if instance.state is InstanceState.RUNNING else None
    return Evidence("platform", text, platform.at, rules_out=crash)


def _changes(case: Case) -> Evidence | None:
    """Tell who changed its app last, where somebody did so lately."""
    changes = case.seen.changes
    if not isinstance(changes, Known):
        return None
    mine = [one for one in changes.value if one.concerns(case.site.place)]
    if not mine:
        return None
    last = max(mine, key=lambda one: one.at)
    ago = max(0.0, case.seen.at - last.at)
    return Evidence("platform changes", f"{last.actor or 'somebody'} {last.what} {ago:.0f} s ago", last.at)


def _echo(case: Case) -> Evidence | None:
    stream = case.stream
    if stream is None or stream.echo_at is None:
        return None
    text = f"our own echo {stream.observed_at - stream.echo_at:.1f} s ago; {case.siblings}"
    return Evidence("echo", text, stream.observed_at, rules_out="broker outage")


def rules_out(case: Case, signal: str, reading: str, alternative: str) -> Evidence:
    """Return a reading that rules out another explanation."""
    return Evidence(signal, reading, case.seen.at, rules_out=alternative)
