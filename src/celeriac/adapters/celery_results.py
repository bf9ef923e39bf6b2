"""Celery's result backend, of any kind that Celery itself can read: which tasks have ended. Nothing is written to it."""

import contextlib
import time
from collections.abc import Collection, Iterator
from typing import Any

from celery import Celery
from celery.exceptions import ImproperlyConfigured, SecurityError
from celery.states import READY_STATES
from kombu.exceptions import ContentDisallowed, DecodeError

from celeriac.adapters.redis_client import for_kombu
from celeriac.core.errors import RefusedError, UnreachableError
from celeriac.evidence_ports import Results

AT_MOST = 5000


class CeleryResults:
    """`Results` of one backend's URL as the workers have it; `timeout` (seconds) bounds an exchange, `within` a question."""

    def __init__(self, url: str, *, timeout: float = 3.0, within: float = 5.0) -> None:
        self._within = within
        backend, options = for_kombu(url)
        self._app = Celery("celeriac", backend=backend, set_as_current=False)
        self._app.conf.update(
            result_backend_transport_options={"socket_timeout": timeout, **options},
            result_backend_always_retry=False,
            result_backend_max_retries=0,
            redis_socket_timeout=timeout,
            redis_socket_connect_timeout=timeout,
            redis_socket_keepalive=True,
            redis_client_name="celeriac-results",
            redis_retry_on_timeout=False,
            database_create_tables_at_setup=False,
        )

    def ended(self, tasks: Collection[str]) -> frozenset[str]:
        """Return those of these tasks that have a result, a failure's too; of more than 5,000, and when time is over, some."""
        if not tasks:
            return frozenset()
        until = time.monotonic() + self._within
        states = {}
        with _errors():
            backend = self._backend()
            for task in list(tasks)[:AT_MOST]:
                if time.monotonic() > until:
                    break
                states[task] = _state(backend, task)
        found = frozenset(task for task, state in states.items() if state in READY_STATES)
        if not found and None in states.values():
            raise RefusedError("the result backend holds results that cannot be read: only those in JSON can")
        return found

    def _backend(self) -> Any:
        """Return the backend of this thread, which makes no tables and changes none."""
        backend = self._app.backend
        tables = getattr(backend, "session_manager", None)
        if tables is not None:
            tables.prepared = True  # else Celery creates its tables, and adds columns that it misses
        return backend


def _state(backend: Any, task: str) -> str | None:
    """Return the stored state; None where what is stored is not readable as a result of Celery's."""
    try:
        return str(backend.get_task_meta(task, cache=False)["status"])
    except (ContentDisallowed, DecodeError, SecurityError, ValueError, TypeError, KeyError):
        return None


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """Raise what goes wrong inside as the port's errors; a library's own text may hold the URL, so it is not told."""
    try:
        yield
    except (ImproperlyConfigured, ImportError, ValueError) as error:
        raise RefusedError(
            "the result backend cannot be used: check the setting result_backend, and that its library is installed"
        ) from error
    except Exception as error:
        raise UnreachableError(f"the result backend cannot be read: {type(error).__name__}") from error


def _fits(results: CeleryResults) -> Results:
    """Let the type checker prove that the class fits its port."""
    return results
