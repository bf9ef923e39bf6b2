"""Proof that a restart worked: what must be seen, and what becomes of an incident that waits for it."""

import pytest

from celeriac.core.desk import Past
from celeriac.core.diagnose import diagnose
from celeriac.core.incident import IncidentState, RemedyState
from celeriac.core.model import Inspection, InstanceState, Verdict
from celeriac.core.readings import Known, Unknown
from celeriac.core.snapshot import Lived
from celeriac.core.verify import prove
from celeriac.core.work import Waiting
from core.builders import (
    LIMITS,
    NOW,
    app,
    but,
    crash,
    guid,
    incident,
    instance,
    place,
    plan_for,
    remedy,
    seen,
    stream,
    worker,
)

RESTARTED = incident(state=IncidentState.VERIFYING, remedy_id="remedy-0", deadline_at=NOW + 100)
ACTED = remedy(state=RemedyState.ACTED)
NODE = f"celery@{guid(0, 2)}"


def yes(value):
    return {NODE: Known(value, NOW)}


def back(*, life=None, instances=None, **fields):
    """Return a look at a worker that has come back whole, and was asked for proof."""
    life = worker(life=2, born=30, beats=3, pid=9) if life is None else life
    instances = [instance(life=2, uptime=30)] if instances is None else instances
    look = seen(life, instances=instances, **{key: fields.pop(key) for key in ("heard", "platform") if key in fields})
    return but(look, **{"pings": yes(value=True), "inspected": yes(Inspection(("celery",))), **fields})


def outcome(look, one=RESTARTED, *made):
    """Return the incident and the remedy after this look."""
    plan = plan_for(look, Past((one,), made or (ACTED,)))
    assert plan.acts == ()
    return (plan.incidents or (one,))[0], (plan.remedies or (None,))[0]


def proofs(look, one=RESTARTED) -> dict[str, tuple[bool, str]]:
    found = next((found for found in diagnose(look, LIMITS) if found.place == one.place), None)
    return {proof.name: (proof.seen, proof.text) for proof in prove(one, found, look, LIMITS)}


def missing(look) -> list[str]:
    return [name for name, (seen_, _) in proofs(look).items() if not seen_]


def test_a_worker_that_is_back_whole_is_proven():
    """A new instance that runs, three heartbeats, a ping, a queue: the incident is resolved, the remedy verified."""
    told, made = outcome(back())

    assert (told.state, told.resolved_at, made.state) == (IncidentState.RESOLVED, NOW, RemedyState.VERIFIED)
    assert told.steps[-1].text == (
        f"RUNNING with the new guid {guid(0, 2)}; 3 heartbeats of {NODE}; answers a ping; consumes celery; "
        "idle: no task waits for it"
    )


OLD = [instance(life=1, uptime=3600)]
LACKING = {
    "the old instance still runs": (back(life=worker(), instances=OLD), "instance", "it is RUNNING"),
    "no instance runs": (
        back(instances=[instance(state=InstanceState.STARTING, guid=guid(0, 2), uptime=3)]), "instance", "it is STARTING",
    ),
    "nothing has a guid": (
        back(instances=[instance(state=InstanceState.DOWN)]), "instance", "no new instance runs yet (it is DOWN)",
    ),
    "the platform is unknown": (
        back(platform=Unknown("it does not answer", NOW)), "instance", "no new instance runs yet (it is not there)",
    ),
    "two heartbeats": (back(life=worker(life=2, born=30, beats=2)), "heartbeats", f"2 heartbeats of {NODE}"),
    "it is suspect again": (back(life=worker(life=2, born=90, silent=13)), "heartbeats", f"100 heartbeats of {NODE}"),
    "it was never heard": (
        but(back(), incarnations=()), "heartbeats", "0 heartbeats of it",
    ),
    "it was not pinged": (back(pings={}), "ping", "no answer to a ping"),
    "it did not answer": (back(pings=yes(value=False)), "ping", "no answer to a ping"),
    "the ping failed": (back(pings={NODE: Unknown("it does not answer")}), "ping", "no answer to a ping"),
    "it consumes nothing": (back(inspected=yes(Inspection())), "consumers", "consumes no queue"),
    "its queues are unknown": (back(inspected={NODE: Unknown("it does not answer")}), "consumers", "consumes no queue"),
    "tasks wait, and it takes none": (
        back(waiting={"celery": Waiting(4, NOW - 30)}), "work", "took no task though celery has waited long",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("look", "proof", "text"), LACKING.values(), ids=LACKING)
def test_without_each_proof_it_waits_on(look, proof, text):
    """One proof is missing: nothing is resolved, nothing is done again."""
    assert not proofs(look)[proof][0]
    assert text in proofs(look)[proof][1]
    told, made = outcome(look)
    assert (told.state, made) == (IncidentState.VERIFYING, None)


def test_a_worker_without_heartbeats_is_proven_by_three_pings():
    """One look after the other it answers; a single miss, and they count anew."""
    mute = worker(life=2, born=30, beats=0, last_heartbeat_at=None)
    one = RESTARTED
    for number in (1, 2):
        one, _ = outcome(back(life=mute), one)
        assert (one.state, one.pongs) == (IncidentState.VERIFYING, number)
    missed, _ = outcome(back(life=mute, pings={}), one)
    assert missed.pongs == 0

    done, made = outcome(back(life=mute), one)
    assert (done.state, made.state) == (IncidentState.RESOLVED, RemedyState.VERIFIED)
    assert "3 pings answered by" in done.steps[-1].text


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"waiting": {"celery": Waiting(4, NOW - 29)}}, "idle: no task waits for it"),
        ({"waiting": {"celery": Waiting(0)}}, "idle: no task waits for it"),
        ({"waiting": {"other": Waiting(4, NOW - 90)}}, "idle: no task waits for it"),
        (
            {
                "waiting": {"celery": Waiting(4, NOW - 90)},
                "life": worker(life=2, born=30, beats=3, last_task_at=NOW - 1),
            },
            "took a task",
        ),
    ],
    ids=["they wait since a moment", "none waits", "they wait in another queue", "it took one"],
)
def test_work_is_asked_for_only_where_work_waits(fields, text):
    """Messages must have waited in its own queues for thirty seconds."""
    assert proofs(back(**fields))["work"] == (True, text)


