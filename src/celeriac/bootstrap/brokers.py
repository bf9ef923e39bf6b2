"""Which adapters speak to a cluster's broker, and to its result backend. Each process loads its own broker's library and no other."""

from typing import TYPE_CHECKING

from celeriac.evidence_ports import Results
from celeriac.ports import EventStream
from celeriac.settings import ClusterSettings

if TYPE_CHECKING:
    from celeriac.adapters.rabbitmq_broker import RabbitBroker, RabbitTrial
    from celeriac.adapters.redis_broker import RedisBroker, RedisTrial


def reader(cluster: ClusterSettings, identity: str) -> EventStream:
    """Return what reads this broker's events; `identity` tells our own queue from that of another Celeriac."""
    url = cluster.broker.get_secret_value()
    if cluster.broker_kind == "redis":
        from celeriac.adapters.redis_events import RedisEvents

        return RedisEvents(url, allow_pickle=cluster.accept_pickle)
    if cluster.broker_kind == "rabbitmq":
        from celeriac.adapters.amqp_events import AmqpEvents

        return AmqpEvents(url, f"{_queues(cluster)}{identity}", allow_pickle=cluster.accept_pickle)
    from celeriac.adapters.kombu_events import KombuEvents

    return KombuEvents(url, allow_pickle=cluster.accept_pickle)


def broker(cluster: ClusterSettings) -> "RedisBroker | RabbitBroker | None":
    """Return what asks this broker of its clients and queues; None if nothing can."""
    url = cluster.broker.get_secret_value()
    if cluster.broker_kind == "redis":
        from celeriac.adapters.redis_broker import RedisBroker

        return RedisBroker(url)
    if cluster.broker_kind == "rabbitmq":
        from celeriac.adapters.rabbitmq_broker import Management, RabbitBroker, requests_for

        given = cluster.management.get_secret_value() if cluster.management else None
        return RabbitBroker(url, management=Management(requests_for(given, url)) if given else None)
    return None


def trial(cluster: ClusterSettings) -> "RedisTrial | RabbitTrial | None":
    """Return what tries our rights on this broker; None if nothing can."""
    url = cluster.broker.get_secret_value()
    if cluster.broker_kind == "redis":
        from celeriac.adapters.redis_broker import RedisTrial

        return RedisTrial(url)
    if cluster.broker_kind == "rabbitmq":
        from celeriac.adapters.rabbitmq_broker import Management, RabbitTrial, requests_for

        given = cluster.management.get_secret_value() if cluster.management else None
        return RabbitTrial(url, _queues(cluster), management=Management(requests_for(given, url)) if given else None)
    return None


def _queues(cluster: ClusterSettings) -> str:
    """Return how the names of our own queues for this cluster's events begin."""
    return f"celeriac.events.{cluster.name}."


def results(cluster: ClusterSettings) -> Results | None:
    """Return what asks this cluster's result backend; None if the settings name none."""
    if cluster.result_backend is None:
        return None
    from celeriac.adapters.celery_results import CeleryResults

    return CeleryResults(cluster.result_backend.get_secret_value())
