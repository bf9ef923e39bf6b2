"""A reader's queue, and how a broker that is away or ends the connection shows."""

import harness
from adapters.broker_talk import failing
from celeriac.core.errors import PortError

LIMIT = 2.0


QUEUE = "celeriac.events.orders.1f2e3d4c"


def refused(call, kind=PortError):
    """Return what a call says that fails within its time limit."""
    took, said = failing(call, kind)
    assert took < 3 * LIMIT
    return said


def lost(stream, within=10.0):
    """Receive until the connection is known to be lost, and return what was said."""

    def said():
        try:
            stream.receive(0.1)
        except PortError as error:
            return str(error)

    return harness.wait_until(said, within, "the connection is lost")


def ready(admin):
    """Return how many messages wait in our queue."""
    return admin.queue_declare(QUEUE, passive=True).message_count
