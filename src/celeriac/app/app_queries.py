"""The watched apps as the keeper saw them last: the platform's word and our verdict side by side."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from celeriac.app.app_views import AppInstanceView, AppView, ProcessView
from celeriac.app.passing import passed_by_all, scene_of
from celeriac.app.sources import Source, Sources
from celeriac.app.views import moment
from celeriac.core.errors import ConflictError, MissingError, UnreachableError
from celeriac.core.finding import Finding
from celeriac.core.memory import Board
from celeriac.core.model import App, Incarnation, Instance, InstanceState
from celeriac.core.proposal import turns
from celeriac.core.snapshot import Stream
from celeriac.ports import Journal

Container = tuple[str, str | None, str | None, str | None, int | None, str | None]


class Watched(NamedTuple):
    """One app of one cluster."""

    cluster: str
    app: App


class AppQueries:
    """Reads of apps: what the keeper's board holds of them."""

    def __init__(self, sources: Sources, journal: Journal, clock: Callable[[], float]) -> None:
        self._sources, self._journal, self._clock = sources, journal, clock

    def all(self, cluster: str | None = None) -> list[AppView]:
        """Return the watched apps of one or all clusters, by name."""
        found: list[AppView] = []
        for source, board in self._boards(cluster):
            shape = self._shape(source, board)
            found += [shape.view(one) for one in board.apps]
        return sorted(found, key=lambda one: (one.cluster, one.name))

    def one(self, id: str, cluster: str | None = None) -> AppView:
        """Return one app by its id or name; raises MissingError, or ConflictError where it is several."""
        of = self.watched(id, cluster).cluster
        return next(one for one in self.all(of) if id in (one.id, one.name))

    def watched(self, id: str, cluster: str | None = None) -> Watched:
        """Return one app as the platform reported it last; raises the same."""
        found = [
            Watched(source.name, one)
            for source, board in self._boards(cluster)
            for one in board.apps
            if id in (one.guid, one.name)
        ]
        if not found:
            raise MissingError(f"No app {id!r} is watched.")
        if len(found) > 1:
            raise ConflictError(f"{id!r} is watched in more than one {_which(found)}.")
        return found[0]

    def _boards(self, cluster: str | None) -> list[tuple[Source, Board]]:
        read = [(one, self._journal.board(one.name)) for one in self._sources.chosen(cluster)]
        return [(source, board) for source, board in read if board is not None]

    def _shape(self, source: Source, board: Board) -> "_Shape":
        stream, lives = heard_lives(source)
        return _Shape(board, lives, stream, self._clock())


def heard_lives(source: Source) -> tuple[Stream | None, dict[str, Incarnation]]:
    """Return how the observer hears, and the newest lives by key; nothing where they cannot be read."""
    try:
        return source.history.stream(), {one.key: one for one in source.history.incarnations()}
    except UnreachableError:
        return None, {}


class _Shape:
    """Shapes the apps of one board."""

    def __init__(self, board: Board, lives: Mapping[str, Incarnation], stream: Stream | None, now: float) -> None:
        self._board, self._lives, self._stream = board, lives, stream
        self._scene = scene_of(board, now)
        self._findings = {one.place: one for one in board.findings}
        self._nodes: dict[Container, list[str]] = {}
        for one in board.findings:
            if one.node is not None:
                self._nodes.setdefault(one.place.container, []).append(one.node)

    def view(self, app: App) -> AppView:
        cluster, findings = self._board.cluster, self._findings
        order = turns(app, cluster, findings)
        return AppView(
            id=app.guid,
            cluster=cluster,
            platform=app.platform,
            name=app.name,
            state=app.state,
            processes=[
                ProcessView(one.type, one.wanted, sum(_runs(each, one.type) for each in app.instances))
                for one in app.processes
            ],
            process=meant(app),
            instances=[self._instance(one) for one in app.instances],
            turns=[one.name for one in order],
            passes=passed_by_all((findings[one] for one in order if one in findings), self._scene),
        )

    def _instance(self, one: Instance) -> AppInstanceView:
        place = one.place(self._board.cluster)
        finding = self._findings.get(place)
        beat = self._beat(finding)
        return AppInstanceView(
            process=one.process,
            index=one.index,
            guid=one.guid,
            state=one.state.value,
            uptime_s=one.uptime_s,
            since=moment(float(round(self._board.at - one.uptime_s))) if one.uptime_s is not None else None,
            details=one.details,
            worker=finding.place.id if finding else None,
            nodes=sorted(self._nodes.get(place.container, [])),
            verdict=finding.verdict if finding else None,
            last_heartbeat_at=moment(beat),
            heartbeat_age_s=self._age(beat),
        )

    def _beat(self, finding: Finding | None) -> float | None:
        stored = finding.site.incarnation if finding and finding.site else None
        return self._lives.get(stored.key, stored).last_heartbeat_at if stored else None

    def _age(self, beat: float | None) -> float | None:
        if self._stream is None or beat is None:
            return None
        return round(max(0.0, self._stream.observed_at - beat), 1)


def _which(found: Sequence[Watched]) -> str:
    """Return in what apps of one name differ, and what tells them apart."""
    clusters = sorted({one.cluster for one in found})
    if len(clusters) > 1:
        return f"cluster: {', '.join(clusters)}. Name the cluster"
    each = ", ".join(f"{one.app.platform} (id {one.app.guid or 'not known'})" for one in found)
    return f"platform of the cluster {clusters[0]}: {each}. Give its id in place of its name"


def meant(app: App) -> str | None:
    """Return the process type that is meant where none is named: the only one, or the only one of which any is wanted."""
    for types in (app.processes, [one for one in app.processes if one.wanted]):
        if len(types) == 1:
            return types[0].type
    return None


def _runs(one: Instance, process: str) -> bool:
    return one.process == process and one.state is InstanceState.RUNNING
