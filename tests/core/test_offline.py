"""A moment as a file: judged again elsewhere, it gives the same plan."""

import msgspec
import pytest

from celeriac.core import offline
from celeriac.core.desk import Past
from celeriac.core.incident import HeldReason
from celeriac.core.limits import Limits, Policy
from celeriac.core.model import Mode
from celeriac.core.offline import Moment
from celeriac.core.readings import Unknown
from celeriac.core.snapshot import Lived
from celeriac.core.work import Waiting
from core.builders import AUTO, NOW, but, crash, guid, incident, order, place, remedy, seen, unmapped, worker

RICH = but(
    seen(worker(silent=35), worker(1), worker(2, silent=700), crashes=[crash(1)], ping=Unknown("it does not answer")),
    lived=(Lived(guid(), place(), NOW),),
    waiting={"celery": Waiting(4, NOW - 30)},
)
MOMENTS = {
    "a restart": Moment(seen(worker(silent=35)), policy=AUTO),
    "all that can be": Moment(
        RICH,
        Past((incident(held_reason=HeldReason.MODE),), (remedy(), order())),
        Limits(silent_s=20),
        Policy(Mode.OBSERVE),
    ),
    "a deaf observer": Moment(seen(worker(), heard=Unknown("stale", NOW), platform=Unknown("away", NOW))),
    "no platform": Moment(unmapped(worker(silent=35))),
}


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_a_moment_survives_the_file(moment):
    """What is written and read again is the same moment, and its plan is the same plan."""
    again = offline.load(offline.dump(moment))

    assert again == moment
    assert offline.judge(again) == offline.judge(moment)


def test_a_file_gives_the_plan_that_the_keeper_had():
    """The file holds all that a plan follows from."""
    findings, plan = offline.judge(offline.load(offline.dump(MOMENTS["a restart"])))

    assert [one.verdict for one in findings] == ["hung"]
    assert len(plan.acts) == 1


def test_a_file_can_be_read_by_people():
    """It is indented JSON with the names of the domain."""
    text = offline.dump(MOMENTS["a restart"]).decode()

    assert text.startswith('{\n "seen"')
    assert '"incarnations"' in text


@pytest.mark.parametrize("text", [b"", b"nonsense", b"{}", b'{"seen": {"cluster": 5}}'])
def test_what_is_no_moment_is_refused_with_its_fault(text):
    """The error names what does not fit."""
    with pytest.raises(msgspec.DecodeError):
        offline.load(text)


def test_of_a_very_large_moment_what_bears_on_the_place_is_kept(monkeypatch):
    """The same verdict of it follows, and it says that others were left out."""
    monkeypatch.setattr(offline, "LARGE", 2)
    whole = Moment(seen(worker(silent=35), worker(1), worker(2)), Past((incident(), incident(1))), policy=AUTO)
    part = offline.pruned(whole, place())

    assert part.pruned
    assert [one.key for one in part.seen.incarnations] == [worker().key]
    assert [one.place for one in part.past.incidents] == [place()]
    verdict = {one.place: one for one in offline.judge(whole)[0]}[place()]
    assert {one.place: one for one in offline.judge(part)[0]}[place()].verdict is verdict.verdict
    assert offline.load(offline.dump(part)) == part


def test_a_small_moment_stays_whole():
    assert offline.pruned(MOMENTS["all that can be"], place()) == MOMENTS["all that can be"]
