"""Checks of a broker: is it there, does it let us do what we ask of it, and can it tell the workers apart."""

from collections.abc import Iterator

from celeriac.core.checkup.facts import Access, ClusterFacts, Denied, Purpose, had
from celeriac.core.checkup.lines import Line, Subject, listed, number
from celeriac.core.checkup.nodes import live_nodes
from celeriac.core.readings import Known

PURPOSES = {
    Purpose.EVENTS: (
        "events can be heard, and our echo sent",
        "the cluster is blind: nothing is seen of it, and nothing is restarted",
    ),
    Purpose.CONTROL: (
        "workers can be pinged and asked",
        "a ping proves nothing, so no hung worker is convicted; pools stay unknown, and nothing is mended live",
    ),
    Purpose.CLIENTS: (
        "the broker tells whose connections it has",
        "there is no second proof beside silence, so no hung worker is convicted",
    ),
    Purpose.QUEUES: (
        "queues and what waits in them can be read",
        "lengths and ages of queues are unknown, and no deaf worker is found",
    ),
    Purpose.MESSAGES: (
        "messages can be looked for",
        "of the tasks of a dead worker it is not known which are lost",
    ),
}
"""What each purpose gives, and what it costs to have it not."""

NOT_ASKED = "the broker was not asked"
NO_PROOF = "a silent worker is restarted by approval only, or is blind where counting does not tell"
SLOW_HEARTBEAT_S = 15.0
"""RabbitMQ ends a frozen worker's connection after two heartbeats, and 30 s of silence is what convicts at the least."""


def reach(cluster: ClusterFacts, subject: Subject) -> Iterator[Line]:
    """Tell whether the broker answers us at all."""
    found = cluster.access
    check = "broker"
    if found is None:
        yield subject.untold(check, "what this broker lets us do", "a broker of this kind shows no rights")
    elif not isinstance(found, Known):
        yield subject.untold(check, "whether the broker answers", found.why)
    elif isinstance(found.value, Denied):
        yield subject.fail(
            check,
            f"the broker does not let us in: {found.value.why}",
            PURPOSES[Purpose.EVENTS][1],
            f"the setting `broker` of [[cluster]] {cluster.name}: its address, user and password; or start the broker",
        )
    else:
        yield subject.ok(check, f"the broker ({cluster.broker}) answers, and our login is good")


def rights(cluster: ClusterFacts, subject: Subject) -> Iterator[Line]:
    """Tell, purpose by purpose, which right is missing."""
    if isinstance(cluster.access, Known) and not isinstance(cluster.access.value, Denied):
        for one in cluster.access.value:
            yield _right(one, subject)


def _right(one: Access, subject: Subject) -> Line:
    check = f"broker-{one.purpose}"
    gives, cost = PURPOSES[one.purpose]
    if one.refused:
        text = f"our account lacks {listed(one.refused, most=8)}"
        # What is lost without the last is a list of fates; all others are parts of a verdict.
        say = subject.warn if one.purpose is Purpose.MESSAGES else subject.fail
        return say(check, text, cost, one.fix)
    if one.unsure:
        return subject.untold(check, f"whether {gives}", one.unsure, one.fix)
    return subject.ok(check, f"{gives} ({listed(one.tried)})")


def management(cluster: ClusterFacts, subject: Subject) -> Iterator[Line]:
    """Tell whether RabbitMQ's management API can be read."""
    if cluster.broker != "rabbitmq":
        return
    check = "management"
    cost = "unacknowledged messages are unknown, and a worker that holds messages and begins none is never called deaf"
    setting = f'management = "http://user:password@host:15672" in [[cluster]] {cluster.name}'
    found = had(cluster.clients, NOT_ASKED)
    if not cluster.management:
        yield subject.warn(check, "the management API is not given", cost, setting)
    elif isinstance(found, Denied):
        yield subject.untold(check, "whether the management API answers", found.why)
    elif found.unread:
        mends = f"{setting}; rabbitmqctl set_user_tags USER monitoring, for a user that the virtual host is open to"
        yield subject.fail(check, found.unread, cost, mends)
    else:
        yield subject.ok(check, "the management API answers")


def names(cluster: ClusterFacts, subject: Subject) -> Iterator[Line]:
    """Tell whether the connections on Redis carry the names of their workers."""
    if cluster.broker != "redis":
        return
    check, nodes = "client-names", live_nodes(cluster)
    found, what = had(cluster.clients, NOT_ASKED), "whether connections carry the names of their workers"
    if isinstance(found, Denied):
        yield subject.untold(check, what, found.why)
    elif not nodes:
        yield subject.untold(check, what, "no worker is there")
    elif nameless := nodes - found.by_node.keys():
        yield subject.warn(
            check,
            f"the connections of {listed(nameless)} carry no name",
            NO_PROOF,
            'kombu 5.7 or newer, and broker_transport_options = {"client_name": <the node name>} in the workers\' settings',
        )
    else:
        yield subject.ok(check, f"the connections of {number(len(nodes), 'worker')} carry their names")


def heartbeats(cluster: ClusterFacts, subject: Subject) -> Iterator[Line]:
    """Tell how soon RabbitMQ gives up the connection of a worker that stands still."""
    if cluster.broker != "rabbitmq":
        return
    check, found = "broker-heartbeat", had(cluster.heartbeats, NOT_ASKED)
    what = "how soon RabbitMQ notices a frozen worker"
    setting = "broker_heartbeat = 10 in the settings of prefork workers"
    if isinstance(found, Denied):
        yield subject.untold(check, what, found.why)
    elif found is None:
        yield subject.untold(check, what, "only the management API tells (the setting `management`)", setting)
    elif not found:
        yield subject.untold(check, what, "no worker is connected, or its connection is not listed yet")
    elif slow := {node: each for node, each in found.items() if not 0 < each <= SLOW_HEARTBEAT_S}:
        worst = max(slow.values()) if all(slow.values()) else 0.0
        cost = (
            f"a hung worker is blind for up to {2 * worst:.0f} s before it is convicted"
            if worst
            else "a hung worker is convicted after 10 minutes, by approval, as its connection never ends"
        )
        said = ", ".join(sorted({f"{each:g} s" if each else "none" for each in slow.values()}))
        yield subject.warn(check, f"AMQP heartbeats of {listed(slow)}: {said}", cost, setting)
    else:
        most = max(found.values())
        yield subject.ok(
            check, f"RabbitMQ notices a frozen worker within {2 * most:.0f} s (AMQP heartbeats of {most:g} s)"
        )
