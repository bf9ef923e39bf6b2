"""Which nodes are there now: those that speak, and those that answer a ping."""

from celeriac.core.checkup.facts import ClusterFacts, Denied
from celeriac.core.model import Incarnation
from celeriac.core.readings import Known
from celeriac.core.snapshot import Stream

FRESH_S = 5.0
"""An observer whose last word is older does not observe, or cannot store (as the keeper has it)."""

SPOKE_S = 60.0
"""A life that has said nothing for so long is not counted among those that are there."""


def stream_of(cluster: ClusterFacts) -> Stream | None:
    """Return the observer's last word, however old; None where there is none."""
    found = cluster.stream
    return found.value if isinstance(found, Known) and isinstance(found.value, Stream) else None


def fresh_stream(cluster: ClusterFacts) -> Stream | None:
    """Return the observer's last word if it is of now."""
    stream = stream_of(cluster)
    return stream if stream is not None and cluster.at - stream.observed_at <= FRESH_S else None


def speaking(cluster: ClusterFacts) -> tuple[Incarnation, ...]:
    """Return the lives that spoke within the last minute, by the observer's own clock, and have not said goodbye."""
    stream = stream_of(cluster)
    if stream is None:
        return ()
    return tuple(
        one for one in cluster.incarnations if not one.offline and stream.observed_at - one.last_seen_at <= SPOKE_S
    )


def live_nodes(cluster: ClusterFacts) -> frozenset[str]:
    """Return the nodes that are there: heard lately while an observer runs, or answering now."""
    found = cluster.discovered
    answering = frozenset[str]()
    if isinstance(found, Known) and not isinstance(found.value, Denied):
        answering = found.value
    heard = {one.node for one in speaking(cluster)} if fresh_stream(cluster) else set()
    return answering | heard
