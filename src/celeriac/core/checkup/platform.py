"""Checks of a platform: our login and role, its clock, the watched apps, and which worker runs in which instance."""

from collections import defaultdict
from collections.abc import Iterator

from celeriac.core.apps import Rights
from celeriac.core.checkup.facts import ClusterFacts, Denied, PlatformFacts, had
from celeriac.core.checkup.lines import Line, Subject, listed, number
from celeriac.core.checkup.nodes import live_nodes
from celeriac.core.model import App, Instance, InstanceState
from celeriac.core.places import MISSING, host
from celeriac.core.readings import Known

START = "exec celery -A APP worker -n worker@$CF_INSTANCE_GUID"
HOST_IS_GUID = "the node name's part after the @ must be the instance's guid"
CLOCK_S = 30.0
YOUNG_S = 60.0
"""A worker takes some seconds to join after its instance runs."""


def login(platform: PlatformFacts, subject: Subject) -> Iterator[Line]:
    """Tell whether we get in, and what our account may do there."""
    found = platform.rights
    setting = f"username and password (or client_id and client_secret), org and space of [[platform]] {platform.name}"
    if not isinstance(found, Known):
        why = found.why if found else "this platform tells no rights"
        yield subject.untold("login", f"what our account may do in {platform.where}", why)
    elif isinstance(found.value, Denied):
        cost = "states and guids of instances are unknown: no worker is mapped, and nothing can be restarted"
        yield subject.fail("login", f"{platform.where} does not let us in: {found.value.why}", cost, setting)
    else:
        yield subject.ok("login", f"logged in as {found.value.account} at {platform.where}")
        yield _role(found.value, platform, subject)
        yield _env(found.value, subject)


def _role(rights: Rights, platform: PlatformFacts, subject: Subject) -> Line:
    role = rights.role or "unknown"
    lacking = "; ".join(rights.lacking) or None
    if rights.acts is None:
        return subject.untold("role", "whether our account may restart", f"its role is {role}", lacking)
    if rights.acts:
        return subject.ok("role", f"its role ({role}) may restart instances")
    cost = "a proven dead worker stays dead: no restart of ours, nor one that a person approves, is accepted"
    say = subject.fail if platform.acts else subject.warn  # in mode observe nothing is restarted anyway
    return say("role", f"its role ({role}) may not restart instances", cost, lacking)


def _env(rights: Rights, subject: Subject) -> Line:
    lacking = "; ".join(rights.lacking) or None
    if rights.reads_env is None:
        return subject.untold(
            "environment", "whether it may read the apps' variables", "the platform does not say", lacking
        )
    if rights.reads_env:
        return subject.ok("environment", "it may read the apps' variables")
    return subject.warn(
        "environment",
        "it may not read the apps' variables",
        "`celeriac env` shows none; healing needs them not",
        lacking,
    )


def clock(platform: PlatformFacts, subject: Subject) -> Iterator[Line]:
    """Tell whether the platform's clock agrees with ours."""
    check, found = "clock", had(platform.clock_ahead, "this platform tells none")
    if isinstance(found, Denied):
        yield subject.untold(check, "what its clock shows", found.why)
    elif abs(found) > CLOCK_S:
        way = "ahead of" if found > 0 else "behind"
        cost = "crashes and changes seem older or newer than they are, so restarts may be held, or proven, wrongly late"
        yield subject.warn(
            check, f"its clock is {abs(found):.0f} s {way} ours", cost, "chronyc makestep, or NTP on our machine"
        )
    else:
        yield subject.ok(check, f"its clock agrees with ours within {max(1.0, abs(found)):.0f} s")


