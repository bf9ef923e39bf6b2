"""The port that an instance is told to listen on."""

import socket

ADDRESS = "127.0.0.1"


def free_port(last: int) -> int:
    """Return `last`, the port of the life before (0: there was none), if it is free, else another that is.

    Nothing holds it until the process listens. Where somebody else was quicker, the process ends, and is told another.
    """
    for wanted in (last, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what the last life left open does not count
            try:
                probe.bind((ADDRESS, wanted))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    msg = "no port is free"
    raise OSError(msg)