def test_what_cannot_be_seen_is_not_proven():
    """A place that is not in sight has given no proof at all."""
    assert [name for name, (seen_, _) in proofs(seen(platform=Unknown("gone", NOW))).items() if not seen_] == [
        "instance",
        "heartbeats",
        "ping",
        "consumers",
    ]


def test_the_deadline_escalates():
    """Not proven in time: a person must look, and nothing is tried again."""
    late = but(RESTARTED, deadline_at=NOW - 0.1)
    told, made = outcome(back(inspected=yes(Inspection())), late)

    assert (told.state, made.state, made.ended_at) == (IncidentState.ESCALATED, RemedyState.UNVERIFIED, NOW)
    assert told.steps[-1].text == "not proven in time: consumes no queue"


def test_a_worker_that_is_well_at_its_deadline_is_proven():
    """Proof counts before the clock."""
    assert outcome(back(), but(RESTARTED, deadline_at=NOW - 5))[0].state is IncidentState.RESOLVED


@pytest.mark.parametrize(
    "look",
    [
        seen(instances=[instance(state=InstanceState.CRASHED, uptime=900)]),
        seen(worker(), heard=stream(error="Connection refused")),
        seen(worker(), heard=Unknown("stale", NOW)),
        seen(
            worker(), heard=Unknown("stale", NOW), platform=Unknown("away", NOW), lived=(Lived(guid(), place(), NOW),)
        ),
    ],
    ids=["in the platform's back-off", "the broker is down", "the observer is stale", "nothing at all is seen"],
)
def test_the_clock_stands_while_the_platform_waits_or_nothing_is_heard(look):
    """The deadline counts from the platform's own next start, and from the end of our own deafness."""
    told, made = outcome(look, but(RESTARTED, deadline_at=NOW - 5))

    assert (told.state, told.deadline_at, made) == (IncidentState.VERIFYING, NOW + 180, None)


MUTE = seen(worker(life=2, silent=90), instances=[instance(life=2)], named=False, consumer=None)


def test_the_clock_stands_while_nobody_can_be_asked():
    """Remote control fails: that it gives no answer is not its own doing."""
    told, _ = outcome(but(MUTE, pings={NODE: Unknown("Connection refused", NOW)}), but(RESTARTED, deadline_at=NOW - 5))

    assert (told.state, told.deadline_at) == (IncidentState.VERIFYING, NOW + 180)


@pytest.mark.parametrize(
    "look",
    [MUTE, seen(instances=[instance(guid=None)]), seen(instances=[instance(state=InstanceState.UNKNOWN)])],
    ids=["connections without a name", "an API without guids", "a state that the platform does not know"],
)
def test_the_clock_runs_while_this_worker_alone_cannot_be_told(look):
    """It may stay so for ever, and people are to know that nothing was proven."""
    assert diagnose(look, LIMITS)[0].verdict is Verdict.BLIND
    told, made = outcome(look, but(RESTARTED, deadline_at=NOW - 5))

    assert (told.state, made.state) == (IncidentState.ESCALATED, RemedyState.UNVERIFIED)
    assert told.steps[-1].text.startswith("not proven in time: ")


def test_the_platforms_back_off_is_not_for_ever():
    """It waits sixteen minutes at most: an index that stays CRASHED for longer has been given up."""
    look = seen(instances=[instance(state=InstanceState.CRASHED, uptime=1021)])

    assert outcome(look, but(RESTARTED, deadline_at=NOW - 5))[0].state is IncidentState.ESCALATED


def test_an_incident_without_a_deadline_waits():
    """One that an older version left without a deadline is not escalated."""
    assert outcome(back(pings={}), but(RESTARTED, deadline_at=None))[0].state is IncidentState.VERIFYING


def test_a_crash_is_proven_without_a_remedy_of_ours():
    """The platform restarted it: the incident resolves, and no remedy ends with it."""
    crashed = incident(state=IncidentState.VERIFYING, deadline_at=NOW + 9, crashes=("crash-0-1",), node=None, pid=None)
    look = but(back(), crashes=Known((crash(),), NOW))

    told, made = outcome(look, crashed)

    assert (told.state, made) == (IncidentState.RESOLVED, None)


def test_a_second_crash_while_proof_is_awaited_moves_the_proof():
    """The instance that came back has died too: only the next guid proves anything, and the time runs anew."""
    again = crash(life=2, ago=1)
    look = seen(instances=[instance(state=InstanceState.STARTING, guid=None)], crashes=[again])

    told, _ = outcome(look, but(RESTARTED, deadline_at=NOW + 3), remedy(state=RemedyState.VERIFIED))

    assert (told.guid, told.deadline_at, told.state) == (guid(0, 2), NOW + 180, IncidentState.VERIFYING)


def test_a_stop_by_a_person_ends_the_wait():
    """Nobody wants the worker any more."""
    look = seen(platform=Known((app(instance(), state="STOPPED"),), NOW))
    told, made = outcome(look)

    assert (told.state, made.state) == (IncidentState.RESOLVED, RemedyState.UNVERIFIED)
    assert told.steps[-1].text == "not wanted any more: the app is stopped"
    assert told.place == place()
