"""Builders with readable defaults: a cluster `orders` whose app `orders-worker` runs prefork workers and is well.

`seen(worker(silent=35))` is a worker with every proof against it, as the keeper would have gathered it: it gives no answer
to a ping, its connections are idle, and the platform runs it. Each test names what differs from that.
"""

from msgspec.structs import replace

from celeriac.core.changes import Change
from celeriac.core.decide import decide
from celeriac.core.desk import Past, Plan
from celeriac.core.diagnose import diagnose
from celeriac.core.finding import Finding
from celeriac.core.incident import KEEPER, Incident, IncidentState, Remedy, RemedyKind, RemedyState, Word
from celeriac.core.limits import Limits, Policy
from celeriac.core.model import (
    App,
    Clients,
    Consumer,
    Crash,
    Incarnation,
    Instance,
    InstanceState,
    Mode,
    Place,
    Pool,
    Process,
    Verdict,
)
from celeriac.core.readings import Known, Unknown
from celeriac.core.snapshot import Seen, Stream

NOW = 1_790_000_000.0
CLUSTER = "orders"
APP = "orders-worker"
PLATFORM = "cf"
LIMITS = Limits()
NOTHING = Past()
AUTO = Policy(mode=Mode.AUTO)
ASKED_AFTER = 6 * 2.0
"""Silence from which the keeper pings."""

TOLD = object()
"""A default that follows from the other arguments."""


def guid(index: int = 0, life: int = 1) -> str:
    return f"guid-{index}-{life}"


def place(index: int = 0, *, node: str | None = None) -> Place:
    return Place(CLUSTER, PLATFORM, APP, "worker", index, node)


def worker(index=0, *, life=1, silent=0.5, node=None, pid=7, born=3600.0, now=NOW, **fields) -> Incarnation:
    """Return an incarnation that spoke `silent` seconds ago and was born `born` seconds ago."""
    spoke = now - silent
    fields = {"beats": 100, "sent": (1, spoke), "last_heartbeat_at": spoke, "processed": 5, **fields}
    return Incarnation(node or f"celery@{guid(index, life)}", pid, min(now - born, spoke), spoke, **fields)


def said_goodbye(ago: float, **fields) -> Incarnation:
    """Return a worker whose warm shutdown began so many seconds ago."""
    now = fields.get("now", NOW)
    return worker(silent=ago, goodbye=(1, now - ago), offline_at=now - ago, **fields)


def instance(index=0, *, life=1, state=InstanceState.RUNNING, uptime=3600.0, **fields) -> Instance:
    there = state in {InstanceState.RUNNING, InstanceState.STARTING, InstanceState.STOPPING}
    fields = {"guid": guid(index, life) if there else None, **fields}
    return Instance(PLATFORM, APP, "app-guid", "worker", index, state, uptime_s=uptime, **fields)


def app(*instances: Instance, state="STARTED", wanted=None, name=APP) -> App:
    process = Process("worker", len(instances) if wanted is None else wanted)
    return App(PLATFORM, "app-guid", name, state, (process,), instances, restarts_ended=True)


def stream(*, now=NOW, flowing=3600.0, echo=1.0, **fields) -> Stream:
    """Return a stream that has flowed for so many seconds; its last echo came `echo` seconds ago."""
    fields = {"echo_at": now - echo, "flowing_since": None if flowing is None else now - flowing, **fields}
    return Stream(observed_at=now, **fields)


def crash(index=0, *, life=1, ago=5.0, text="APP/PROC/WORKER: Exited with status 137", id=None, now=NOW) -> Crash:
    return Crash(id or f"crash-{index}-{life}", PLATFORM, APP, "worker", index, guid(index, life), now - ago, text)


def change(what="restarted", *, ago=60.0, now=NOW, actor="bo", index=None, own=False, active=False, **fields) -> Change:
    """Return what somebody did to the app, or to one of its instances, so many seconds ago."""
    process = None if index is None else "worker"
    fields = {"id": f"change-{what}-{ago:g}", "platform": PLATFORM, "app": APP, "process": process, **fields}
    return Change(at=now - ago, what=what, actor=actor, index=index, own=own, active=active, **fields)


def word(deed, index=0, *, actor="ana", why="I look into it", ago=1.0, now=NOW, **fields) -> Word:
    """Return what a person wants to be done with the incident of this index."""
    fields = {"id": f"word-{deed}", "incident": f"incident-{index}", **fields}
    return Word(cluster=CLUSTER, deed=deed, actor=actor, asked_at=now - ago, why=why, **fields)