def apps(cluster: ClusterFacts, subject: Subject) -> Iterator[Line]:
    """Tell whether each watched app is found."""
    check, found = "apps", cluster.watched
    if cluster.platform is None:
        yield subject.warn(
            check,
            "no platform is given",
            "a dead worker is told, and never restarted",
            f"a [[platform]] table, and platform and apps in [[cluster]] {cluster.name}",
        )
    elif not isinstance(found, Known):
        yield subject.untold(
            check, "whether the watched apps are there", found.why if found else "the platform was not asked"
        )
    elif isinstance(found.value, Denied):
        cost = "states and guids of instances are unknown: no worker is mapped, and nothing can be restarted"
        fix = f"the login, org and space of [[platform]] {cluster.platform}, and its address"
        yield subject.fail(check, f"{cluster.platform} does not show its apps: {found.value.why}", cost, fix)
    elif missing := {app.name for app in found.value if app.state == MISSING}:
        cost = "their workers are mapped to no instance, so none of them is ever restarted"
        fix = f"apps in [[cluster]] {cluster.name}: the names as `cf apps` lists them in the platform's org and space"
        yield subject.fail(check, f"{cluster.platform} shows no app {listed(missing)}", cost, fix)
    else:
        running = sum(one.state is InstanceState.RUNNING for app in found.value for one in app.instances)
        names = listed(app.name for app in found.value)
        yield subject.ok(check, f"{names}: {number(running, 'instance')} running")


def mapping(cluster: ClusterFacts, subject: Subject) -> Iterator[Line]:
    """Tell whether each node is mapped to exactly one instance, alone in its container, and each instance has one."""
    found = cluster.watched
    if cluster.platform is None or not isinstance(found, Known) or isinstance(found.value, Denied):
        return  # `apps` has said so
    nodes = live_nodes(cluster)
    if not nodes:
        yield subject.untold("nodes", "whether each worker is mapped to its instance", "no worker is there")
        return
    yield from _mapped(_by_instance(found.value, nodes), nodes, found.value, subject)


def _mapped(
    homes: dict[str, list[Instance]], nodes: frozenset[str], watched: tuple[App, ...], subject: Subject
) -> Iterator[Line]:
    unmapped = {node for node in nodes if not homes[node]}
    if unmapped:
        yield subject.fail(
            "nodes",
            f"{listed(unmapped)}: mapped to no instance of {listed(app.name for app in watched)}",
            "such a worker is never restarted: its death is told, and that is all",
            f"{START}  ({HOST_IS_GUID}); or add its app to `apps`",
        )
    else:
        yield subject.ok("nodes", f"{number(len(nodes), 'node')}, each mapped to one instance")
    yield _alone(homes, subject)
    yield _inhabited(homes, watched, subject)


def _alone(homes: dict[str, list[Instance]], subject: Subject) -> Line:
    together: dict[str, set[str]] = defaultdict(set)
    for node, there in homes.items():
        for one in there:
            together[_name(one)].add(node)
    shared = {place: both for place, both in together.items() if len(both) > 1}
    if not shared:
        return subject.ok("containers", "no container holds two nodes")
    said = "; ".join(f"{place}: {listed(both)}" for place, both in sorted(shared.items())[:5])
    cost = "a restart would stop the healthy one too, so a hung one there is told and not restarted"
    return subject.warn(
        "containers", f"several nodes share a container: {said}", cost, f"one worker an instance: {START}"
    )


def _inhabited(homes: dict[str, list[Instance]], watched: tuple[App, ...], subject: Subject) -> Line:
    lived = {_name(one) for there in homes.values() for one in there}
    running = [
        one
        for app in watched
        for one in app.instances
        if one.state is InstanceState.RUNNING and (one.uptime_s is None or one.uptime_s > YOUNG_S)
    ]
    empty = {_name(one) for one in running} - lived
    if not empty:
        return subject.ok("instances", "each running instance has a worker that speaks or answers")
    cost = "it is called hung (never joined) after heal.start_deadline, which is told and not restarted"
    fix = f"celery's log of that instance; its start command: {START}; or leave the app out of `apps`, if it runs no worker"
    return subject.warn("instances", f"no worker speaks from {listed(empty)}", cost, fix)


def _by_instance(watched: tuple[App, ...], nodes: frozenset[str]) -> dict[str, list[Instance]]:
    """Return the instances whose guid is the host part of each node's name."""
    by_guid: dict[str, list[Instance]] = defaultdict(list)
    for app in watched:
        for one in app.instances:
            if one.guid:
                by_guid[one.guid].append(one)
    return {node: by_guid.get(host(node), []) for node in nodes}


def _name(one: Instance) -> str:
    return one.place("").name
