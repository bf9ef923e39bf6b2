"""Everything that can be read, once, for pages, API and stream alike; nothing here changes anything."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence

from celeriac.app.shaping import app_view, incident_view, opaque_pair, remedy_view, task_view, worker_view
from celeriac.app.views import (
    AppView,
    ClusterView,
    Headline,
    IncidentView,
    Page,
    Readiness,
    RemedyView,
    TaskView,
    WorkerView,
    moment,
)
from celeriac.core.errors import ConflictError, MissingError
from celeriac.core.model import Mode
from celeriac.ports import History, Journal, Requests, TaskFilter

STALE_S = 30.0
"""A keeper that has said nothing for so long is not at work."""


class Queries:
    """Reads of the store, shaped for people; `brokers` maps each cluster's name to its broker's kind."""

    def __init__(
        self,
        brokers: dict[str, str],
        histories: Mapping[str, History],
        journal: Journal,
        requests: Requests,
        clock: Callable[[], float],
    ) -> None:
        self._brokers = brokers
        self._histories = histories
        self._journal = journal
        self._requests = requests
        self._clock = clock

    def now(self) -> float:
        """Return the clock that every age is counted by."""
        return self._clock()

    # Clusters and readiness

    def clusters(self) -> list[ClusterView]:
        """Return every configured cluster, also those of which nothing is known yet."""
        return [self._cluster(name) for name in self._brokers]

    def cluster(self, id: str) -> ClusterView:
        """Return one cluster."""
        return self._cluster(self._known(id) or "")

    def readiness(self) -> Readiness:
        """Return what keeps Celeriac from its work now."""
        problems = [f"{one.name}: {problem}" for one in self.clusters() for problem in one.problems]
        return Readiness(not problems, problems)

    def headline(self) -> Headline:
        """Return the verdict line: how things are, in one sentence."""
        clusters, incidents = self.clusters(), self.incidents(open_only=True)
        blind = [one for one in clusters if one.blind or one.problems]
        if incidents:
            oldest = min(one.opened_at for one in incidents)
            names = ", ".join(f"{one.worker_name} {one.verdict}" for one in incidents[:3])
            more = f" and {len(incidents) - 3} more" if len(incidents) > 3 else ""
            waiting = any(one.approvable or one.state == "escalated" for one in incidents)
            return Headline("bad" if waiting else "attention", f"{names}{more}", oldest)
        if blind:
            one = blind[0]
            return Headline("blind", f"{one.name}: {one.blind or one.problems[0]}", one.observed_at)
        workers = sum(one.workers for one in clusters)
        healthy = sum(one.verdicts.get("healthy", 0) + one.verdicts.get("busy", 0) for one in clusters)
        if not workers:
            return Headline("attention", "No worker has been seen yet")
        tone = "good" if healthy == workers else "attention"
        return Headline(tone, f"{healthy} of {workers} workers well")

    def version(self) -> tuple[int, ...]:
        """Return numbers that change whenever anything stored changes."""
        return (self._requests.version(), *(history.version() for history in self._histories.values()))

    # Workers

    def workers(self, cluster: str | None = None) -> list[WorkerView]:
        """Return the workers of one or all clusters, by name."""
        found: list[WorkerView] = []
        for name in self._names(cluster):
            board = self._journal.board(name)
            if board:
                history, incidents = self._histories[name], self._open_by_place(name)
                lives = {one.key: one for one in history.incarnations()}
                stream = history.stream()
                found += [worker_view(each, board, lives, stream, incidents) for each in board.findings]
        return sorted(found, key=lambda one: (one.cluster, one.name))

    def worker(self, id: str, cluster: str | None = None) -> WorkerView:
        """Return one worker by id, name or node name; raises MissingError, or ConflictError with the candidates."""
        found = [one for one in self.workers(cluster) if id in (one.id, one.name, one.node)]
        if not found:
            raise MissingError(f"No worker {id!r} is known.")
        if len(found) > 1:
            candidates = ", ".join(f"{one.name} in {one.cluster} ({one.id})" for one in found)
            raise ConflictError(f"{id!r} names more than one worker: {candidates}.")
        return found[0]

    # Tasks

    def tasks(
        self,
        cluster: str | None = None,
        *,
        state: str | None = None,
        name: str | None = None,
        worker: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """Return a page of tasks, newest first, merged over clusters."""
        which = TaskFilter(limit=limit + 1, state=state, name=name, worker=worker, before=_cursor(cursor))
        rows = [(row, each) for each in self._names(cluster) for row in self._histories[each].tasks(which)]
        rows.sort(key=lambda pair: pair[0].cursor, reverse=True)
        page = rows[:limit]
        following = opaque_pair(*map(str, page[-1][0].cursor)) if len(rows) > limit else None
        return Page([task_view(row.task, each) for row, each in page], following)

    def task(self, id: str) -> TaskView:
        """Return one task by its opaque id, or by Celery's own id if only one cluster knows it."""
        for cluster, uuid in [(name, id) for name in self._names(None)] + _decode_pairs(id):
            if cluster in self._histories and (task := self._histories[cluster].task(uuid)):
                return task_view(task, cluster)
        raise MissingError(f"No task {id!r} is known.")

    # Incidents and remedies

    def incidents(self, cluster: str | None = None, *, open_only: bool = False, limit: int = 100) -> list[IncidentView]:
        """Return incidents, newest first."""
        found = self._journal.incidents(self._known(cluster), open_only=open_only, limit=limit)
        return [incident_view(one) for one in found if one.cluster in self._brokers]

    def incident(self, id: str) -> IncidentView:
        """Return one incident."""
        found = self._journal.incident(id)
        if found is None:
            raise MissingError(f"No incident {id!r} is known.")
        return incident_view(found)

    def remedy(self, id: str) -> RemedyView:
        """Return one remedy."""
        found = self._requests.remedy(id)
        if found is None:
            raise MissingError(f"No remedy {id!r} is known.")
        return remedy_view(found)

    # Apps

    def apps(self, cluster: str | None = None) -> list[AppView]:
        """Return the watched apps with the platform's state and our verdict side by side."""
        found: list[AppView] = []
        for name in self._names(cluster):
            board = self._journal.board(name)
            if board:
                verdicts = {one.place: one for one in board.findings}
                found += [app_view(app, name, verdicts) for app in board.apps]
        return sorted(found, key=lambda one: (one.cluster, one.name))

    def _names(self, cluster: str | None) -> Sequence[str]:
        return list(self._brokers) if cluster is None else [self._known(cluster) or ""]

    def _known(self, cluster: str | None) -> str | None:
        if cluster is not None and cluster not in self._brokers:
            raise MissingError(f"No cluster {cluster!r} is configured; there are: {', '.join(self._brokers)}.")
        return cluster

    def _open_by_place(self, cluster: str) -> dict[str, str]:
        return {one.place.id: one.id for one in self._journal.incidents(cluster, open_only=True, limit=1000)}

    def _cluster(self, name: str) -> ClusterView:
        board, stream = self._journal.board(name), self._histories[name].stream()
        fresh = board is not None and self._clock() - board.at < STALE_S
        problems = list(board.problems) if board and fresh else ["the keeper has not judged it yet or has stopped"]
        verdicts: dict[str, int] = {}
        for finding in board.findings if board else ():
            verdicts[finding.verdict] = verdicts.get(finding.verdict, 0) + 1
        return ClusterView(
            id=name,
            name=name,
            broker=self._brokers[name],
            mode=Mode(board.mode) if board else Mode.OBSERVE,
            paused=board.paused if board else None,
            blind=board.blind if board and fresh else problems[0],
            problems=problems,
            observed_at=moment(stream.observed_at) if stream else None,
            judged_at=moment(board.at) if board else None,
            sentence=board.sentence if board else "",
            workers=sum(verdicts.values()),
            verdicts=verdicts,
            open_incidents=len(self._open_by_place(name)),
            events=stream.events if stream else 0,
            malformed=stream.malformed if stream else 0,
            reconnects=stream.reconnects if stream else 0,
        )


def _decode_pairs(id: str) -> list[tuple[str, str]]:
    try:
        text = base64.urlsafe_b64decode(id + "=" * (-len(id) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return []
    cluster, found, uuid = text.partition("\0")
    return [(cluster, uuid)] if found else []


def _cursor(text: str | None) -> tuple[int, str] | None:
    if text is None:
        return None
    pairs = _decode_pairs(text)
    if not pairs or not pairs[0][0].lstrip("-").isdigit():
        raise MissingError("The cursor is not one that this API gave; start again without it.")
    return int(pairs[0][0]), pairs[0][1]
