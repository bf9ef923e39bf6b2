"""Where a platform is asked when a person asks: by few at once and within a time limit.

So one that hangs holds up neither a page of another nor the console, and is not asked without end by a page that comes again.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from celeriac.app.asking import SOURCE_LIMIT_S, why_not
from celeriac.core.errors import PortError, UnreachableError
from celeriac.core.model import App
from celeriac.platform_ports import AppRecords

T = TypeVar("T")

ASKED_AT_ONCE = 4
ASKED_AT_MOST = 8
"""Questions to one platform that are under way or wait; a person who asks more is told so at once."""


class InquiryDesk:
    """Where one platform is asked of its apps; all that people ask of it goes through one."""

    def __init__(self, records: AppRecords) -> None:
        self.records = records
        self._pool = ThreadPoolExecutor(max_workers=ASKED_AT_ONCE, thread_name_prefix="ask-platform")
        self._room = threading.BoundedSemaphore(ASKED_AT_MOST)

    def ask(self, app: App, question: Callable[[AppRecords], T]) -> T:
        """Return the answer; raises the platform's own error, and UnreachableError where it takes too long."""
        if not self._room.acquire(blocking=False):
            raise of_platform(app, UnreachableError("more is asked of it than it answers; try again"))
        future = self._pool.submit(question, self.records)
        try:
            if wait([future], timeout=SOURCE_LIMIT_S).not_done:
                future.cancel()
                raise of_platform(app, UnreachableError(f"no answer within {SOURCE_LIMIT_S:.0f} s"))
            return future.result()
        except PortError as error:
            raise of_platform(app, error) from error
        except Exception as error:
            raise of_platform(app, UnreachableError(why_not(error))) from error
        finally:
            self._room.release()


def of_platform(app: App, error: PortError) -> PortError:
    """Return the same error, with the name of the platform whose word it is."""
    name = f"The platform {app.platform}"
    if str(error).startswith(name):
        return error
    kind = type(error)
    named = kind.__new__(kind, f"{name}: {error}")  # not by its constructor, which may want more than a text
    named.__dict__.update(error.__dict__)
    return named
