"""Answers that are not what the API documents: an error in the words of the ports, not a traceback.

Routers, proxies and captive portals answer 200 with a page of their own, so even a success is looked at.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import httpx2

from celeriac.core.errors import UnreachableError


def content(answer: httpx2.Response) -> Any:
    """Return an answer's JSON."""
    try:
        return answer.json()
    except ValueError as error:
        kind = answer.headers.get("Content-Type", "no content type")
        where = answer.request.url.host
        raise UnreachableError(
            f"{where} answered with {kind} where JSON is due; is a proxy or a login page in between?"
        ) from error


@contextlib.contextmanager
def understood(what: str) -> Iterator[None]:
    """Turn what goes wrong while an answer is taken apart into an error; also a decorator."""
    try:
        yield
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, httpx2.InvalidURL) as error:
        why = f"{type(error).__name__}: {error}"
        raise UnreachableError(f"Cloud Foundry's answer about {what} cannot be read ({why})") from error
