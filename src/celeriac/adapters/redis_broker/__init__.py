"""What Redis knows of a Celery cluster: its workers' connections, and its queues."""

from celeriac.adapters.redis_broker.broker import RedisBroker
from celeriac.adapters.redis_broker.trial import RedisTrial

__all__ = ["RedisBroker", "RedisTrial"]