def seen(
    *workers: Incarnation,
    now=NOW,
    heard=TOLD,
    instances=TOLD,
    platform=TOLD,
    crashes=(),
    changes=(),
    pool="prefork",
    named=True,
    ping=TOLD,
    consumer=TOLD,
    consumers=TOLD,
    nameless=None,
    takers=None,
    **fields,
) -> Seen:
    """Return one look; `ping`, `consumer` and `pool` are said of every worker, `instances` is one for each of them."""
    if instances is TOLD:
        instances = [instance(index) for index in range(len(workers))]
    if platform is TOLD:
        platform = Known((app(*instances),), now)
    silent = {one.node for one in workers if now - one.last_seen_at >= ASKED_AFTER}
    pings = {}
    if ping is not None:
        pings = {node: ping if isinstance(ping, Unknown) else Known(ping is True, now) for node in silent}
    if consumers is TOLD:
        there = {one.node: _connections(one.node in silent) if consumer is TOLD else consumer for one in workers}
        consumers = Known({node: one for node, one in there.items() if one is not None}, now)
    if isinstance(consumers, Known):
        consumers = Known(Clients(consumers.value, nameless, takers), consumers.at)
    pools = {one.key: Pool(pool, 4, ("celery",), named=named) for one in workers} if pool else {}
    fields = {"pings": pings, "pools": pools, **fields}
    return Seen(
        cluster=CLUSTER,
        at=now,
        stream=Known(stream(now=now) if heard is TOLD else heard, now) if not isinstance(heard, Unknown) else heard,
        incarnations=workers,
        platform=platform,
        crashes=crashes if isinstance(crashes, Unknown) else Known(tuple(crashes), now),
        clients=consumers,
        changes=changes if isinstance(changes, Unknown) else Known(tuple(changes), now),
        **fields,
    )


def _connections(silent: bool) -> Consumer:
    return Consumer(10, fetching=not silent, idle_s=40.0 if silent else 0.0)


def unmapped(*workers: Incarnation, **fields) -> Seen:
    """Return a look at a cluster that runs on no platform."""
    return seen(*workers, **{"platform": None, "crashes": (), **fields})


def finding(*workers: Incarnation, limits=LIMITS, **fields) -> Finding:
    """Return the finding on the first place of such a look."""
    return diagnose(seen(*workers, **fields), limits)[0]


def plan_for(look: Seen, past: Past = NOTHING, policy: Policy = AUTO, limits: Limits = LIMITS) -> Plan:
    """Judge one look: what to journal, and what to do."""
    return decide(diagnose(look, limits), look, past, policy, limits)


def after(past: Past, plan: Plan) -> Past:
    """Return the journal once this plan is in it."""
    incidents = {one.id: one for one in past.incidents} | {one.id: one for one in plan.incidents}
    remedies = {one.id: one for one in past.remedies} | {one.id: one for one in plan.remedies}
    words = {one.id: one for one in past.words} | {one.id: one for one in plan.words}
    return Past(tuple(incidents.values()), tuple(remedies.values()), tuple(words.values()))


def incident(index=0, *, state=IncidentState.HELD, life=1, ago=60.0, now=NOW, **fields) -> Incident:
    fields = {"remedy": RemedyKind.RESTART_INSTANCE, "guid": guid(index, life), **fields}
    fields = {"node": f"celery@{guid(index, life)}", "pid": 7, **fields}
    where = fields.pop("place", place(index))
    return Incident(
        id=fields.pop("id", f"incident-{index}"),
        cluster=CLUSTER,
        place=where,
        verdict=fields.pop("verdict", Verdict.HUNG),
        state=state,
        opened_at=now - ago,
        updated_at=now - ago,
        **fields,
    )


def remedy(index=0, *, state=RemedyState.INTENDED, life=1, ago=60.0, actor=KEEPER, now=NOW, **fields) -> Remedy:
    fields = {"guid": guid(index, life), "node": f"celery@{guid(index, life)}", "pid": 7, **fields}
    fields = {"incident": f"incident-{index}", "attempts": 1, **fields}
    return Remedy(
        id=fields.pop("id", f"remedy-{index}"),
        cluster=CLUSTER,
        place=fields.pop("place", place(index)),
        kind=fields.pop("kind", RemedyKind.RESTART_INSTANCE),
        state=state,
        asked_at=now - ago,
        actor=actor,
        **fields,
    )


def order(index=0, *, ago=1.0, **fields) -> Remedy:
    """Return a person's order for what the incident of this index was held for."""
    fields = {"id": "order", "actor": "ana", "attempts": 0, **fields}
    return remedy(index, state=RemedyState.REQUESTED, ago=ago, **fields)


def but(value, **changes):
    """Return the value with these fields changed."""
    return replace(value, **changes)


def steps(one: Incident) -> list[str]:
    """Return the kinds of the lines of an incident's story."""
    return [step.kind for step in one.steps]


def only(plan: Plan) -> Incident:
    """Return the one incident that changes."""
    (one,) = plan.incidents
    return one
