"""What RabbitMQ knows of a Celery cluster: its workers' connections and its queues, over AMQP and the management API."""

from celeriac.adapters.rabbitmq_broker.broker import RabbitBroker
from celeriac.adapters.rabbitmq_broker.management import Management
from celeriac.adapters.rabbitmq_broker.requests import Requests, requests_for

__all__ = ["Management", "RabbitBroker", "Requests", "requests_for"]
