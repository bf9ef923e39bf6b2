"""How well each cluster is heard: what is lost, what cannot be seen, and whether anything is stored at all."""

from collections.abc import Callable
from dataclasses import asdict

from celeriac.app.shaping import hearing_view
from celeriac.app.sources import Source, Sources
from celeriac.app.views import GapView, ObservationView
from celeriac.core.coverage import Watched, coverage
from celeriac.core.errors import UnreachableError
from celeriac.core.snapshot import Stream
from celeriac.ports import Journal

SILENT_S = 10.0
"""An observer flushes every moment: one that has stored nothing for so long does not observe, or cannot store."""

TOLD_S = 3600.0
"""For so long after a loss it is a trouble; its numbers are shown for as long as the observer runs."""

MEGABYTE = 1024 * 1024
SCARCE_BYTES = 50 * MEGABYTE
"""So little room on the store's disk is taken for the reason why nothing is stored."""


class ObservationQueries:
    """Reads of what observers say of themselves; `disk_free` gives the room on the store's disk in bytes, if known."""

    def __init__(
        self, sources: Sources, journal: Journal, clock: Callable[[], float], disk_free: Callable[[], int | None]
    ) -> None:
        self._sources = sources
        self._journal = journal
        self._clock = clock
        self._disk_free = disk_free

    def all(self, cluster: str | None = None) -> list[ObservationView]:
        """Return how well one or all clusters are heard."""
        return [self._told(one) for one in self._sources.chosen(cluster)]

    def stalled(self, stream: Stream | None) -> str | None:
        """Return why nothing new is stored; None while all is well, and before anything was."""
        if stream is None or self._clock() - stream.observed_at <= SILENT_S:
            return None
        free = self._disk_free()
        if free is not None and free < SCARCE_BYTES:
            return f"nothing new is stored, probably because the store's disk has only {free // MEGABYTE} MB left"
        return "nothing new is stored: the observer has stopped, or cannot store"

    def troubles(self, stream: Stream | None) -> list[str]:
        """Return in sentences what makes all the rest incomplete or old; who has none is heard well."""
        if stream is None:
            return []
        stalled = self.stalled(stream)
        lately = stream.lost_at is not None and self._clock() - stream.lost_at < TOLD_S
        return [*([stalled] if stalled else []), *_errors(stream), *(_losses(stream) if lately else [])]

    def _told(self, source: Source) -> ObservationView:
        try:
            heard = source.history.stream()
            return self._view(source, heard, self.troubles(heard), self._gaps(source, heard))
        except UnreachableError as error:
            return self._view(source, None, [str(error)], [])

    def _view(self, source: Source, heard: Stream | None, troubles: list[str], gaps: list[GapView]) -> ObservationView:
        told = asdict(hearing_view(heard, self._clock()))
        return ObservationView(**told, cluster=source.name, troubles=troubles, coverage=gaps)

    def _gaps(self, source: Source, stream: Stream | None) -> list[GapView]:
        board = self._journal.board(source.name)
        watched = Watched(
            stream=stream,
            incarnations=tuple(source.history.incarnations()),
            pools=board.pools if board else {},
            queues=tuple(source.history.queues()),
            broker=source.broker,
            enable_task_events=source.enable_task_events,
        )
        return [GapView(one.what, one.why, one.setting, list(one.workers)) for one in coverage(watched)]


def _errors(stream: Stream) -> list[str]:
    unheard = [f"the cluster is not heard: {stream.error}"] if stream.error else []
    return unheard + ([f"the store took nothing for a while: {stream.store_error}"] if stream.store_error else [])


def _losses(stream: Stream) -> list[str]:
    losses = {
        "events lost, as far as that can be told": stream.lost_events,
        "tasks begun without a word of them reaching Celeriac": stream.lost_tasks,
        "events that found no room while the store took nothing": stream.dropped,
        "times the connection was cut": stream.cuts,
        "times a part of the stream was missing": stream.gaps,
        "events refused for their content type": stream.refused,
        "events that cannot be read": stream.malformed - stream.refused,  # what is refused counts in both
    }
    return [f"{what}: {number}" for what, number in losses.items() if number > 0]
