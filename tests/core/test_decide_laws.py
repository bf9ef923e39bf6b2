"""The laws of the keeper, over any sequence of faults, answers and orders: what it must never do, and what it must."""

from itertools import chain, pairwise

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from celeriac.core.diagnose import diagnose
from celeriac.core.incident import IncidentState, RemedyKind, RemedyState
from core.builders import LIMITS, after, plan_for
from core.simulation import UNDER_WAY, World

law = settings(suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is no failure."""

AWAITED = {IncidentState.REMEDYING, IncidentState.VERIFYING}

HAPPENS = [
    *["freeze"] * 8,
    *["thaw", "crash", "order", "switch", "switch"],
    *["deafen", "hear", "hear", "hear"],
    *["pause", "resume", "resume", "resume", "approve_app"],
]
ANSWERS = [
    "done",
    "done",
    "done, unclear",
    "not done, unclear",
    "done, then killed",
    "killed before",
    "refused",
    "changed",
]
STEP = st.tuples(
    st.sampled_from(HAPPENS),
    st.integers(0, 11),
    st.sampled_from([2.0, 10.0, 31.0, 41.0, 70.0, 200.0, 610.0, 1000.0]),
    st.sampled_from(ANSWERS),
)
LIVES = st.tuples(st.sampled_from([1, 3, 12]), st.lists(STEP, min_size=15, max_size=60))


def live(size, steps):
    """Let it all happen; give each cycle with the world as it was before its acts."""
    world = World(size)
    for what, index, seconds, answer in steps:
        getattr(world, what)(index % size)
        world.now += seconds
        before = world.past
        look, plan = world.cycle(answer)
        yield world, before, look, plan
    event(f"{len(world.restarts)} restarts")


@law
@given(LIVES)
def test_nothing_is_done_while_paused_or_blind(lived):
    """A pause, and our own deafness, end every act: also the repetition of one, also by a person's order."""
    for world, _, look, plan in live(*lived):
        if world.paused or world.blind(look):
            assert plan.acts == ()


@law
@given(LIVES)
def test_no_app_is_restarted_but_by_a_person(lived):
    for world, before, _, _ in live(*lived):
        ordered = {one.id for one in before.remedies if one.state is RemedyState.REQUESTED and one.place.of_app}
        begun = {one.id for one in world.past.remedies if one.kind is RemedyKind.RESTART_APP}
        assert begun <= ordered | {one.id for one in before.remedies}
        assert all(one.by_person for one in world.past.remedies if one.kind is RemedyKind.RESTART_APP)
        assert sum(one.place.of_app and not one.over for one in world.past.incidents) <= 1
        if any(one.place.of_app for one in world.past.incidents):
            event("an app's restart was proposed")


@law
@given(LIVES)
def test_one_instance_is_restarted_under_one_remedy(lived):
    """However often a keeper is killed, and whatever the platform answers: no instance falls to two remedies."""
    for world, _, _, _ in live(*lived):
        pairs = {(one.guid, one.remedy.id) for one in world.restarts}
        assert len(pairs) == len({guid for guid, _ in pairs}) == len(world.restarts)


@law
@given(LIVES)
def test_the_keeper_restarts_only_what_has_long_been_silent(lived):
    """No healthy worker is ever restarted, but by a person's order."""
    for world, _, _, _ in live(*lived):
        assert all(one.silent_s >= 30 for one in world.restarts if not one.remedy.by_person)


@law
@given(LIVES)
def test_the_budget_is_never_exceeded(lived):
    """At most five restarts of its own within an hour, and one of this app at once."""
    for world, before, _, plan in live(*lived):
        mine = [act for act in plan.acts if not act.remedy.by_person]
        fresh = [act for act in mine if act.remedy.attempts == 1]
        others = [one for one in before.remedies if one.state in {RemedyState.INTENDED, RemedyState.ACTED}]
        ended = {one.id for one in plan.remedies if one.ended_at is not None}
        assert len(fresh) <= max(0, 1 - len([one for one in others if one.id not in ended]))
        hour = [one for one in world.restarts if not one.remedy.by_person and one.at > world.now - 3600]
        assert len(hour) <= 5


@law
@given(LIVES)
def test_the_keeper_keeps_the_cool_down(lived):
    """Ten minutes lie between its restart of a worker and any other of that worker before it."""
    for world, _, _, _ in live(*lived):
        for index in range(world.size):
            mine = [one for one in world.restarts if one.index == index]
            for earlier, later in pairwise(mine):
                assert later.remedy.by_person or later.at - earlier.at >= 600


@law
@given(LIVES)
def test_every_finding_is_acted_on_or_held_with_a_reason(lived):
    """Whatever asks for a remedy is under way, waits for a named reason, or was told to people."""
    for world, _, look, _ in live(*lived):
        for finding in diagnose(look, LIMITS):
            if finding.remedy is RemedyKind.NONE:
                continue
            one = world.incident_at(finding.place.index)
            assert one is not None
            waits = one.state is IncidentState.HELD and one.held_reason is not None
            told = one.state is IncidentState.OPEN and (
                finding.remedy is RemedyKind.ALERT or one.steps[-1].kind == "lapsed"
            )
            assert waits or told or one.state in UNDER_WAY


@law
@given(LIVES)
def test_a_plan_that_is_journalled_acts_once(lived):
    """Deciding again over the same world, with the plan in the journal, restarts none of it again."""
    for world, before, look, plan in live(*lived):
        again = plan_for(look, after(before, plan), world.policy())
        assert not {one.remedy.guid for one in again.acts} & {one.remedy.guid for one in plan.acts}


def bout(index, crashes, answer, rest):
    """One is restarted, and what that brought crashes so many times, each time before it is proven."""
    restarted = [("freeze", index, 31.0, answer), ("hear", index, 10.0, "done")]
    return [*restarted, *[("crash", index, 10.0, "done")] * crashes, ("hear", index, rest, "done")]


BOUT = st.builds(
    bout, st.integers(0, 11), st.integers(0, 6), st.sampled_from(ANSWERS), st.sampled_from([2.0, 200.0, 1000.0])
)
CRASHY = st.tuples(
    st.sampled_from([1, 3, 12]),
    st.lists(BOUT | STEP.map(lambda one: [one]), min_size=3, max_size=12).map(lambda found: list(chain(*found))),
)


@law
@given(CRASHY)
def test_no_remedy_is_under_way_without_an_incident_that_tells_of_it(lived):
    """Whoever leaves the proof of a remedy ends it: it would fill the budget, and hold back others, for ever."""
    for world, _, _, _ in live(*lived):
        awaited = {one.remedy_id for one in world.past.incidents if one.state in AWAITED}
        assert [one for one in world.running() if one.id not in awaited] == []


@settings(law, max_examples=25)
@given(LIVES)
def test_whatever_happened_all_ends_well(lived):
    """Once nothing more goes wrong, every worker is restarted or recovers, and no remedy is left that fills a budget."""
    size, steps = lived
    world = World(size)
    for world, _, _, _ in live(size, steps):  # noqa: B007 (the last one goes on)
        pass
    for _ in range(8 * size + 8):
        world.hear(0)
        world.resume(0)
        for index in range(size):
            if (one := world.incident_at(index)) and one.held_reason is not None:
                world.order(index)
        for _ in range(25):
            world.now += 20
            world.cycle()
        if not world.running() and not still_open(world):
            return
    assert still_open(world) == []
    assert world.running() == []


def still_open(world):
    """Return the incidents that wait for anything but a person's look."""
    found = [world.incident_at(index) for index in range(world.size)]
    return [one for one in found if one is not None and one.state is not IncidentState.ESCALATED]
