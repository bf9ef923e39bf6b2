"""Checks of the hearing: an observer writes, its echo comes back, in time and without losses."""

from collections.abc import Iterator

from celeriac.core.checkup.facts import ClusterFacts, Denied
from celeriac.core.checkup.lines import Line, Subject, span
from celeriac.core.checkup.nodes import FRESH_S, fresh_stream
from celeriac.core.readings import Known
from celeriac.core.snapshot import Stream

NEEDS_OBSERVER = "no observer runs, and this needs one"
SERVE = "celeriac serve"
LATE_S = 2.0
"""The echo is sent every 2 s: a verdict may be late by as much as the events are."""

SETTLED_S = 40.0
"""After a gap of ours silence convicts nobody for so long."""

LOSSES_TOLD_S = 86_400.0


def observer(cluster: ClusterFacts, subject: Subject, *, serving: bool) -> Iterator[Line]:
    """Tell whether an observer stores what it hears, now."""
    check, found = "observer", cluster.stream
    cost = "the cluster is blind: nothing is seen of it, and nothing is restarted"
    # A server that asks has an observer, or something is wrong; on the command line nothing need run yet.
    say = subject.fail if serving else subject.warn
    if not isinstance(found, Known):
        yield subject.untold(check, "whether an observer runs", found.why if found else "the store was not asked")
    elif isinstance(found.value, Denied):
        yield say(check, f"nothing can be read of what an observer heard: {found.value.why}", cost, SERVE)
    elif found.value is None:
        yield say(check, "no observer has stored anything yet", cost, SERVE)
    elif (age := cluster.at - found.value.observed_at) > FRESH_S:
        yield say(check, f"no observer runs, or it cannot store: its last word is {span(age)} old", cost, SERVE)
    else:
        yield subject.ok(check, f"the observer stored its last word {span(max(0.0, age))} ago")


def echo(cluster: ClusterFacts, subject: Subject) -> Iterator[Line]:
    """Tell whether our own event comes back through the broker: then so do those of the workers."""
    check, stream = "events", fresh_stream(cluster)
    if stream is None:
        yield subject.untold(check, "whether events come", NEEDS_OBSERVER, SERVE)
    elif stream.flowing_since is None:
        yield subject.fail(
            check,
            f"our own event does not come back{f': {stream.error}' if stream.error else ''}",
            "the cluster is blind: nothing is seen of it, and nothing is restarted",
            f"the setting `broker` of [[cluster]] {cluster.name}, and the rights of its user, as above",
        )
    elif (flowing := stream.observed_at - stream.flowing_since) < SETTLED_S:
        yield subject.warn(
            check,
            f"events flow since {span(max(0.0, flowing))} only",
            f"silence convicts nobody until they have flowed for {SETTLED_S:.0f} s",
            "nothing: look again in a minute",
        )
    else:
        yield subject.ok(check, f"our own event comes back; events flow since {span(flowing)}")


def lag(cluster: ClusterFacts, subject: Subject) -> Iterator[Line]:
    """Tell how old events are when they are read."""
    check, stream = "lag", fresh_stream(cluster)
    if stream is None or stream.lag_s is None:
        yield subject.untold(
            check, "how late events are", NEEDS_OBSERVER if stream is None else "no echo came yet", SERVE
        )
    elif stream.lag_s > LATE_S:
        yield subject.warn(
            check,
            f"events are {span(stream.lag_s)} old when they are read",
            "verdicts come that much later, and beyond 5 s the cluster is blind",
            "celeriac serve --only observer on a machine of its own",
        )
    else:
        yield subject.ok(check, f"events are read {stream.lag_s * 1000:.0f} ms after they are sent")


def losses(cluster: ClusterFacts, subject: Subject) -> Iterator[Line]:
    """Tell what was lost within the last day."""
    check, stream = "losses", fresh_stream(cluster)
    if stream is None:
        yield subject.untold(check, "whether events are lost", NEEDS_OBSERVER, SERVE)
    elif stream.lost_at is None or stream.observed_at - stream.lost_at > LOSSES_TOLD_S:
        yield subject.ok(check, "nothing of what was sent within the last day is known to be lost")
    else:
        ago = span(max(0.0, stream.observed_at - stream.lost_at))
        yield subject.warn(
            check,
            f"something was lost, last {ago} ago; since the beginning: {_told(stream)}",
            "tasks or their ends are missing in history, and fates of tasks may be unsure; no worker is judged by them",
            f"celeriac observation --cluster {cluster.name} names each loss with the setting that ends it",
        )


def _told(stream: Stream) -> str:
    numbers = {
        "gaps in the stream": stream.gaps,
        "cut connections": stream.cuts,
        "events dropped": stream.dropped,
        "tasks never told": stream.lost_tasks,
        "messages refused or unreadable": stream.malformed,
    }
    return ", ".join(f"{many} {what}" for what, many in numbers.items() if many)
