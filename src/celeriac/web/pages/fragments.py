"""The parts of a live page: each carries the digest of its own text.

The page sends back the digests that it has, and gets only what differs, so nothing on the screen is touched without need.
"""

import hashlib
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from fastapi import Query, Request
from fastapi.responses import Response

from celeriac.core.errors import UnreachableError
from celeriac.web.pages.templating import render, text_of

S = TypeVar("S")

Fragments = dict[str, dict[str, str]]
Have = Annotated[list[str], Query(default_factory=list)]


def made(request: Request, screen: S, reads: Mapping[str, Callable[[S], dict[str, Any]]]) -> Fragments:
    """Return a page's fragments by name; each is the template of that name over what its read gives."""
    texts = {name: _text(request, name, read, screen) for name, read in reads.items()}
    return {name: {"name": name, "text": text, "digest": _digest(name, text)} for name, text in texts.items()}


def changed(request: Request, fragments: Fragments, have: list[str]) -> Response:
    """Return those that differ from what the page has."""
    new = {name: each for name, each in fragments.items() if each["digest"] not in have}
    if not new:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return render(request, "fragments.html", {"fragments": new})


def _text(request: Request, name: str, read: Callable[[S], dict[str, Any]], screen: S) -> str:
    """Return a fragment's text; where it cannot be read, it says so itself, and leaves the others alone."""
    try:
        return text_of(request, f"partials/{name}.html", read(screen))
    except UnreachableError as error:
        return text_of(request, "partials/unread.html", {"name": name, "why": str(error)})


def _digest(name: str, text: str) -> str:
    return f"{name}-{hashlib.blake2b(text.encode(), digest_size=9).hexdigest()}"
