"""A recording judged as the keeper would have judged it live: the same fold, the same rules, one step every two seconds.

Of a recording's readings each takes the place of a source: events of the observer's stream, pings of remote control,
samples of the broker, ends of processes of the platform, and the banner that a worker logs at its start of `inspect stats`.
The recorder sends no echo to itself; that the broker answers it, in whatever way, stands for that.
"""

import re
from collections.abc import Iterable, Iterator

from msgspec import UNSET, Struct
from msgspec.structs import replace

from celeriac.core.crowd import crowds
from celeriac.core.decide import decide
from celeriac.core.desk import Past, Plan
from celeriac.core.diagnose import diagnose
from celeriac.core.events import decode
from celeriac.core.finding import Finding
from celeriac.core.fold import ClusterState
from celeriac.core.incident import HeldReason, RemedyKind
from celeriac.core.limits import Limits, Policy
from celeriac.core.logs import Logged, read
from celeriac.core.model import Clients, Incarnation, Nameless, Place, Pool, Verdict
from celeriac.core.pings import PingTally, Whom
from celeriac.core.queues import QueueSample
from celeriac.core.readings import Evidence, Known, Reading, Unknown
from celeriac.core.recorded_platform import CLUSTER, RecordedPlatform, as_recorded, names, recorded
from celeriac.core.recording import Line
from celeriac.core.snapshot import Crowd, Seen, Stream, speaks
from celeriac.core.work import Backlog, Shares

STEP_S = 2.0
GAP_S = 5.0
"""Nothing that the broker did for the recorder for so long: the stream had a gap."""

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
        self._platform = RecordedPlatform()
        self._logged: dict[str, Logged] = {}
        self._answered: dict[str, float] = {}
        self._met: dict[str, Incarnation] = {}
        self._samples: list[QueueSample] = []
        self._clients: Reading[Clients] = Unknown("the broker was not asked yet")
        self._own = 0
        self._crowds: dict[str, Crowd] = {}
        self._backlog, self._shares = Backlog(), Shares()
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
                self._platform.end(line)

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
                tuple(map(as_recorded, finding.notes)),
                finding.remedy,
                held.get(finding.place),
                tuple(replace(one, reading=as_recorded(one.reading)) for one in finding.evidence),
            )
            if self._told.get(finding.place) != (word := _word(change)):
                self._told[finding.place] = word
                yield change

    # What each kind of line tells

    def _hear(self, body: bytes, at: float) -> None:
        events, _ = decode([body])
        self._state.fold([self._platform.placed(event, at) for event in events], at)
        self._answers(at)

    def _ping(self, line: Line) -> None:
        if line.error:
            answered: Reading[frozenset[str]] = Unknown(f"remote control: {line.error}", line.wall)
            self._fails(line.error)
        else:
            self._answers(line.wall)
            there = line.reply or {}
            names = {recorded(one.node): one.node for one in self._lives()}
            for node in there.keys() - names.keys():
                names[node] = self._platform.meet(node, line.wall)
                self._met[names[node]] = Incarnation(names[node], 0, line.wall, line.wall)
            answered = Known(frozenset(names[node] for node in there if node in names), line.wall)
        well = frozenset(one.node for one in self._findings if one.well and one.node)
        there_now = answered.value if isinstance(answered, Known) else frozenset[str]()
        self._answered |= dict.fromkeys(there_now, line.wall)
        missed = (well & self._answered.keys()) - there_now if isinstance(answered, Known) else frozenset()
        others = frozenset(one.node for one in self._lives()) - well
        witnesses = well - missed if others | missed else frozenset()
        self._pings = self._tally.judge(answered, Whom(suspects=others, doubted=missed, witnesses=witnesses), line.wall)

    def _lives(self) -> list[Incarnation]:
        """Return the lives that events tell of, and those of whom only answers do."""
        heard = list(self._state.incarnations.values())
        nodes = {one.node for one in heard}
        return [*(one for node, one in self._met.items() if node not in nodes), *heard]

    def _sample(self, line: Line) -> None:
        if line.queue.error:
            self._fails(line.queue.error)
        elif line.queue.llen_celery is not None:
            self._samples = [QueueSample(QUEUE, line.wall, {0: line.queue.llen_celery}, line.queue.unacked)]
            self._count(line)
            self._answers(line.wall)

    def _count(self, line: Line) -> None:
        """Take up how many listen: what listens before there is any worker is the recorder."""
        listening = line.queue.pubsub_clients
        if listening is None:
            self._clients = Unknown("the broker does not count its clients", line.wall)
            return
        self._own = self._own if self._state.incarnations else listening
        self._clients = Known(Clients(nameless=Nameless(max(0, listening - self._own))), line.wall)

    def _read_log(self, line: Line) -> None:
        self._logged[line.worker] = read(self._logged.get(line.worker, Logged()), line.line, line.wall)
        if found := _BANNER.search(line.line):
            self._pools[line.worker] = Pool(found[2], int(found[1]))
        elif (found := _CONSUMED.search(line.line)) and (pool := self._pools.get(line.worker)):
            self._pools[line.worker] = replace(pool, queues=(*pool.queues, found[1]))

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
        incarnations = tuple(replace(one) for one in self._lives())
        pools = {one.key: pool for one in incarnations if (pool := self._pool(recorded(one.node)))}
        speaking = [one for one in incarnations if not one.offline and speaks(one, stream, self._limits)]
        seen = Seen(
            cluster=CLUSTER,
            at=now,
            stream=Known(stream, now),
            incarnations=incarnations,
            platform=Known(self._platform.apps(now), now),
            crashes=Known(tuple(self._platform.crashes), now),
            lived=self._platform.lived(now),
            pools=pools,
            pings=self._pings,
            answered=dict(self._answered),
            inspected={one.node: Unknown("a recording holds no such answers", now) for one in incarnations},
            clients=self._clients,
            crowds=self._crowds,
            waiting=self._backlog.take(self._samples, now, now),
            shares=self._shares.take(speaking, pools),
            logged={
                one.node: Known(logged, now) for one in incarnations if (logged := self._log_of(recorded(one.node)))
            },
            changes=Known((), now),
        )
        self._crowds = crowds(seen, self._limits.suspect_beats)
        return seen

    def _log_of(self, node: str) -> Logged | None:
        return next((logged for name in names(node) if (logged := self._logged.get(name))), None)

    def _pool(self, node: str) -> Pool | None:
        return next((pool for name in names(node) if (pool := self._pools.get(name))), None)


def _after(past: Past, plan: Plan) -> Past:
    incidents = {one.id: one for one in past.incidents} | {one.id: one for one in plan.incidents}
    remedies = {one.id: one for one in past.remedies} | {one.id: one for one in plan.remedies}
    return Past(tuple(incidents.values()), tuple(remedies.values()))


def _word(change: Change) -> object:
    """Return what of a finding makes it another one: numbers in notes that only count on do not."""
    notes = tuple(re.sub(r"[\d.]+", "", note) for note in change.notes)
    return (change.verdict, change.suspect, change.remedy, change.held, notes)
