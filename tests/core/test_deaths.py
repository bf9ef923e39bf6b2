"""Which lives an incident ends: proof alone counts, silence never."""

from msgspec.structs import replace

from celeriac.core import story
from celeriac.core.deaths import ended
from celeriac.core.model import Verdict
from core.builders import NOW, crash, finding, guid, instance, seen, unmapped, worker

SILENT = worker(silent=40)


def incident(**fields):
    return replace(story.opened(finding(SILENT), NOW, "hung"), **fields)


def lives(*found):
    return [one.key for one in found]


def test_a_hung_worker_is_not_dead():
    assert not ended(incident(), seen(SILENT))


def test_with_its_container_every_node_in_it_ends():
    crashed = incident(crashes=(crash().id,), node=None, pid=None)
    second = worker(node=f"beat@{guid()}", pid=9)

    assert lives(*ended(crashed, seen(SILENT, second, worker(1)))) == lives(SILENT, second)


def test_a_restarted_worker_is_dead_when_the_platform_runs_its_container_no_more():
    acted = story.told(incident(), NOW, "acted", "stopped")

    assert not ended(acted, seen(SILENT))
    assert lives(*ended(acted, seen(SILENT, instances=[instance(life=2)]))) == lives(SILENT)


def test_without_the_platforms_word_a_restarted_worker_is_not_known_to_be_dead():
    acted = story.told(incident(), NOW, "acted", "stopped")

    assert not ended(acted, unmapped(SILENT))


def test_a_crash_that_the_broker_proves_ends_that_life_alone():
    crashed = incident(guid=None, verdict=Verdict.CRASHED)

    assert lives(*ended(crashed, unmapped(SILENT, worker(1)))) == lives(SILENT)


def test_a_life_ends_where_another_of_its_name_begins_after_it():
    later = worker(pid=8, born=20)

    assert lives(*ended(incident(guid=None), unmapped(SILENT, later))) == lives(SILENT)


def test_two_processes_of_one_name_at_a_time_prove_nothing():
    twin = worker(pid=8, born=100)

    assert not ended(incident(guid=None), unmapped(SILENT, twin))
