"""What the platforms tell of apps, asked when a person asks: logs, events and variables; nothing here changes anything.

Each platform is asked by few at once and within a time limit, so that one which hangs holds up neither a page of another
nor the console. What comes of it is redacted before anybody sees it.
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from typing import NamedTuple, TypeVar

from celeriac.app.app_queries import AppQueries, Watched
from celeriac.app.app_record_views import AppEventView, EnvironmentView, LogLineView, VariableView
from celeriac.app.asking import SOURCE_LIMIT_S, why_not
from celeriac.app.following import Following, of_platform
from celeriac.app.views import sure_moment
from celeriac.core.apps import AppEvent, LogLine, Variable
from celeriac.core.errors import ConflictError, MissingError, PortError, UnreachableError
from celeriac.core.exhibits import LONGEST_LINE
from celeriac.core.log_lines import Lines, level
from celeriac.core.model import App
from celeriac.core.redact import Redaction
from celeriac.platform_ports import AppRecords

T = TypeVar("T")

MOST_LINES = 1000
MOST_FOLLOWERS = 16
ASKED_AT_ONCE = 4
ASKED_AT_MOST = 8
"""Questions to one platform that are under way or wait; a person who asks more is told so at once."""

HIDDEN = "what may be a secret is never shown here; the platform itself shows it to those who may see it"


class Told(NamedTuple):
    """Who tells of the apps of one cluster, and what of it is left out."""

    records: AppRecords
    redaction: Redaction


class AppRecordQueries:
    """Reads of platforms; `told` is by cluster, and lacks those that are on no platform."""

    def __init__(self, apps: AppQueries, told: Mapping[str, Told], clock: Callable[[], float]) -> None:
        self._apps, self._clock = apps, clock
        self._desks = {name: _Desk(one) for name, one in told.items()}
        self._lock = threading.Lock()
        self._followers = 0

    def logs(
        self, id: str, cluster: str | None = None, *, limit: int = 200, which: Lines | None = None
    ) -> list[LogLineView]:
        """Return an app's newest log lines, oldest first, as far as the platform still has them.

        Raises MissingError or ConflictError where the name is no one app's, and the platform's own error.
        """
        which = which or Lines()
        app, desk = self._found(id, cluster)
        # Of the lines of one instance nobody can say how far back they go.
        lines = desk.ask(app, lambda records: records.lines(app, limit if which.all else MOST_LINES))
        return [desk.line(one) for one in [one for one in lines if which.hold(one)][-limit:]]

    def follow(
        self, id: str, cluster: str | None = None, *, since: float | None = None, which: Lines | None = None
    ) -> Following:
        """Follow an app's log from a time on; whoever asks must close it. Raises ConflictError where too many follow."""
        which = which or Lines()
        app, desk = self._found(id, cluster)
        self._enter()
        following = Following(
            desk.told.records,
            app,
            self._clock() if since is None else since,
            lambda line: desk.line(line) if which.hold(line) else None,
            self._leave,
        )
        following.begin(SOURCE_LIMIT_S)
        return following

    def events(self, id: str, cluster: str | None = None, *, limit: int = 50) -> list[AppEventView]:
        """Return what was done to an app and befell it, newest first; raises as `logs` does."""
        app, desk = self._found(id, cluster)
        return [desk.event(one) for one in desk.ask(app, lambda records: records.events(app, limit))]

    def environment(self, id: str, cluster: str | None = None) -> EnvironmentView:
        """Return the variables that an app is started with, without secrets; raises as `logs` does."""
        app, desk = self._found(id, cluster)
        items = [desk.variable(one) for one in desk.ask(app, lambda records: records.environment(app))]
        return EnvironmentView(items, HIDDEN if any(one.value is None for one in items) else None)

    def _found(self, id: str, cluster: str | None) -> tuple[App, "_Desk"]:
        watched: Watched = self._apps.watched(id, cluster)
        desk = self._desks.get(watched.cluster)
        if desk is None:
            raise MissingError(f"The cluster {watched.cluster} names no platform that could be asked.")
        if not watched.app.guid:
            raise MissingError(f"The platform {watched.app.platform} shows no app {watched.app.name!r}.")
        return watched.app, desk

    def _enter(self) -> None:
        with self._lock:
            if self._followers >= MOST_FOLLOWERS:
                raise ConflictError(f"{MOST_FOLLOWERS} readers follow logs already, and no more may; end one of them.")
            self._followers += 1

    def _leave(self) -> None:
        with self._lock:
            self._followers -= 1


class _Desk:
    """Where one platform is asked."""

    def __init__(self, told: Told) -> None:
        self.told = told
        self._pool = ThreadPoolExecutor(max_workers=ASKED_AT_ONCE, thread_name_prefix="ask-platform")
        self._room = threading.BoundedSemaphore(ASKED_AT_MOST)

    def ask(self, app: App, question: Callable[[AppRecords], T]) -> T:
        """Return the answer; raises the platform's own error, and UnreachableError where it takes too long."""
        if not self._room.acquire(blocking=False):
            raise of_platform(app, UnreachableError("more is asked of it than it answers; try again"))
        future = self._pool.submit(question, self.told.records)
        try:
            if wait([future], timeout=SOURCE_LIMIT_S).not_done:
                future.cancel()
                raise of_platform(app, UnreachableError(f"no answer within {SOURCE_LIMIT_S:.0f} s"))
            return future.result()
        except PortError as error:
            raise of_platform(app, error) from error
        except Exception as error:
            raise of_platform(app, UnreachableError(why_not(error))) from error
        finally:
            self._room.release()

    def line(self, line: LogLine) -> LogLineView:
        """Return a line as people may see it."""
        text = self._clean(line.text)
        return LogLineView(sure_moment(line.at), line.source, line.process, line.index, line.stream, level(text), text)

    def event(self, event: AppEvent) -> AppEventView:
        """Return an event as people may see it."""
        return AppEventView(event.id, sure_moment(event.at), event.kind, event.actor, self._clean(event.text))

    def variable(self, variable: Variable) -> VariableView:
        """Return a variable as people may see it: a value of which anything may be secret is left out whole."""
        told = f"{variable.name}={variable.value}"
        secret = variable.value is None or self.told.redaction.text(told) != told
        return VariableView(variable.name, None if secret else variable.value)

    def _clean(self, text: str) -> str:
        cut = text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]}…"
        return self.told.redaction.text(cut) or ""
