"""A store in memory, and two clusters as a person on call may meet them at night: one worker hung, one coming back."""

import threading
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime

from msgspec.structs import replace

from celeriac.access_ports import BreakGlassUse
from celeriac.app.access.acting import Acting, Register
from celeriac.app.app_record_queries import Followers, Told
from celeriac.app.capacity_queries import Meter, Quotas
from celeriac.app.checkups import Checkups
from celeriac.app.inquiry_desk import InquiryDesk
from celeriac.app.queries import Library
from celeriac.app.service import Service
from celeriac.app.sources import Source, Sources
from celeriac.core.access import Actor
from celeriac.core.casualties import Casualties, Casualty, Fate
from celeriac.core.exhibits import Exhibit, Kept, Line
from celeriac.core.finding import Finding
from celeriac.core.incident import HeldReason, Incident, IncidentState, Remedy, RemedyKind, RemedyState, Step, Word
from celeriac.core.memory import Board, Book, Changes
from celeriac.core.model import App, Incarnation, Instance, InstanceState, Place, Pool, Process, Verdict
from celeriac.core.occupancy import Load
from celeriac.core.offline import Moment
from celeriac.core.pauses import Pause
from celeriac.core.places import Site
from celeriac.core.queues import QueueSample
from celeriac.core.readings import Evidence
from celeriac.core.redact import Redaction
from celeriac.core.rollup import ALL, HOUR, MINUTE, Count, contributed, parted, rolls, total
from celeriac.core.search import Cursor, Facets, Found, Histogram, TaskFilter, TaskRow
from celeriac.core.snapshot import Stream
from celeriac.core.tasks import FINAL, Task
from celeriac.ports import AuditEntry, AuditFilter
from celeriac.web.sign_on import ANYBODY
from web.checked import Outside, checkup
from web.told import MemoryRecords, night_records

NOW = 1_790_000_000.0
GUID = "5f0c{:04d}-91aa-4c1e-6f2b-3c4d"


