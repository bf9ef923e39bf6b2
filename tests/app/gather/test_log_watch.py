"""The logs of workers in question: whose are read, how often, and what of them counts."""

from app.virtual import NODE, alive
from celeriac.core.diagnose import diagnose
from celeriac.core.errors import UnreachableError
from celeriac.core.exhibits import Line
from celeriac.core.limits import Limits
from celeriac.core.logs import Logged
from celeriac.core.model import Verdict
from celeriac.core.readings import Known
from core.builders import NOW, worker

CANCELLED = "APP/PROC/WORKER OUT [2026-08-12 09:00:00,1: INFO/MainProcess] Canceling queue celery"
BROKEN = "APP/PROC/WORKER ERR [2026: CRITICAL/MainProcess] Unrecoverable error: AttributeError('secret')"


def asked(cluster):
    return cluster.platform.asked.count("logs")


def test_no_log_is_read_of_those_who_are_well(cluster, clock):
    cluster.control.alive = {NODE}
    for _ in range(30):
        look = cluster.look(alive(clock))

    assert (asked(cluster), look.logged) == (0, {})


def test_a_suspect_s_log_is_read_every_ten_seconds(cluster, clock):
    cluster.platform.written = {0: (Line(BROKEN, NOW + 5),)}
    for _ in range(20):
        look = cluster.look(worker(silent=clock() - NOW, now=clock()))

    assert look.logged[NODE].value == Logged(broken="AttributeError", broken_at=NOW + 5)
    assert diagnose(look, Limits())[0].verdict is Verdict.DRAINING
    assert 2 <= asked(cluster) <= 4


def test_lines_of_an_earlier_life_are_not_its_own(cluster, clock):
    """The instance before it said them, in the same place."""
    cluster.platform.written = {0: (Line(BROKEN, NOW - 100), Line(CANCELLED, NOW + 1), Line("no time"))}
    for _ in range(12):
        look = cluster.look(worker(silent=clock() - NOW, now=clock(), born=clock() - NOW + 50))

    assert look.logged[NODE].value == Logged(cancelled=("celery",))


def test_who_is_in_question_no_more_is_forgotten(cluster, clock):
    for _ in range(12):
        look = cluster.look(worker(silent=clock() - NOW, now=clock()))
    assert look.logged

    assert cluster.look(alive(clock)).logged == {}


def test_a_log_that_cannot_be_read_says_why(cluster, clock):
    def fails(like, limit):
        message = "log-cache: 503"
        raise UnreachableError(message)

    cluster.platform.logs = fails
    for _ in range(12):
        look = cluster.look(worker(silent=clock() - NOW, now=clock()))

    assert not isinstance(look.logged[NODE], Known)
    assert look.logged[NODE].why == "log-cache: 503"
