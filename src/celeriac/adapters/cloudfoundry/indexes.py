"""Every index of the processes of a space, for as few requests as its API allows.

From API 3.211 on one request lists all processes with a short word on each instance; the long word (stats, with guids) is read
only for processes of which that tells something new. Older APIs are asked for the stats of each process, and before 3.191, where
stats hold no guids, log-cache tells them.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from celeriac.adapters.cloudfoundry import logcache
from celeriac.adapters.cloudfoundry.embedded import Short, short
from celeriac.adapters.cloudfoundry.session import Session
from celeriac.adapters.cloudfoundry.where import part
from celeriac.core.errors import PortError
from celeriac.core.model import Instance, InstanceState, Process

EMBEDS = (3, 211)
TELLS_GUIDS = (3, 191)
DEFAULT_HEALTH_S = 60.0
BOTH_S = 30.0
"""Two containers that wrote for one index within so long: which of them is the index is not known."""


class Listed(Struct, frozen=True):
    """A process as it is listed, with the short word on its instances, if there is one.

    During a rolling deployment an app has two processes of type `web`, each with its own guid.
    """

    guid: str
    created_at: str
    app_guid: str
    process: Process
    short: Short | None


class Indexes:
    """Reads the indexes of one platform's apps; remembers each process's last long word."""

    def __init__(
        self,
        name: str,
        session: Session,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._name, self._session, self._monotonic, self._now = name, session, monotonic, now
        self._read: dict[str, tuple[Short, tuple[Instance, ...], float]] = {}
        self._last: dict[str, Short | None] = {}

    def listed(self, space: str) -> list[Listed]:
        """List the processes of a space, the newest last."""
        embed = {"embed": "process_instances"} if self._session.version() >= EMBEDS else {}
        asked = self._monotonic()
        found = list(self._session.pages("/v3/processes", space_guids=space, per_page=5000, **embed))
        answered, wall = self._monotonic(), self._now()
        listed = [_listed(one, short(one, asked, answered, wall)) for one in found]
        there = {one.guid for one in listed}
        self._read = {guid: read for guid, read in self._read.items() if guid in there}
        return sorted(listed, key=lambda one: one.created_at)

    def moved(self, listed: Iterable[Listed]) -> bool:
        """Tell whether any of these processes is new, or has changed since it was last asked for; without a short word all have."""
        every = list(listed)
        before, self._last = self._last, {one.guid: one.short for one in every}
        return any(self._known(one) is None and not _steady(one, before) for one in every)

    def every(self, app: str, one: Listed) -> list[Instance]:
        """Return every wanted index; stats leave out what is not there."""
        there = self._known(one)
        if there is None:
            there = self._stats(f"/v3/processes/{part(one.guid)}/stats", one.app_guid, app, one.process.type)
            self._remember(one, there)
        found = {instance.index: replace(instance, app=app) for instance in there}
        for index in range(one.process.wanted):
            found.setdefault(
                index, Instance(self._name, app, one.app_guid, one.process.type, index, InstanceState.DOWN)
            )
        return [found[index] for index in sorted(found)]

    def stats(self, app_guid: str, app: str, process: str) -> tuple[Instance, ...]:
        """Read the indexes of a process type, now: of that process to which the platform gives an order for this type."""
        return self._stats(f"/v3/apps/{part(app_guid)}/processes/{part(process)}/stats", app_guid, app, process)

    def _stats(self, path: str, app_guid: str, app: str, process: str) -> tuple[Instance, ...]:
        answer = self._session.get(path)
        found = tuple(self._instance(one, app_guid, app, process) for one in answer["resources"])
        return found if self._session.version() >= TELLS_GUIDS else self._with_guids(found)

    def _known(self, one: Listed) -> tuple[Instance, ...] | None:
        read = self._read.get(one.guid)
        if read is None or one.short is None or not one.short.settled or not one.short.same(read[0]):
            return None
        since = self._monotonic() - read[2]
        return tuple(replace(old, uptime_s=None if old.uptime_s is None else old.uptime_s + since) for old in read[1])

    def _remember(self, one: Listed, there: tuple[Instance, ...]) -> None:
        """Keep the long word if the short one agrees: between the two something may have changed."""
        states = {each.index: each.state.value for each in there}
        self._read.pop(one.guid, None)
        complete = all(each.guid for each in there if each.state is InstanceState.RUNNING)
        if one.short and complete and states == {index: each.state for index, each in one.short.starts.items()}:
            self._read[one.guid] = (one.short, there, self._monotonic())

    def _instance(self, one: dict[str, Any], app_guid: str, app: str, process: str) -> Instance:
        return Instance(
            platform=self._name,
            app=app,
            app_guid=app_guid,
            process=process,
            index=one["index"],
            state=_state(one["state"]),
            guid=one.get("instance_guid") or None,
            uptime_s=one.get("uptime"),
            details=one.get("details"),
        )

    def _with_guids(self, found: tuple[Instance, ...]) -> tuple[Instance, ...]:
        """Return running instances with the guids that their lines tell; without lines an index has none."""
        running = [one for one in found if one.state is InstanceState.RUNNING and not one.guid]
        if not running:
            return found
        try:
            told = logcache.guids(self._session, running[0].app_guid)
        except PortError:
            return found
        now = self._now()
        guids = {one.index: guid for one in running if (guid := _guid(one, told, now))}
        return tuple(replace(one, guid=one.guid or guids.get(one.index)) for one in found)


def _steady(one: Listed, before: Mapping[str, Short | None]) -> bool:
    last = before.get(one.guid)
    return one.short is not None and last is not None and one.short.same(last)


def _guid(one: Instance, told: list[tuple[str, int, str, float]], now: float) -> str | None:
    """Return the guid that alone wrote for this index lately, and since it runs; None where that is not one."""
    since = now - (one.uptime_s or 0.0)
    newest: dict[str, float] = {}
    for process, index, guid, at in told:
        if (process, index) == (one.process, one.index) and at >= since:
            newest[guid] = max(newest.get(guid, 0.0), at)
    last = max(newest.values(), default=0.0)
    lately = [guid for guid, at in newest.items() if last - at < BOTH_S]
    return lately[0] if len(lately) == 1 else None


def united(listed: Iterable[Listed]) -> tuple[Process, ...]:
    """Return one process for each type, as the newest is; of two as many instances are wanted as of the larger."""
    found: dict[str, Process] = {}
    for one in listed:
        mine = one.process
        older = found.get(mine.type, mine)
        found[mine.type] = replace(mine, wanted=max(mine.wanted, older.wanted))
    return tuple(found.values())


def _listed(process: dict[str, Any], word: Short | None) -> Listed:
    app = process["relationships"]["app"]["data"]["guid"]
    return Listed(process["guid"], process.get("created_at") or "", app, _process(process), word)


def _process(process: dict[str, Any]) -> Process:
    timeout = (process.get("health_check") or {}).get("data", {}).get("timeout")
    return Process(
        process["type"], process["instances"], float(timeout or DEFAULT_HEALTH_S), process.get("version") or None
    )


def _state(text: str) -> InstanceState:
    try:
        return InstanceState(text)
    except ValueError:
        return InstanceState.UNKNOWN
