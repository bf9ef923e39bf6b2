"""What is known of queues: the newest sample of each, and how one came to be as it is."""

from collections.abc import Callable

from celeriac.app.ranges import bounds
from celeriac.app.shaping import parts_of, queue_sample_view, queue_view
from celeriac.app.sources import STALE_S, Source, Sources, unknown
from celeriac.app.views import QueueSampleView, QueueView
from celeriac.core.errors import ConflictError
from celeriac.core.memory import Board
from celeriac.core.model import Status, Verdict
from celeriac.ports import Journal

SAMPLES_S = 3600.0


class QueueQueries:
    """Reads of queues."""

    def __init__(self, sources: Sources, journal: Journal, clock: Callable[[], float]) -> None:
        self._sources = sources
        self._journal = journal
        self._clock = clock

    def all(self, cluster: str | None = None) -> list[QueueView]:
        """Return the queues of one or all clusters: those that nobody consumes first, then the deepest.

        A cluster that cannot be read is left out; its `problems` say why.
        """
        answers, _ = self._sources.asked(cluster, self._of)
        found = [view for _, views in answers for view in views]
        return sorted(found, key=lambda one: (not one.unconsumed, -one.depth, one.cluster, one.name))

    def samples(
        self, id: str, cluster: str | None = None, *, since: float | None = None, until: float | None = None
    ) -> list[QueueSampleView]:
        """Return a queue's samples, oldest first; the last hour unless said otherwise.

        The queue is named by its id, or by its name where only one cluster has it.
        """
        source, name = self._named(id, cluster)
        found = source.history.queue(name, *bounds(since, until, self._clock(), SAMPLES_S))
        return [queue_sample_view(each) for each in found]

    def _named(self, id: str, cluster: str | None) -> tuple[Source, str]:
        parts = parts_of(id)
        if len(parts) == 2 and parts[0] in self._sources:
            return self._sources.chosen(parts[0])[0], parts[1]
        answers, left_out = self._sources.asked(cluster, lambda one: one.history.queues())
        having = [one for one, samples in answers if any(each.name == id for each in samples)]
        if not having:
            raise unknown(f"queue {id!r}", left_out)
        if len(having) > 1:
            raise ConflictError(f"Several clusters have a queue {id!r}: {', '.join(one.name for one in having)}.")
        return having[0], id

    def _of(self, source: Source) -> list[QueueView]:
        samples = source.history.queues()
        board = self._journal.board(source.name) if samples else None
        fresh = board is not None and self._clock() - board.at < STALE_S
        return [
            queue_view(each, source.name, consuming(each.name, board) if board and fresh else "the keeper says nothing")
            for each in samples
        ]


def consuming(queue: str, board: Board) -> int | str:
    """Return how many workers take from a queue, by what they said of themselves; a text says why that is not known."""
    if board.blind:
        return f"the cluster is not heard: {board.blind}"
    silent = number = 0
    for one in board.findings:
        # A worker that shuts down takes nothing more.
        if (
            one.status is not Status.ONLINE
            or one.verdict is Verdict.DRAINING
            or not one.site
            or not one.site.incarnation
        ):
            continue
        pool = board.pools.get(one.site.incarnation.key)
        silent += pool is None or not pool.queues
        number += pool is not None and queue in pool.queues
    if silent and not number:
        return f"{silent} online workers have not said what they consume"
    return number
