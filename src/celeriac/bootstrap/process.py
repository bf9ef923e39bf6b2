"""What every process of Celeriac sets up: its clock, its log, and how it is told to stop."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO, cast

import structlog

from celeriac.processes import ending_signals

ANCHOR = "CELERIAC_CLOCK_ANCHOR"


def boot_seconds() -> float:
    """Return seconds on a clock that never jumps and goes on while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def share_clock() -> None:
    """Let the processes that this one starts count from the same moment, whatever happens to the wall clock between."""
    os.environ[ANCHOR] = repr(time.time() - boot_seconds())


def steady_clock() -> Callable[[], float]:
    """Return a clock in seconds since the epoch that never jumps: the wall clock once, moved on by the machine's own."""
    anchor = float(os.environ.get(ANCHOR) or time.time() - boot_seconds())
    return lambda: anchor + boot_seconds()


def configure_logging(role: str) -> None:
    """Log one line an event on standard error, with the role's name."""
    structlog.configure(
        processors=[
            lambda _, __, event: {"role": role, **event},
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.KeyValueRenderer(key_order=["at", "level", "role", "cluster", "event"]),
        ],
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _StandardError())),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


class _StandardError:
    """Where the log goes: what cannot be written, as the terminal is gone, is lost, and ends nobody's work."""

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.flush()


def until_signalled() -> threading.Event:
    """Return an event that SIGTERM, SIGINT and the end of the terminal set."""
    stopping = threading.Event()
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    # Not set by a handler: that runs within the main thread, which may just then hold the event's own lock.
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for signum in ending_signals():
        signal.signal(signum, lambda *_: None)

    def wait() -> None:
        os.read(woken, 1)
        stopping.set()

    threading.Thread(target=wait, name="signals", daemon=True).start()
    return stopping
