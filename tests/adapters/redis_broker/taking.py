"""Taking messages without acknowledging them, as a worker does."""

import contextlib

from kombu import Connection, Consumer


@contextlib.contextmanager
def taken(url, number, *queues):
    """Take so many messages from these queues, and acknowledge none while the block runs."""
    messages = []
    with Connection(url) as connection, connection.channel() as channel:
        consumer = Consumer(channel, queues, on_message=messages.append, auto_declare=True)
        with consumer:
            while len(messages) < number:
                connection.drain_events(timeout=5)
            yield messages
