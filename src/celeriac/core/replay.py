"""A recording judged as the keeper would have judged it live: the same fold, the same rules, one step every two seconds.

Of a recording's readings each takes the place of a source: events of the observer's stream, pings of remote control,
samples of the broker, ends of processes of the platform, and the banner that a worker logs at its start of `inspect stats`.
The recorder sends no echo to itself; that the broker answers it, in whatever way, stands for that.
"""

import re
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from celeriac.core.case import Finding
from celeriac.core.decide import decide
from celeriac.core.desk import Past, Plan
from celeriac.core.diagnose import diagnose
from celeriac.core.events import Event, decode
from celeriac.core.fold import ClusterState
from celeriac.core.incident import HeldReason, RemedyKind
from celeriac.core.limits import Limits, Policy
from celeriac.core.model import App, Crash, Instance, InstanceState, Place, Pool, Process, Verdict
from celeriac.core.pings import PingTally, Whom
from celeriac.core.readings import Evidence, Known, Reading, Unknown
from celeriac.core.recording import Line
from celeriac.core.snapshot import Lived, Seen, Stream, Waiting

STEP_S = 2.0
GAP_S = 5.0
"""Nothing that the broker did for the recorder for so long: the stream had a gap."""

CLUSTER = PLATFORM = "recording"
QUEUE = "celery"
"""The queue whose length samples tell."""

_BANNER = re.compile(r"\.> concurrency:\s+(\d+)\s+\((\w+)\)")
_CONSUMED = re.compile(r"\.> (\S+)\s+exchange=")


class Change(Struct, frozen=True):
    """A worker's finding that is another than before; `worker` is its node name, `t` seconds since the recording began."""

    t: float
    worker: str
    verdict: Verdict
    suspect: bool
    notes: tuple[str, ...]
    remedy: RemedyKind
    held: HeldReason | None
    evidence: tuple[Evidence, ...]


class _Life(Struct):
    """A process as the recorder's platform knows it: born with its first word, gone with its `exit` line."""

    number: int
    since: float
    pids: set[int] = msgspec.field(default_factory=set)
    ended_at: float | None = None
    rc: int = 0


def replay(lines: Iterable[Line], limits: Limits = Limits(), policy: Policy = Policy()) -> Iterator[Change]:  # noqa: B008
    """Yield each change of a worker's finding, in the order of time; raises what `recording.lines` does."""
    player, due, last = Replay(limits, policy), STEP_S, None
    for line in lines:
        while line.t >= due:
            yield from player.step(line.wall - (line.t - due), due)
            due += STEP_S
        player.take(line)
        if line.kind == "exit":
            yield from player.step(line.wall, line.t)
        last = line
    if last is not None:
        yield from player.step(last.wall, last.t)


