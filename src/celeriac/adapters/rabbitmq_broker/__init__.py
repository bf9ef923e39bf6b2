"""What RabbitMQ knows of a Celery cluster: its workers' connections and its queues, over AMQP and the management API."""

from celeriac.adapters.rabbitmq_broker.broker import RabbitBroker
from celeriac.adapters.rabbitmq_broker.management import Management
from celeriac.adapters.rabbitmq_broker.requests import Requests, requests_for
from celeriac.adapters.rabbitmq_broker.trial import RabbitTrial

__all__ = ["Management", "RabbitBroker", "RabbitTrial", "Requests", "requests_for"]
