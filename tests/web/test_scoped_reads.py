"""What somebody reads who has a role in some clusters or apps only: the checkup, and what was kept of a worker."""

import pytest

from celeriac.core.access import Grant, Role
from web.entering import Entrance
from web.samples import kept_of

EVIDENCE = "/api/v1/incidents/inc-hung/evidence"


@pytest.fixture
def entrance(world, tmp_path):
    return Entrance(world, tmp_path)


def subjects(client):
    return {one["subject"] for one in client.get("/api/v1/doctor").json()["items"]}


def test_who_sees_no_cluster_is_told_of_none_by_the_checkup(entrance, world):
    entrance.people.grants["eve"] = Grant(Role.VIEWER, ("no-such-cluster",))

    assert subjects(entrance.enter("eve")) == set()
    assert world.outside.asked == 0


def test_the_checkup_of_some_clusters_tells_of_platforms_that_they_name(entrance):
    """Neither does a role in each of them show a platform that none names."""
    entrance.people.grants["eve"] = Grant(Role.VIEWER, ("orders", "billing"))

    assert subjects(entrance.enter("bill")) == {"cluster billing", "store", "celeriac"}
    assert subjects(entrance.enter("eve")) == subjects(entrance.enter("ada")) - {"platform cf"}
    assert subjects(entrance.enter("ada")) >= {"cluster orders", "cluster billing", "platform cf"}


def test_log_lines_that_were_kept_are_for_whoever_may_see_the_log_of_that_app(entrance, world):
    world.kept.keep(kept_of("inc-hung"))

    assert entrance.enter("apollo").get(EVIDENCE).status_code == 403
    assert "may not see the records of an app" in world.audit.trail[-1].detail
    assert entrance.enter("vera").get(EVIDENCE).status_code == 200
    entrance.people.grants["apollo"] = Grant(Role.VIEWER, ("orders",), ("orders-worker",))
    assert entrance.enter("apollo").get(EVIDENCE).status_code == 200
