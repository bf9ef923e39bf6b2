"""Joining node names and platform instances into places."""

import pytest

from celeriac.core.model import InstanceState, Place, Verdict
from celeriac.core.places import MISSING, Site, host, sites
from celeriac.core.readings import Known, Unknown
from celeriac.core.snapshot import Lived
from core.builders import APP, CLUSTER, NOW, PLATFORM, app, but, finding, guid, instance, place, seen, unmapped, worker

DOWN = Unknown("the platform does not answer", NOW)


def lived(index=0, *, life=1, ago=10.0) -> Lived:
    return Lived(guid(index, life), place(index), NOW - ago)


def test_the_host_part_of_a_node_name_is_the_instance():
    """A worker belongs to the instance whose guid is its host name."""
    (site,) = sites(seen(worker(0)))

    assert (site.place, site.instance.guid, site.incarnation.node) == (place(0), guid(0), f"celery@{guid(0)}")
    assert site.app.name == APP
    assert site.neighbours == ()


@pytest.mark.parametrize(("node", "part"), [("w@h", "h"), ("a@b@h", "h"), ("bare", "bare"), ("", "")])
def test_the_host_part_of_any_name(node, part):
    """A node name need not be as Celery makes it."""
    assert host(node) == part


def test_an_instance_without_a_worker_is_a_place_too():
    """What the platform wants, and nothing was heard of, is judged as well."""
    (site,) = sites(seen(instances=[instance(0)]))

    assert (site.place, site.incarnation) == (place(0), None)


def test_a_worker_that_no_instance_maps_is_a_place_of_its_own():
    """A node on another machine stands under its own name, after the mapped ones."""
    first, second = sites(seen(worker(0), worker(node="celery@elsewhere"), instances=[instance(0)]))

    assert first.place == place(0)
    assert (second.place, second.instance) == (Place(CLUSTER, node="celery@elsewhere"), None)
    assert (second.place.mapped, second.place.name) == (False, "celery@elsewhere")


def test_without_a_platform_every_node_is_a_place():
    """Where no platform is configured the node name is all there is."""
    assert [one.place.node for one in sites(unmapped(worker(node="a@x"), worker(node="b@x")))] == ["a@x", "b@x"]


def test_several_nodes_in_one_container_are_places_of_their_own():
    """Each node that shares a container has its own place, and knows its neighbours."""
    one, other = worker(node=f"w1@{guid()}"), worker(node=f"w2@{guid()}", pid=8)

    first, second = sites(seen(one, other, instances=[instance(0)]))

    assert (first.place, second.place) == (place(0, node=one.node), place(0, node=other.node))
    assert (first.neighbours, second.neighbours) == ((other,), (one,))
    assert first.instance == second.instance == instance(0)
    assert first.place.name == f"{APP}/0 ({one.node})"


def test_of_several_lives_the_newest_counts():
    """A worker that came back in the same container under its name is judged by its newest pid."""
    old, new = worker(pid=7, silent=60, born=900), worker(pid=8, born=50)

    (site,) = sites(seen(old, new, instances=[instance(0)]))

    assert (site.incarnation, site.twins) == (new, 0)


def test_two_processes_with_one_name_are_twins():
    """Where the older one goes on speaking, two processes use one node name."""
    old, new = worker(pid=7, born=900), worker(pid=8, born=50)

    (site,) = sites(seen(old, new, instances=[instance(0)]))

    assert (site.incarnation.pid, site.twins) == (8, 1)


def test_a_second_process_that_ended_at_once_does_not_speak_for_the_first():
    """RabbitMQ refuses it its queue; what it said when it ended is not the first one's goodbye."""
    first = worker(pid=7, born=3600)
    second = worker(pid=8, born=60, silent=58, goodbye=(1, NOW - 58), beats=0)
    here = {"instances": [instance(0)]}
    (site,) = sites(seen(first, second, **here))
    assert (site.incarnation.pid, site.twins) == (7, 1)
    assert finding(first, second, **here).verdict is Verdict.HEALTHY

    gone = but(first, last_seen_at=NOW - 90)
    assert sites(seen(gone, second, **here))[0].incarnation.pid == 8


def test_earlier_lives_of_a_place_are_left_out():
    """After a restart the old node name is no worker any more: its guid is known as a former one."""
    found = sites(
        seen(worker(0, life=1, silent=90), worker(0, life=2), instances=[instance(0, life=2)], lived=(lived(),))
    )

    assert [(one.place, one.incarnation.node) for one in found] == [(place(0), f"celery@{guid(0, 2)}")]


def test_an_earlier_life_is_left_out_while_nothing_runs():
    """Between two lives the place has no worker."""
    found = sites(
        seen(worker(silent=40), instances=[instance(state=InstanceState.STARTING, guid=None)], lived=(lived(),))
    )

    assert [one.incarnation for one in found] == [None]


def test_while_the_platform_does_not_answer_places_are_kept_by_what_was_seen_of_them():
    """The newest guid that a place had maps its worker; what the platform says of the instance is unknown."""
    past = (lived(life=1, ago=500), lived(life=2, ago=10))

    found = sites(seen(worker(life=1, silent=500), worker(life=2), platform=DOWN, lived=past))

    assert found == (Site(place(0), None, None, worker(life=2)),)


def test_what_never_was_on_the_platform_stays_unmapped_while_it_does_not_answer():
    """No guess is made about a node that no guid maps."""
    (site,) = sites(seen(worker(node="celery@elsewhere"), platform=DOWN))

    assert not site.place.mapped


def test_a_remembered_place_of_which_nothing_was_heard_is_no_place():
    """Without the platform's word and without an event there is nothing to judge."""
    assert sites(seen(platform=DOWN, lived=(lived(),))) == ()


def test_an_app_that_has_gone_from_sight_keeps_its_places():
    """The app may be gone, or we may have lost our role: its workers are not forgotten."""
    gone = Known((app(state=MISSING),), NOW)

    found = sites(seen(worker(0), platform=gone, lived=(lived(),)))

    assert [(one.place, one.instance) for one in found] == [(place(0), None)]


def test_an_app_that_is_watched_no_more_takes_its_places_along():
    """The guids of an app that is left out of the settings map nothing, and their workers are no strangers either."""
    assert sites(seen(worker(0), platform=Known((), NOW), lived=(lived(),))) == ()


def test_a_place_is_named_as_people_name_it():
    """The usual process types need no mention."""
    assert place(2).name == f"{APP}/2"
    assert Place(CLUSTER, PLATFORM, APP, "beat", 0).name == f"{APP}:beat/0"
    assert Place(CLUSTER).name == "the whole cluster"


def test_a_place_has_a_stable_id_of_its_own():
    """Ids are for addresses: the same place has the same one, another place another."""
    assert place(1).id == place(1).id
    assert len({place(0).id, place(1).id, place(1, node="a@b").id, Place("other", node="a@b").id}) == 4