class Replay:
    """Takes a recording's lines one by one, and judges at any moment between two."""

    def __init__(self, limits: Limits, policy: Policy) -> None:
        self._limits, self._policy = limits, policy
        self._state = ClusterState()
        self._answered_at: float | None = None
        self._flowing_since: float | None = None
        self._error: str | None = None
        self._tally = PingTally()
        self._pings: dict[str, Reading[bool]] = {}
        self._pools: dict[str, Pool] = {}
        self._lives: dict[str, _Life] = {}
        self._crashes: list[Crash] = []
        self._lived: dict[str, Lived] = {}
        self._waiting: dict[str, Waiting] = {}
        self._past = Past()
        self._findings: tuple[Finding, ...] = ()
        self._told: dict[Place, object] = {}

    def take(self, line: Line) -> None:
        """Take up one line."""
        match line.kind:
            case "event" if line.event is not UNSET:
                self._hear(bytes(line.event), line.wall)
            case "ping":
                self._ping(line)
            case "sample":
                self._sample(line)
            case "log":
                self._read_log(line)
            case "exit":
                self._end(line)

    def step(self, now: float, t: float) -> Iterator[Change]:
        """Judge the moment `now` (seconds since the epoch), `t` seconds into the recording, and yield what has changed."""
        seen = self._seen(now)
        self._findings = diagnose(seen, self._limits)
        plan = decide(self._findings, seen, self._past, self._policy, self._limits)
        self._past = _after(self._past, plan)
        held = {one.place: one.held_reason for one in self._past.incidents if not one.over}
        for finding in self._findings:
            change = Change(
                round(t, 3),
                finding.place.app or "",
                finding.verdict,
                finding.suspect,
                tuple(map(_as_recorded, finding.notes)),
                finding.remedy,
                held.get(finding.place),
                tuple(replace(one, reading=_as_recorded(one.reading)) for one in finding.evidence),
            )
            if self._told.get(finding.place) != (word := _word(change)):
                self._told[finding.place] = word
                yield change

    # What each kind of line tells

    def _hear(self, body: bytes, at: float) -> None:
        events, _ = decode([body])
        self._state.fold([self._placed(event, at) for event in events], at)
        self._answers(at)

    def _placed(self, event: Event, at: float) -> Event:
        """Have the host of a node name be the guid of its instance, as Celery's `%h` is on Cloud Foundry."""
        if not event.type.startswith(("worker-", "task-")) or event.type == _BY_PRODUCER:
            return event
        node = event.hostname
        life = self._lives.get(node)
        if life is None or self._outlives(event, life):
            life = self._lives[node] = _Life(life.number + 1 if life else 1, at)
        life.pids.add(event.pid)
        return replace(event, hostname=f"{node}{_SEPARATOR}{_guid(node, life)}")

    @staticmethod
    def _outlives(event: Event, life: _Life) -> bool:
        """Tell whether this is of a process that lives after that one's end, whose own last words may come late."""
        return life.ended_at is not None and (event.pid not in life.pids or event.timestamp > life.ended_at)

    def _ping(self, line: Line) -> None:
        if line.error:
            answered: Reading[frozenset[str]] = Unknown(f"remote control: {line.error}", line.wall)
            self._fails(line.error)
        else:
            self._answers(line.wall)
            there = line.reply or {}
            names = {_recorded(one.node): one.node for one in self._state.incarnations.values()}
            answered = Known(frozenset(names[node] for node in there if node in names), line.wall)
        well = frozenset(one.node for one in self._findings if one.well and one.node)
        others = frozenset(one.node for one in self._state.incarnations.values()) - well
        self._pings = self._tally.judge(
            answered, Whom(suspects=others, witnesses=well if others else frozenset()), line.wall
        )

    def _sample(self, line: Line) -> None:
        if line.queue.error:
            self._fails(line.queue.error)
        elif line.queue.llen_celery is not None:
            depth, before = line.queue.llen_celery, self._waiting.get(QUEUE, Waiting(0))
            self._waiting = {QUEUE: Waiting(depth, (before.since or line.wall) if depth else None)}
            self._answers(line.wall)

    def _read_log(self, line: Line) -> None:
        if found := _BANNER.search(line.line):
            self._pools[line.worker] = Pool(found[2], int(found[1]))
        elif (found := _CONSUMED.search(line.line)) and (pool := self._pools.get(line.worker)):
            self._pools[line.worker] = replace(pool, queues=(*pool.queues, found[1]))

    def _end(self, line: Line) -> None:
        for node, life in self._lives.items():
            if line.rc is None or life.ended_at is not None or line.worker not in _names(node):
                continue
            life.ended_at, life.rc = line.wall, line.rc
            if line.rc:
                text = f"exited with status {line.rc}" if line.rc > 0 else f"ended by signal {-line.rc}"
                guid = _guid(node, life)
                self._crashes.append(Crash(guid, PLATFORM, node, "worker", 0, guid, line.wall, text))

    # How well the recorder hears

    def _answers(self, at: float) -> None:
        if self._flowing_since is None or (self._answered_at is not None and at - self._answered_at > GAP_S):
            self._flowing_since = at
        self._answered_at, self._error = at, None

    def _fails(self, why: str) -> None:
        self._flowing_since, self._error = None, why

    # What all of it amounts to

    def _seen(self, now: float) -> Seen:
        stream = Stream(
            observed_at=now,
            echo_at=self._answered_at,
            flowing_since=self._flowing_since,
            error=self._error,
        )
        lived = (Lived(_guid(node, life), _place(node), now) for node, life in self._lives.items())
        self._lived.update({one.guid: one for one in lived})
        incarnations = tuple(replace(one) for one in self._state.incarnations.values())
        return Seen(
            cluster=CLUSTER,
            at=now,
            stream=Known(stream, now),
            incarnations=incarnations,
            platform=Known(tuple(_app(node, life, now) for node, life in self._lives.items()), now),
            crashes=Known(tuple(self._crashes), now),
            lived=tuple(self._lived.values()),
            pools={one.key: pool for one in incarnations if (pool := self._pool(_recorded(one.node)))},
            pings=self._pings,
            consumers=Unknown("the recording does not tell the workers' connections apart"),
            waiting=self._waiting,
        )

    def _pool(self, node: str) -> Pool | None:
        return next((pool for name in _names(node) if (pool := self._pools.get(name))), None)


_SEPARATOR = "@"
_BY_PRODUCER = "task-sent"
_PLACED = re.compile(r"(\S+@\S+)@\S+")


def _names(node: str) -> tuple[str, str]:
    """Return the names that lines which are no events may call a worker by."""
    return (node, node.partition("@")[0])


def _guid(node: str, life: _Life) -> str:
    return f"{node.replace('@', '.')}.{life.number}"


def _recorded(node: str) -> str:
    """Return the node name as it was recorded."""
    return node.rpartition(_SEPARATOR)[0]


def _as_recorded(text: str) -> str:
    return _PLACED.sub(r"\1", text)


def _place(node: str) -> Place:
    return Place(CLUSTER, PLATFORM, node, "worker", 0)


def _app(node: str, life: _Life, now: float) -> App:
    """Return what a platform would say of a process: one that ended well was stopped by somebody, any other crashed."""
    runs = life.ended_at is None
    state, guid = (InstanceState.RUNNING, _guid(node, life)) if runs else (InstanceState.CRASHED, None)
    instance = Instance(PLATFORM, node, node, "worker", 0, state, guid, now - life.since)
    return App(PLATFORM, node, node, "STARTED" if runs or life.rc else "STOPPED", (Process("worker", 1),), (instance,))


def _after(past: Past, plan: Plan) -> Past:
    incidents = {one.id: one for one in past.incidents} | {one.id: one for one in plan.incidents}
    remedies = {one.id: one for one in past.remedies} | {one.id: one for one in plan.remedies}
    return Past(tuple(incidents.values()), tuple(remedies.values()))


def _word(change: Change) -> object:
    """Return what of a finding makes it another one: numbers in notes that only count on do not."""
    notes = tuple(re.sub(r"[\d.]+", "", note) for note in change.notes)
    return (change.verdict, change.suspect, change.remedy, change.held, notes)
