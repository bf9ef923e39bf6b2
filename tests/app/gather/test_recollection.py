"""A keeper that stood by, or was stopped, knows nothing of what came in between: what it remembers begins anew."""

import threading

from app.virtual import CALM, NODE, alive
from celeriac.app.recollection import AWAY_S
from celeriac.core.exhibits import Line
from celeriac.core.memory import Book
from celeriac.core.model import Consumer, Nameless
from celeriac.core.readings import Known, Unknown
from core.builders import guid, worker
from harness import wait_until

HOUR = 3600.0


def waited(look):
    return look.at - look.waiting["celery"].since


def test_since_when_work_waits_is_not_told_of_before_the_pause(cluster, clock):
    """The queue was empty nearly all of this hour; only while looks follow each other is it the same waiting."""
    cluster.broker.lengths = {"celery": 1}
    cluster.looked(alive(clock))
    assert waited(cluster.look(alive(clock), after=AWAY_S)) >= AWAY_S
    assert waited(cluster.look(alive(clock), after=HOUR)) == 0


def test_what_its_siblings_began_meanwhile_tells_nothing_of_its_share(cluster, clock):
    def tasks(number):
        return alive(clock, processed=5, active=0), alive(clock, 1, processed=number)

    cluster.looked(*tasks(100))
    assert cluster.look(*tasks(200)).shares[f"{NODE}#7"].theirs == 100
    clock.pass_(HOUR)
    assert cluster.look(*tasks(900)).shares[f"{NODE}#7"].theirs == 0


def test_pings_before_the_pause_are_not_in_a_row_with_those_after_it(cluster, clock):
    cluster.control.alive = {f"celery@{guid(1)}"}

    def silent():
        return worker(silent=20, now=clock() + 2), alive(clock, 1)

    cluster.looked(*silent())
    cluster.look(*silent())
    assert cluster.look(*silent()).pings[NODE] == Known(value=False, at=clock())
    after = cluster.look(*silent(), after=HOUR).pings[NODE]
    assert (type(after), after.why) == (Unknown, "no answer yet, asked 1 times")


def test_a_connection_that_stayed_before_the_pause_may_be_gone(cluster, clock):
    cluster.broker.there = {NODE: Consumer(10, fetching=False, idle_s=9.0)}
    cluster.looked(worker(silent=6, now=clock() + 2), alive(clock, 1))
    cluster.broker.there = {}
    quiet = worker(silent=8, now=clock() + 2)
    assert cluster.look(quiet, alive(clock, 1)).lingering == {f"{NODE}#7"}
    assert cluster.look(quiet, alive(clock, 1), after=HOUR).lingering == frozenset()


def test_whom_it_counted_among_before_the_pause_is_forgotten(cluster, clock):
    cluster.broker.nameless = Nameless(8, 4)
    suspect = worker(2, silent=20, now=clock())
    cluster.looked(alive(clock), alive(clock, 1), suspect)
    frozen = alive(clock)
    assert cluster.look(frozen, alive(clock, 1), suspect).crowds[frozen.key].workers == 2
    assert cluster.look(frozen, alive(clock, 1), suspect, after=HOUR).crowds == {}


def test_a_log_that_was_read_before_the_pause_is_read_again_first(cluster, clock):
    """What it said last may have been taken back since."""
    cluster.platform.written = {0: (Line("[WARNING/MainProcess] Canceling queue celery", clock()),)}

    def silent():
        return worker(silent=20, now=clock() + 2), alive(clock, 1)

    cluster.looked(*silent())
    wait_until(lambda: cluster.gatherer._logs._asked[NODE][0].done(0.0), 5, "the log is read")
    assert isinstance(cluster.look(*silent()).logged[NODE], Known)
    assert NODE not in cluster.look(*silent(), after=HOUR).logged


def test_an_answer_to_a_question_of_before_the_pause_is_not_taken_for_one_of_now(cluster, clock):
    """The platform answered while nobody looked: who runs there now, and what people did since, it did not know."""
    cluster.looked(alive(clock))
    answers, asked = threading.Event(), cluster.platform.apps

    def late():
        apps = asked()
        answers.wait(10)
        return apps

    cluster.platform.apps = late
    cluster.gatherer._watch._due_at = 0.0
    answered = cluster.look(alive(clock)).platform
    cluster.platform.apps = asked
    answers.set()
    cluster.platform.instances = {0: cluster.platform.instances[0]}
    after = cluster.look(alive(clock), after=HOUR).platform

    assert len(answered.value[0].instances) == 4
    assert len(after.value[0].instances) == 1


def test_a_worker_that_only_its_answers_tell_of_is_not_forgotten(cluster, clock):
    """When it answered last stays true."""
    silent = f"celery@{guid(1)}"
    book = Book(pools={**CALM.pools})
    cluster.control.alive, cluster.control.kinds = {NODE, silent}, {f"{silent}#7": CALM.pools[f"{silent}#7"]}
    for _ in range(60):
        look = cluster.look(alive(clock), book=book)
    assert silent in {one.node for one in look.incarnations}
    look = cluster.look(alive(clock), book=book, after=600)
    assert silent in {one.node for one in look.incarnations}
