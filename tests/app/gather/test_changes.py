"""When a look asks what people do to the apps, and how old an answer may be."""

from app.virtual import CALM, alive
from celeriac.core.errors import UnreachableError
from celeriac.core.model import Process
from celeriac.core.readings import Known, Unknown
from core.builders import APP, but, change, worker


def asked(cluster):
    return cluster.platform.asked.count("changes")


def test_a_calm_cluster_is_asked_about_once_a_minute(cluster, clock):
    """It costs next to nothing while nobody needs it."""
    for _ in range(45):
        seen = cluster.look(*[alive(clock, index) for index in range(4)])
    assert asked(cluster) == 2
    assert seen.changes == Known((), seen.changes.at)


def test_while_something_is_wrong_it_is_asked_as_often_as_the_platform_in_calm(cluster, clock):
    """Every ten seconds, though the platform itself is read every two."""
    cluster.looked(*[alive(clock, index) for index in range(4)])
    before = asked(cluster)
    for _ in range(20):
        cluster.look(worker(silent=20, now=clock() + 2))

    assert asked(cluster) - before in {3, 4}


def test_what_somebody_does_is_told(cluster, clock):
    """As the platform tells it."""
    theirs = change("restarted the app", ago=30, now=clock())
    cluster.platform.changed = (theirs,)

    assert cluster.looked(alive(clock)).changes.value == (theirs,)


def test_a_source_that_fails_is_unknown(cluster, clock):
    """Never an empty list; the next answer counts again."""
    real, cluster.platform.changes = cluster.platform.changes, refuse
    seen = cluster.looked(alive(clock))
    assert seen.changes == Unknown("429", seen.changes.at)

    cluster.platform.changes = real
    for _ in range(31):
        seen = cluster.look(alive(clock))
    assert isinstance(seen.changes, Known)


def refuse(_):
    raise UnreachableError("429")


def test_before_the_apps_are_read_nothing_is_known(cluster, clock):
    """The platform cannot be read at all."""
    cluster.platform.away = UnreachableError("no route")

    assert cluster.looked(alive(clock)).changes == Unknown("the platform was not asked yet")


def test_without_a_platform_there_is_nothing_to_ask(cluster, clock):
    """And nothing to restart."""
    gatherer = cluster.another(platform=None)
    cluster.observe(alive(clock))

    assert gatherer.look(CALM).changes is None
    gatherer.close()


def test_a_new_version_of_a_process_is_told(cluster, clock):
    """Whoever started the app anew: the version itself says so."""
    version = ["v1"]
    whole = cluster.platform.apps

    def versioned():
        return tuple(but(one, processes=(Process("worker", 4, version=version[0]),)) for one in whole())

    cluster.platform.apps = versioned
    cluster.looked(alive(clock))
    version[0] = "v2"
    for _ in range(6):
        seen = cluster.look(alive(clock))

    (one,) = seen.changes.value
    assert (one.app, one.what, one.own) == (APP, "started process worker in a new version", True)
