"""Celery's events from RabbitMQ: py-amqp connects and declares, then our own reader takes the socket over.

Our queue outlives us: what is published while nobody listens waits there, up to its bounds, and what is delivered is kept
until it is settled. So a restart or an outage of ours loses nothing (Celery's own event queue forgets after 5 s).
"""

from celeriac.adapters.amqp_events.stream import AmqpEvents

__all__ = ["AmqpEvents"]
