"""The event stream on a real RabbitMQ, and who publishes there."""

import pytest
from kombu import Connection, Producer

from adapters.amqp_events.inside import LIMIT, QUEUE
from adapters.forgetful_way import ForgetfulWay
from celeriac.adapters.amqp_client import connect
from celeriac.adapters.amqp_events import AmqpEvents


@pytest.fixture
def listen():
    """Open streams that are closed when the test ends; they connect at once unless told otherwise."""
    opened = []

    def listening(url, queue=QUEUE, *, at_once=True, **options):
        opened.append(AmqpEvents(url, queue, **{"timeout": LIMIT, **options}))
        if at_once:
            assert opened[-1].receive(0.01) == []
        return opened[-1]

    yield listening
    for one in opened:
        one.close()


@pytest.fixture
def stream(rabbitmq_vhost, listen):
    return listen(rabbitmq_vhost)


@pytest.fixture
def way(rabbitmq_server):
    """Lead to the server, until told to forget it."""
    one = ForgetfulWay(rabbitmq_server.port)
    yield one
    one.close()


@pytest.fixture
def admin(rabbitmq_vhost):
    """Give a channel of a connection of its own."""
    connection = connect(rabbitmq_vhost, timeout=10, name="test")
    yield connection.channel()
    connection.collect()


@pytest.fixture
def publish(rabbitmq_vhost):
    """Publish as Celery does, with any serializer, and return when all is in our queue."""
    with Connection(rabbitmq_vhost) as connection:
        channel = connection.channel()
        producer = Producer(channel)

        def published(*messages, **options):
            options = {"serializer": "json", "delivery_mode": 1, **options}
            for one in messages:
                producer.publish(one, exchange="celeryev", routing_key="worker.heartbeat", **options)
            channel.queue_declare(QUEUE, passive=True)  # answered after what came before on this channel

        yield published
