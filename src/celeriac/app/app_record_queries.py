"""What the platforms tell of apps, asked when a person asks: logs, events and variables; nothing here changes anything.

Each is asked at its desk. What comes of it is redacted before anybody sees it.
"""

import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple

from celeriac.app.access.acting import Acting
from celeriac.app.app_queries import AppQueries, Watched
from celeriac.app.app_record_views import AppEventView, EnvironmentView, LogLineView, VariableView
from celeriac.app.asking import SOURCE_LIMIT_S
from celeriac.app.following import Following
from celeriac.app.inquiry_desk import InquiryDesk
from celeriac.app.views import sure_moment
from celeriac.core.access import Right
from celeriac.core.apps import AppEvent, LogLine, Variable
from celeriac.core.errors import ConflictError, MissingError
from celeriac.core.exhibits import cut
from celeriac.core.log_lines import Lines, level
from celeriac.core.model import App
from celeriac.core.redact import Redaction

MOST_LINES = 1000
MOST_FOLLOWERS = 16
HIDDEN = "what may be a secret is never shown here; the platform itself shows it to those who may see it"


class Told(NamedTuple):
    """Who is asked of the apps of one cluster, and what of the answers is left out."""

    desk: InquiryDesk
    redaction: Redaction

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
        secret = variable.value is None or self.redaction.text(told) != told
        return VariableView(variable.name, None if secret else variable.value)

    def _clean(self, text: str) -> str:
        return self.redaction.text(cut(text)) or ""


class AppRecordQueries:
    """Reads of platforms; `told` is by cluster, and lacks those that are on no platform."""

    def __init__(
        self,
        apps: AppQueries,
        told: Mapping[str, Told],
        followers: "Followers",
        acting: Acting,
        clock: Callable[[], float],
    ) -> None:
        self._apps, self._told, self._followers, self._acting, self._clock = apps, told, followers, acting, clock

    def logs(
        self, id: str, cluster: str | None = None, *, limit: int = 200, which: Lines | None = None
    ) -> list[LogLineView]:
        """Return an app's newest log lines, oldest first, as far as the platform still has them.

        Raises MissingError or ConflictError where the name is no one app's, and the platform's own error.
        """
        which = which or Lines()
        app, told = self._found(id, cluster)
        # Of the lines of one instance nobody can say how far back they go.
        lines = told.desk.ask(app, lambda records: records.lines(app, limit if which.all else MOST_LINES))
        return [told.line(one) for one in [one for one in lines if which.hold(one)][-limit:]]

    def follow(
        self, id: str, cluster: str | None = None, *, since: float | None = None, which: Lines | None = None
    ) -> Following:
        """Follow an app's log from a time on; whoever asks must close it. Raises ConflictError where too many follow."""
        which = which or Lines()
        app, told = self._found(id, cluster)
        self._followers.enter()
        following = Following(
            told.desk.records,
            app,
            self._clock() if since is None else since,
            lambda line: told.line(line) if which.hold(line) else None,
            self._followers.leave,
        )
        following.begin(SOURCE_LIMIT_S)
        return following

    def events(self, id: str, cluster: str | None = None, *, limit: int = 50) -> list[AppEventView]:
        """Return what was done to an app and befell it, newest first; raises as `logs` does."""
        app, told = self._found(id, cluster)
        return [told.event(one) for one in told.desk.ask(app, lambda records: records.events(app, limit))]

    def environment(self, id: str, cluster: str | None = None) -> EnvironmentView:
        """Return the variables that an app is started with, without secrets; raises as `logs` does."""
        app, told = self._found(id, cluster, Right.REMEDIES, "see the variables of an app")
        items = [told.variable(one) for one in told.desk.ask(app, lambda records: records.environment(app))]
        return EnvironmentView(items, HIDDEN if any(one.value is None for one in items) else None)

    def _found(
        self, id: str, cluster: str | None, right: Right = Right.SEE, what: str = "see the records of an app"
    ) -> tuple[App, Told]:
        watched: Watched = self._apps.watched(id, cluster)
        self._acting.need(right, what, watched.cluster, watched.app.name)
        told = self._told.get(watched.cluster)
        if told is None:
            raise MissingError(f"The cluster {watched.cluster} names no platform that could be asked.")
        if not watched.app.guid:
            raise MissingError(f"The platform {watched.app.platform} shows no app {watched.app.name!r}.")
        return watched.app, told


class Followers:
    """Those who follow logs now, of all apps: each takes a thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._number = 0

    def enter(self) -> None:
        """Count one more; raises ConflictError where no more may."""
        with self._lock:
            if self._number >= MOST_FOLLOWERS:
                raise ConflictError(f"{MOST_FOLLOWERS} readers follow logs already, and no more may; end one of them.")
            self._number += 1

    def leave(self) -> None:
        """Count one less."""
        with self._lock:
            self._number -= 1
