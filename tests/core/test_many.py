"""Many silent while the broker answers: one critical incident of the cluster."""

from celeriac.core.desk import Past
from celeriac.core.incident import Deed, Ending, HeldReason, IncidentState, RemedyKind
from celeriac.core.model import Place
from celeriac.core.readings import Unknown
from core.builders import AUTO, CLUSTER, NOTHING, NOW, after, but, place, plan_for, seen, stream, word, worker

WHOLE = Place(CLUSTER)


def silent_for(seconds, number=4, calm=6, **fields):
    """Return a look at some that fell silent together, beside some that are well."""
    workers = [worker(index, silent=seconds if index < number else 0.5) for index in range(number + calm)]
    return seen(*workers, **fields)


def whole(plan):
    """Return the cluster's own incident, if it changes."""
    return next((one for one in plan.incidents if one.place == WHOLE), None)


def judged(look, past=NOTHING, policy=AUTO):
    plan = plan_for(look, past, policy)
    return plan, after(past, plan)


def test_a_freeze_that_lasts_becomes_one_critical_incident():
    """A minute after the first could have been restarted; each worker's own stays held by quorum."""
    early, past = judged(silent_for(89))
    assert whole(early) is None
    late, past = judged(silent_for(91), past)

    one = whole(late)
    assert (one.state, one.critical, one.remedy) == (IncidentState.ESCALATED, True, RemedyKind.ALERT)
    assert one.members == tuple(place(index) for index in range(4))
    assert [step.text for step in one.steps] == [
        "4 of 10 workers are silent, and the broker is fine",
        "many silent, broker fine: restarts only by approval, each in its own incident",
    ]
    assert late.acts == ()
    assert {one.held_reason for one in past.incidents if one.place != WHOLE} == {HeldReason.QUORUM}


def test_it_is_opened_once():
    """Look after look it stays the same one."""
    _, past = judged(silent_for(91))

    assert whole(judged(silent_for(95), past)[0]) is None


def test_who_joins_is_told():
    """A fifth falls silent with the others."""
    _, past = judged(silent_for(91))
    joined = whole(judged(silent_for(95, number=5, calm=5), past)[0])

    assert joined.members[-1] == place(4)
    assert joined.steps[-1].text == "also silent: orders-worker/4"


def test_a_few_silent_are_no_freeze():
    """Three of ten have each a cause of its own."""
    assert whole(judged(silent_for(91, number=3, calm=7))[0]) is None


def test_while_the_broker_is_away_nothing_is_said_of_many():
    """Neither opened nor ended."""
    away = silent_for(91, heard=stream(error="Connection refused"))
    assert whole(judged(away)[0]) is None

    _, past = judged(silent_for(91))
    assert whole(judged(seen(*[worker(index) for index in range(10)], heard=Unknown("stale", NOW)), past)[0]) is None


def test_silence_before_our_own_gap_does_not_count():
    """Our echo flows again for a minute only: the freeze has not lasted yet."""
    assert whole(judged(silent_for(600, heard=stream(flowing=60)))[0]) is None


def test_it_resolves_when_they_are_well_for_a_minute():
    """All of them; one that is still silent keeps it open."""
    _, past = judged(silent_for(91))
    well = seen(*[worker(index, now=NOW + 10) for index in range(10)], now=NOW + 10)
    first, past = judged(well, past)
    assert whole(first).healthy_since == NOW + 10

    later = seen(*[worker(index, now=NOW + 70) for index in range(10)], now=NOW + 70)
    one = whole(judged(later, past)[0])
    assert (one.state, one.ending) == (IncidentState.RESOLVED, Ending.RECOVERED)
    assert one.steps[-1].text == "all 4 are well again or gone"


def test_one_that_is_not_well_keeps_it_open():
    """Three of four are back."""
    _, past = judged(silent_for(91))
    back = [worker(index, silent=161 if index == 0 else 0.5, now=NOW + 70) for index in range(10)]
    _, past = judged(seen(*back, now=NOW + 70), past)

    assert next(one for one in past.incidents if one.place == WHOLE).healthy_since is None


def test_a_person_may_close_it():
    """Then it stays closed for these; who joins later opens another."""
    _, past = judged(silent_for(91))
    mine = word(Deed.CLOSE, incident=next(one.id for one in past.incidents if one.place == WHOLE))
    plan, past = judged(silent_for(93), but(past, words=(mine,)))
    assert whole(plan).state is IncidentState.CLOSED

    assert whole(judged(silent_for(95), past)[0]) is None
    assert whole(judged(silent_for(97, number=5, calm=5), past)[0]).state is IncidentState.ESCALATED


def test_a_cluster_incident_from_the_journal_is_no_workers():
    """It is not forgotten as a place of which nothing is heard."""
    _, past = judged(silent_for(91))

    assert whole(judged(silent_for(93), Past(past.incidents))[0]) is None
