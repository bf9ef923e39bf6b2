"""Several platforms of one cluster as one: what one of them cannot tell now stays as last known, with its state unknown.

So the workers of the others are healed on, and those of the one that is away are neither gone nor well: they are blind.
"""

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import structlog
from msgspec.structs import replace

from celeriac.app.platform_watch import SPARED_S
from celeriac.core.changes import Change
from celeriac.core.errors import MissingError, PortError, SparedError
from celeriac.core.exhibits import Line
from celeriac.core.model import App, Crash, Instance, InstanceState
from celeriac.core.places import MISSING
from celeriac.evidence_ports import PlatformRecords
from celeriac.ports import Platform

T = TypeVar("T")
log = structlog.get_logger()


class SeveralPlatforms:
    """`Platform` and `PlatformRecords` over some others; `records` are theirs, by the same names."""

    def __init__(
        self,
        platforms: Sequence[Platform],
        records: Mapping[str, PlatformRecords],
        named: Mapping[str, Sequence[str]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`named` are the apps that each platform watches by name."""
        self._platforms = {one.name: one for one in platforms}
        self._records, self._named = records, named
        self.name = ", ".join(self._platforms)
        self._monotonic = monotonic
        self._last: dict[str, tuple[tuple[App, ...], float]] = {}
        self._crashed: dict[str, tuple[Crash, ...]] = {}
        self._changed: dict[str, tuple[Change, ...]] = {}
        self._away: dict[str, str] = {}
        self._lock = threading.Lock()

    def apps(self) -> tuple[App, ...]:
        """Return the apps of all; raises only if none can be read, or if nothing at all is known of one."""
        answers = self._each(lambda one: one.apps())
        errors = {name: error for name, error in answers.items() if isinstance(error, PortError)}
        if len(errors) == len(answers):
            raise _first(errors)
        with self._lock:
            self._note({name: str(one) for name, one in errors.items() if not isinstance(one, SparedError)})
            found: list[App] = []
            for name, answer in answers.items():
                if isinstance(answer, PortError):
                    found += self._as_last_known(name, answer)
                else:
                    self._last[name] = answer, self._monotonic()
                    found += answer
        return _without_absent(found, errors.keys())

    def crashes(self, since: float) -> tuple[Crash, ...]:
        """Return the crashes of all, of one that does not answer those that it told last; raises if none does."""
        return self._merged(self._each(lambda one: one.crashes(since)), self._crashed)

    def changes(self, since: float) -> tuple[Change, ...]:
        """Return the changes of all; one that shows its apps must show its changes too, else nobody knows who is at work."""
        answers = self._each(lambda one: one.changes(since))
        with self._lock:
            away = set(self._away)
        errors = {name: error for name, error in answers.items() if isinstance(error, PortError)}
        unknown = {name: error for name, error in errors.items() if name not in away}
        if unknown or len(errors) == len(answers):
            raise _first(unknown or errors)
        return self._merged(answers, self._changed)

    def instance(self, like: Instance) -> Instance:
        """Read one index again, on the platform where it is."""
        return self._of(like).instance(like)

    def restart_instance(self, instance: Instance) -> None:
        """Stop one index, on the platform where it is."""
        self._of(instance).restart_instance(instance)

    def logs(self, instance: Instance, limit: int) -> tuple[Line, ...]:
        """Return the newest lines of one index, oldest first."""
        return self._records[self._of(instance).name].logs(instance, limit)

    def events(self, instance: Instance, since: float) -> tuple[Line, ...]:
        """Return what befell its app since then, oldest first."""
        return self._records[self._of(instance).name].events(instance, since)

    def _merged(
        self, answers: Mapping[str, tuple[T, ...] | PortError], last: dict[str, tuple[T, ...]]
    ) -> tuple[T, ...]:
        """Return what all tell; what one told that does not answer now would else come back as new."""
        errors = {name: each for name, each in answers.items() if isinstance(each, PortError)}
        if len(errors) == len(answers):
            raise _first(errors)
        with self._lock:
            last.update({name: each for name, each in answers.items() if not isinstance(each, PortError)})
            return tuple(one for name in answers for one in last.get(name, ()))

    def _of(self, instance: Instance) -> Platform:
        found = self._platforms.get(instance.platform)
        if found is None:
            raise MissingError(f"no platform {instance.platform!r} is one of this cluster's")
        return found

    def _as_last_known(self, name: str, error: PortError) -> tuple[App, ...]:
        last = self._last.get(name)
        if last is None and not self._named.get(name):
            raise error
        if last is None:  # its workers are remembered by the guids that they had
            return tuple(App(platform=name, guid="", name=app, state=MISSING) for app in self._named[name])
        apps, at = last
        if isinstance(error, SparedError) and self._monotonic() - at <= SPARED_S:
            return apps
        return tuple(replace(app, instances=tuple(_unknown(one, error) for one in app.instances)) for app in apps)

    def _note(self, away: dict[str, str]) -> None:
        for name in away.keys() - self._away.keys():
            log.warning(
                "a platform cannot be read; its workers are not judged meanwhile", platform=name, why=away[name]
            )
        for name in self._away.keys() - away.keys():
            log.info("a platform can be read again", platform=name)
        self._away = away

    def _each(self, ask: Callable[[Platform], T]) -> dict[str, T | PortError]:
        """Ask all at once: one that is slow keeps no other waiting longer than itself."""

        def asked(one: Platform) -> T | PortError:
            try:
                return ask(one)
            except PortError as error:
                return error

        with ThreadPoolExecutor(len(self._platforms), thread_name_prefix="platforms") as pool:
            return dict(zip(self._platforms, pool.map(asked, self._platforms.values()), strict=True))


def _first(errors: Mapping[str, PortError]) -> PortError:
    """Return one that says the most: one that was not asked says nothing."""
    return min(errors.values(), key=lambda error: isinstance(error, SparedError))


def _unknown(one: Instance, error: PortError) -> Instance:
    return replace(one, state=InstanceState.UNKNOWN, details=f"as last known: {error}")


def _without_absent(found: list[App], away: Collection[str]) -> tuple[App, ...]:
    """Leave out the apps that one platform lacks and another has; what those have that are away is not known."""
    there = {app.name.lower() for app in found if app.state != MISSING}
    return tuple(app for app in found if app.state != MISSING or app.platform in away or app.name.lower() not in there)


def _fits(several: SeveralPlatforms) -> tuple[Platform, PlatformRecords]:
    """Let the type checker prove that the class fits its ports."""
    return several, several