@dataclass
class MemoryHistory:
    """One cluster's history, its tasks and its roll-ups; `slow` searches end at that cursor."""

    lives: list[Incarnation] = field(default_factory=list)
    rows: dict[str, Task] = field(default_factory=dict)
    heard: Stream | None = None
    samples: list[QueueSample] = field(default_factory=list)
    changes: int = 0
    slow: Cursor | None = None

    def stream(self) -> Stream | None:
        return self.heard

    def incarnations(self) -> list[Incarnation]:
        return list(self.lives)

    def queues(self) -> list[QueueSample]:
        newest = {one.name: one for one in sorted(self.samples, key=lambda one: one.at)}
        return [newest[name] for name in sorted(newest)]

    def queue(self, name: str, since: float, until: float) -> list[QueueSample]:
        return [one for one in self.samples if one.name == name and since <= one.at <= until]

    def version(self) -> int:
        return self.changes

    def find(self, which: TaskFilter) -> Found:
        rows = [row for row in self._matching(which) if _beyond(row.cursor, which)]
        if self.slow:
            rows = [row for row in rows if not _beyond(row.cursor, replace(which, cursor=self.slow))]
        rows = rows[-which.limit :] if which.newer else rows[: which.limit]
        return Found(rows, self.slow)

    def task(self, uuid: str) -> Task | None:
        return self.rows.get(uuid)

    def facets(self, which: TaskFilter) -> Facets:
        found = [row.task for row in self._matching(which)]
        fields = ("state", "name", "worker", "queue")
        return Facets(*(dict(Counter(getattr(one, each) or "" for one in found)) for each in fields), self.slow is None)

    def histogram(self, which: TaskFilter, step_s: int) -> Histogram:
        counts: dict[int, Counter[str]] = {}
        for row in self._matching(which):
            counts.setdefault(int(row.task.first_at // step_s) * step_s, Counter())[row.task.state] += 1
        return Histogram(step_s, {at: dict(each) for at, each in counts.items()}, self.slow is None)

    def counts(self, since: float, until: float, step_s: int, name: str | None = None) -> dict[int, Count]:
        return {at: parted(each)[0] for at, each in self._steps(since, until, step_s, name).items()}

    def durations(self, since: float, until: float, step_s: int, name: str | None = None) -> dict[int, Count]:
        return {at: parted(each)[1] for at, each in self._steps(since, until, step_s, name).items()}

    def _steps(self, since: float, until: float, step_s: int, name: str | None) -> dict[int, Count]:
        found: dict[int, list[Count]] = {}
        for (step, at, of), count in self._rolls().items():
            if step == MINUTE and of == (name or ALL) and since - since % step_s <= at < until:
                found.setdefault(at - at % step_s, []).append(count)
        return {at: total(each) for at, each in found.items()}

    def by_name(self, since: float, until: float) -> dict[str, Count]:
        found: dict[str, list[Count]] = {}
        for (step, at, name), count in self._rolls().items():
            if step == HOUR and name != ALL and since - since % HOUR <= at < until:
                found.setdefault(name, []).append(count)
        return {name: total(each) for name, each in found.items()}

    def _matching(self, which: TaskFilter) -> list[TaskRow]:
        every = list(self.rows.values())  # a test may add to them meanwhile
        rows = [TaskRow(cursor(task), task) for task in every if _fits(task, which)]
        return sorted(rows, key=lambda row: row.cursor, reverse=True)

    def _rolls(self) -> dict[tuple[int, int, str], Count]:
        return rolls(contributed(list(self.rows.values())))


def cursor(task: Task) -> Cursor:
    return Cursor(int(task.first_at * 1_000_000), task.uuid.encode().hex())


def moment(number: int) -> str:
    """Return a task's place in time, as the API writes it."""
    at = datetime.fromtimestamp(cursor(task(number)).first_at / 1e6, UTC)
    return at.isoformat().replace("+00:00", "Z")


def _beyond(place: Cursor, which: TaskFilter) -> bool:
    at = which.cursor
    if at is None:
        return True
    if place.first_at == at.first_at and not at.key:
        return True
    return place > at if which.newer else place < at


def _fits(task: Task, which: TaskFilter) -> bool:
    any_of = (
        (which.states, task.state),
        (which.names, task.name),
        (which.workers, task.worker),
        (which.queues, task.queue),
    )
    texts = (task.args, task.kwargs, task.result, task.exception)
    wanted = (which.args, which.kwargs, which.result, which.exception)
    inside = all(want is None or want.lower() in (text or "").lower() for want, text in zip(wanted, texts, strict=True))
    anywhere = which.anywhere is None or any(which.anywhere.lower() in (text or "").lower() for text in texts)
    return (
        all(not values or value in values for values, value in any_of)
        and (which.since or 0) <= task.first_at < (which.until or float("inf"))
        and (which.runtime_least is None or (task.runtime or -1) >= which.runtime_least)
        and (which.runtime_most is None or (task.runtime or float("inf")) <= which.runtime_most)
        and which.root_id in {None, task.root_id, task.uuid}
        and inside
        and anywhere
    )


@dataclass
class MemoryJournal:
    """The keeper's memory."""

    boards: dict[str, Board] = field(default_factory=dict)
    stories: dict[str, Incident] = field(default_factory=dict)

    def hold_lease(self, holder: str, now: float, ttl: float) -> bool:
        return bool(holder) and ttl > now - now

    def book(self, cluster: str, since: float) -> Book:
        return Book(tuple(self.incidents(cluster, open_only=since > 0, limit=100)))

    def commit(self, changes: Changes, holder: str | None = None) -> None:
        self.stories |= {one.id: one for one in changes.incidents}
        if changes.board:
            self.boards[changes.board.cluster] = changes.board

    def incidents(
        self, cluster: str | None, *, open_only: bool, limit: int, since: float | None = None
    ) -> list[Incident]:
        found = [one for one in list(self.stories.values()) if cluster in (None, one.cluster)]
        found = [one for one in found if since is None or one.opened_at >= since]
        found = [one for one in found if not (open_only and one.over)]
        return sorted(found, key=lambda one: one.opened_at, reverse=True)[:limit]

    def incident(self, id: str) -> Incident | None:
        return self.stories.get(id)

    def board(self, cluster: str) -> Board | None:
        return self.boards.get(cluster)


@dataclass
class MemoryRequests:
    """What people asked for."""

    asked: dict[str, Remedy] = field(default_factory=dict)
    said: dict[str, Word] = field(default_factory=dict)
    looks: int = 0
    changes: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def submit(self, remedy: Remedy) -> None:
        self.asked[remedy.id] = remedy
        self.changes += 1

    def remedy(self, id: str) -> Remedy | None:
        return self.asked.get(id)

    def say(self, word: Word) -> None:
        self.said[word.id] = word
        self.changes += 1

    def word(self, id: str) -> Word | None:
        return self.said.get(id)

    def version(self) -> int:
        with self.lock:
            self.looks += 1
        return self.changes


@dataclass
class MemoryPauses:
    """The pauses that people have ordered."""

    all: dict[str, Pause] = field(default_factory=dict)

    def begin(self, pause: Pause) -> None:
        self.all[pause.id] = pause

    def standing(self, now: float) -> tuple[Pause, ...]:
        return tuple(one for one in self.all.values() if one.stands(now))

    def end(self, id: str, now: float, actor: str) -> None:
        self.all[id] = replace(self.all[id], ended_at=now, ended_by=actor)


@dataclass
class MemoryAudit:
    """What was done, by whom."""

    trail: list[AuditEntry] = field(default_factory=list)

    def note(self, entry: AuditEntry) -> None:
        self.trail.append(replace(entry, id=len(self.trail) + 1))

    def entries(self, which: AuditFilter) -> list[AuditEntry]:
        found = [one for one in self.trail if _told(one, which)]
        return found[: which.limit][::-1] if which.above is not None else found[::-1][: which.limit]


def _told(one: AuditEntry, which: AuditFilter) -> bool:
    names = ("cluster", "action", "actor", "target", "outcome")
    texts = f"{one.target} {one.detail} {one.why}".lower()
    return (
        all(getattr(which, name) in {None, getattr(one, name)} for name in names)
        and (which.since is None or one.at >= which.since)
        and (which.until is None or one.at < which.until)
        and (which.text is None or which.text.lower() in texts)
        and (which.below is None or (one.id or 0) < which.below)
        and (which.above is None or (one.id or 0) > which.above)
    )


@dataclass
class MemoryBreakGlass:
    """The uses of the break-glass account."""

    kept: list[BreakGlassUse] = field(default_factory=list)

    def used(self, use: BreakGlassUse) -> None:
        self.kept.append(use)

    def uses(self, *, unseen_only: bool = False, limit: int = 100) -> list[BreakGlassUse]:
        found = [one for one in self.kept if one.seen_at is None or not unseen_only]
        return sorted(found, key=lambda one: -one.at)[:limit]

    def seen(self, id: str, now: float, by: str) -> bool:
        found = [at for at, one in enumerate(self.kept) if one.id == id and one.seen_at is None]
        for at in found:
            self.kept[at] = replace(self.kept[at], seen_at=now, seen_by=by)
        return bool(found)


@dataclass
class MemoryCasebook:
    """What is kept beside incidents."""

    records: dict[str, Casualties] = field(default_factory=dict)
    exhibits: dict[str, Kept] = field(default_factory=dict)
    moments: dict[str, Moment] = field(default_factory=dict)

    def put(self, records: Collection[Casualties]) -> None:
        self.records |= {one.id: one for one in records}

    def casualties(self, incident: str) -> list[Casualties]:
        return [one for one in self.records.values() if one.incident == incident]

    def watched(self, cluster: str) -> list[Casualties]:
        return [one for one in self.records.values() if one.cluster == cluster and not one.closed]

    def keep(self, kept: Kept) -> None:
        self.exhibits[kept.incident] = kept

    def kept(self, incident: str) -> Kept | None:
        return self.exhibits.get(incident)

    def keep_moment(self, incident: str, moment: Moment) -> None:
        self.moments[incident] = moment

    def moment(self, incident: str) -> Moment | None:
        return self.moments.get(incident)


@dataclass
class MemoryLoads:
    """How busy one cluster's apps were, and the tasks that they ran."""

    minutes: list[Load] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)

    def loads(self, app: str, since: float, until: float) -> list[Load]:
        return [one for one in self.minutes if one.app == app and since <= one.at < until]

    def work(self, nodes: Collection[str], since: float, until: float, limit: int) -> tuple[list[Task], bool]:
        found = [one for one in self.tasks if one.worker in nodes and since <= one.first_at < until]
        return found[:limit], len(found) <= limit


@dataclass
class World:
    """Everything that a console is made of, open to the tests."""

    histories: dict[str, MemoryHistory]
    journal: MemoryJournal
    requests: MemoryRequests
    time: float = NOW
    kept: MemoryCasebook = field(default_factory=MemoryCasebook)
    disk_free: int | None = None
    pauses: MemoryPauses = field(default_factory=MemoryPauses)
    audit: MemoryAudit = field(default_factory=MemoryAudit)
    break_glass: MemoryBreakGlass = field(default_factory=MemoryBreakGlass)
    outside: Outside = field(default_factory=Outside)
    platform: MemoryRecords = field(default_factory=lambda: night_records(NOW))
    loads: MemoryLoads = field(default_factory=MemoryLoads)

    def __post_init__(self) -> None:
        brokers = dict(zip(self.histories, ("redis", "rabbitmq"), strict=False))
        sources = Sources(Source(name, brokers[name], one, one, one) for name, one in self.histories.items())
        self.read(sources)

    def read(self, sources: Sources) -> None:
        """Read these sources from now on."""
        self.service = self.serves(sources)
        self.queries = self.service.queries(ANYBODY)
        self.commands = self.service.commands(ANYBODY)

    def serves(self, sources: Sources) -> Service:
        """Return what a console over these sources serves."""
        clock = lambda: self.time  # noqa: E731
        library = Library(
            sources=sources,
            journal=self.journal,
            requests=self.requests,
            pauses=self.pauses,
            audit=self.audit,
            break_glass=self.break_glass,
            casebook=self.kept,
            exhibits=self.kept,
            checkups=Checkups(lambda: checkup(self.histories, self.journal, self.outside, clock), clock),
            told={"orders": Told(InquiryDesk(self.platform), Redaction())},
            meters={name: Meter(self.loads) for name in self.histories},
            clock=clock,
            disk_free=lambda: self.disk_free,
            quotas=Quotas(),
            followers=Followers(),
        )
        return Service(library, Register(self.audit, clock))

    @property
    def hung(self) -> Incident:
        return self.journal.stories["inc-hung"]

    def place_id(self, index: int) -> str:
        return place(index).id

    def change(self) -> None:
        """Change the store as another process would."""
        self.requests.changes += 1


def casualties_of(incident: str, *, node: str = "worker@g", closed: bool = False) -> Casualties:
    """Return three tasks that were in flight when a worker died: one is lost, one comes back, one ran elsewhere."""
    fates = (
        ("c1", "STARTED", Fate.REDELIVERED, "SUCCESS at worker@h"),
        ("c2", "RECEIVED", Fate.UNACKED, "not begun: comes back after the visibility timeout"),
        ("c3", "STARTED", Fate.LOST, "started there and acknowledged at its start"),
    )
    tasks = tuple(Casualty(id, state, NOW - 60, "orders.price", "orders", fate, why) for id, state, fate, why in fates)
    return Casualties(
        f"{incident}-life", "orders", incident, node, 7, NOW - 9000, NOW - 60, NOW - 50,
        tasks=tasks, doubts=("events were lost within its life",), looked_at=NOW - 5, closed=closed,
    )  # fmt: skip


def kept_of(incident: str) -> Kept:
    """Return what was kept of a worker: some logs, and the reason why there are no counters."""
    logs = (Line("APP/PROC/WORKER OUT ready.", NOW - 70), Line("APP/PROC/WORKER OUT stuck"))
    unheard = Exhibit("stats", NOW, why="it does not answer remote control")
    return Kept(incident, "orders", NOW, (Exhibit("logs", NOW, logs), unheard))


def empty_world() -> World:
    """Return one configured cluster of which nothing is known yet."""
    return World({"orders": MemoryHistory()}, MemoryJournal(), MemoryRequests())


def place(index: int, app: str = "orders-worker", cluster: str = "orders") -> Place:
    return Place(cluster=cluster, platform="cloudfoundry", app=app, process="worker", index=index)


def instance(index: int, state: InstanceState = InstanceState.RUNNING, **more: object) -> Instance:
    guid = None if state is InstanceState.DOWN else GUID.format(index)
    values = {"guid": guid, "uptime_s": 8_100.0 + index, **more}
    return Instance("cloudfoundry", "orders-worker", "app-guid-1", "worker", index, state, **values)  # type: ignore[arg-type]


def life(index: int, *, silent_s: float = 1.0, active: int = 0) -> Incarnation:
    return Incarnation(
        node=f"worker@{GUID.format(index)}",
        pid=14 + index,
        first_seen_at=NOW - 8_000,
        last_seen_at=NOW - silent_s,
        last_heartbeat_at=NOW - silent_s,
        beats=4_000,
        active=active,
        processed=120_034 + index * 377,
        software="celery 5.7.0",
    )


def finding(
    index: int, verdict: Verdict, *notes: str, suspect: bool = False, silent_s: float = 1.0, active: int = 0
) -> Finding:
    state = {Verdict.CRASHED: InstanceState.CRASHED, Verdict.STARTING: InstanceState.STARTING}.get(verdict)
    one = life(index, silent_s=silent_s, active=active) if verdict is not Verdict.STARTING else None
    site = Site(place(index), instance=instance(index, state or InstanceState.RUNNING), incarnation=one)
    return Finding(place(index), verdict, suspect, notes, site=site, silence_s=silent_s)


def hung_incident() -> Incident:
    at = NOW - 252
    return Incident(
        id="inc-hung",
        cluster="orders",
        place=place(2),
        verdict=Verdict.HUNG,
        state=IncidentState.HELD,
        opened_at=at,
        updated_at=at + 3,
        held_reason=HeldReason.MODE,
        remedy=RemedyKind.RESTART_INSTANCE,
        guid=GUID.format(2),
        node=f"worker@{GUID.format(2)}",
        pid=16,
        evidence=(
            Evidence("heartbeat", "last event 31.4 s ago, one every 2 s is usual; pid 16", at - 31),
            Evidence("ping", "no answer", at - 1),
            Evidence(
                "broker", "9 connections, none fetching, idle 33 s", at, rules_out="a long task that still fetches"
            ),
            Evidence("platform", f"RUNNING for 8102 s, guid {GUID.format(2)}", at, rules_out="crash"),
            Evidence("echo", "our own echo 0.8 s ago; 5 of 6 others heard", at, rules_out="broker outage"),
        ),
        steps=(
            Step(at, "opened", "hung: silent for 31.4 s, no answer to a ping, none of its connections fetches"),
            Step(at + 1, "decided", "restart instance 2 of orders-worker"),
            Step(at + 3, "held", "mode approve: a person must approve"),
        ),
    )


def proposed_restart() -> Incident:
    """Return the restart of an app as the keeper proposes it."""
    at = NOW - 30
    return Incident(
        id="inc-app",
        cluster="orders",
        place=Place("orders", "cloudfoundry", "orders-worker"),
        verdict=Verdict.DEAF,
        state=IncidentState.HELD,
        opened_at=at,
        updated_at=at,
        held_reason=HeldReason.MODE,
        remedy=RemedyKind.RESTART_APP,
        members=tuple(place(index) for index in (1, 2, 3, 5, 0, 4)),
        evidence=(Evidence("verdicts", ", ".join(f"orders-worker/{index} deaf" for index in (1, 2, 3, 5)), at),),
        steps=(
            Step(at, "opened", "4 of 5 running instances are deaf or hung"),
            Step(at, "held", "mode: waits for a person's approval"),
        ),
    )


def returning_incident() -> Incident:
    at = NOW - 47
    return Incident(
        id="inc-crashed",
        cluster="orders",
        place=place(4),
        verdict=Verdict.CRASHED,
        state=IncidentState.VERIFYING,
        opened_at=at,
        updated_at=at + 20,
        evidence=(Evidence("platform", "exit 137 (out of memory), instance 4, crash 1 of today", at),),
        steps=(
            Step(at, "opened", "crashed: the platform reports exit 137 (out of memory)"),
            Step(at + 1, "left", "the platform restarts it by itself"),
            Step(at + 20, "verifying", "RUNNING with a new guid; 1 of 3 heartbeats"),
        ),
    )


def past_incident() -> Incident:
    at = NOW - 7_300
    return Incident(
        id="inc-past",
        cluster="orders",
        place=place(1),
        verdict=Verdict.HUNG,
        state=IncidentState.RESOLVED,
        opened_at=at,
        updated_at=at + 96,
        resolved_at=at + 96,
        remedy=RemedyKind.RESTART_INSTANCE,
        evidence=(Evidence("ping", "no answer", at),),
        steps=(
            Step(at, "opened", "hung"),
            Step(at + 96, "resolved", "3 heartbeats, ping, consumes, and a task received"),
        ),
    )


TRACEBACK = """Traceback (most recent call last):
  File "/home/vcap/app/shop/orders/tasks.py", line 112, in charge_card
    answer = gateway.charge(order_id, currency, timeout=10)
  File "/home/vcap/app/shop/gateway.py", line 48, in charge
    raise ConnectionError(f"payment gateway did not answer in {timeout} s")
ConnectionError: payment gateway did not answer in 10 s"""
STATES = ("SUCCESS", "SUCCESS", "STARTED", "FAILURE", "SUCCESS", "RETRY", "RECEIVED", "SUCCESS", "REVOKED", "SUCCESS")
NAMES = ("shop.orders.charge_card", "shop.mail.send_receipt", "shop.stock.reserve", "shop.reports.nightly.build")


def task(number: int) -> Task:
    state, name = STATES[number % len(STATES)], NAMES[number % len(NAMES)]
    began = NOW - 2.7 * number - 1
    failed = state in {"FAILURE", "RETRY"}
    return Task(
        uuid=f"0b7e{number:04d}-6f0d-4b3b-9f3e-3f8e7a91c{number:03d}",
        state=state,
        state_at=began + 0.8,
        name=name,
        args=f"({4711 + number}, 'EUR')",
        kwargs="{}" if number % 3 else "{'attempt': 2, 'priority': 'high'}",
        worker=f"worker@{GUID.format(number % 6)}",
        queue="orders",
        retries=number % 3 if failed else 0,
        first_at=began - 0.412,
        sent_at=began - 0.412,
        received_at=began - 0.1,
        started_at=began if state != "RECEIVED" else None,
        finished_at=began + 0.8 if state in FINAL else None,
        runtime=0.8 + number % 7 if state == "SUCCESS" else None,
        root_id=f"0b7e{number - number % 5:04d}-6f0d-4b3b-9f3e-3f8e7a91c{number - number % 5:03d}",
        result="'ok'" if state == "SUCCESS" else None,
        exception="ConnectionError('payment gateway did not answer in 10 s')" if failed else None,
        traceback=TRACEBACK if failed else None,
    )


def night_world() -> World:
    """Return two clusters: one with an incident that waits and one that is being verified, one that is quiet."""
    findings = (
        finding(0, Verdict.HEALTHY, silent_s=0.6, active=3),
        finding(1, Verdict.BUSY, "solo pool: it does not beat while it works", silent_s=14, active=1),
        finding(2, Verdict.HUNG, silent_s=283, active=8),
        finding(3, Verdict.HEALTHY, suspect=True, silent_s=12.6),
        finding(4, Verdict.STARTING),
        finding(5, Verdict.DRAINING, "warm shutdown for 40 s", silent_s=1.4, active=2),
    )
    lives = [each.site.incarnation for each in findings if each.site and each.site.incarnation]
    pools = {one.key: Pool("prefork", 8, ("orders", "mail")) for one in lives}
    web = App(
        "cloudfoundry", "app-guid-1", "orders-worker", "STARTED", (Process("worker", 6),), _instances(findings), True
    )
    lives[0].mute = True
    orders = MemoryHistory(lives, {}, heard(1_284_221), _samples())
    orders.rows = {one.uuid: one for one in map(task, range(60))}
    boards = {
        "orders": Board(
            "orders",
            NOW - 1.2,
            "6 workers judged; orders-worker/2 is hung and waits for approval; orders-worker/4 is being verified",
            "approve",
            findings=findings,
            apps=(web,),
            pools=pools,
        ),
        "billing": _billing_board(),
    }
    billing_life = _bare_life()
    lossy = heard(10_422, lost_events=1_203, lost_tasks=2, cuts=1)
    paid = QueueSample("paid", NOW - 4, {0: 3}, 2, 1, 1.5, 1.4, 0.8, "message timestamp")
    billing = MemoryHistory([billing_life], {}, lossy, [paid])
    stories = {one.id: one for one in (hung_incident(), returning_incident(), past_incident())}
    return World({"orders": orders, "billing": billing}, MemoryJournal(boards, stories), MemoryRequests())


def _instances(findings: Collection[Finding]) -> tuple[Instance, ...]:
    return tuple(each.site.instance for each in findings if each.site and each.site.instance)


def heard(events: int, **more: object) -> Stream:
    known = {"reader": "redis", "events": events, "reconnects": 1, "lag_s": 0.012, "last_event_at": NOW - 0.7}
    known["lost_at"] = NOW - 60
    return Stream(NOW - 0.5, NOW - 0.9, NOW - 9_000, **{**known, **more})  # type: ignore[arg-type]


def _samples() -> list[QueueSample]:
    """Return an hour of three queues on Redis: one that flows, one that is empty, one that nobody consumes."""
    cannot = {"consumers": "Redis does not tell", "unacked": "Redis counts them for all queues together"}
    unsent = {"arriving": "task_send_sent_event is off", "completing": "task_send_sent_event is off"}
    found = []
    for minute in range(60, -1, -10):
        at, deeper = NOW - 60 * minute - 3, 60 - minute
        found += [
            QueueSample(
                "orders", at, {0: 30 + deeper, 6: 12}, None, None, 12.4, 11.9, 4.2, "its task-sent event", cannot
            ),
            QueueSample("mail", at, {0: 0}, None, None, 0.0, 0.0, None, None, cannot),
            QueueSample(
                "reports",
                at,
                {0: 118},
                oldest_s=60.0 * deeper,
                oldest_how="seen at the head since",
                unknown=cannot | unsent,
            ),
        ]
    return found


def _bare_life() -> Incarnation:
    return Incarnation("celery@billing-1", 4021, NOW - 90_000, NOW - 1, NOW - 1, 4_500, active=0, processed=99)


def _billing_board() -> Board:
    one = _bare_life()
    where = Place("billing", node=one.node)
    quiet = Finding(where, Verdict.HEALTHY, site=Site(where, incarnation=one))
    return Board("billing", NOW - 0.8, "1 worker judged; nothing to do", "observe", findings=(quiet,))


def reader(actor: Actor = ANYBODY) -> Acting:
    """Return somebody at work whose deeds nobody keeps."""
    return Register(MemoryAudit(), lambda: NOW).acting(actor)


def ordered(world: World, **changed: object) -> Remedy:
    """Return a remedy as the keeper may have left it."""
    values = {
        "id": "rem-1",
        "cluster": "orders",
        "place": place(2),
        "kind": RemedyKind.RESTART_INSTANCE,
        "state": RemedyState.REQUESTED,
        "asked_at": world.time,
        "actor": "someone on this machine",
        "incident": "inc-hung",
    }
    return Remedy(**{**values, **changed})  # type: ignore[arg-type]
