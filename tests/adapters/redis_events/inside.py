"""What a reader holds while it is open: a thread, its connections, and what waits in its memory."""

import threading

import harness

LIMIT = 0.5


def drains():
    return [one for one in threading.enumerate() if one.name == "redis-drain"]


def waiting(stream, least=1):
    """Wait until so many bytes are in memory and not handed over."""
    harness.wait_until(lambda: stream.condition().backlog_bytes >= least, 10, "something waits", dump=stream.condition)


def mine(look):
    return [one for one in look.client_list() if one["name"] == "celeriac-observer"]


def subscriber(look):
    (found,) = [one for one in mine(look) if "P" in one["flags"]]
    return found
