"""Requests to one foundation: discovery, token, time limits, repeated reads, and errors in the words of the ports.

Reads are repeated on the answers that a router or a busy API gives; orders (POST, DELETE) never, since whether they took
effect is not known. While the API asks us to wait (429, Retry-After) nothing is sent at all.
"""

import json
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2

from celeriac.adapters.cloudfoundry.answers import content, understood
from celeriac.adapters.cloudfoundry.login import Credentials, Login
from celeriac.core.errors import MissingError, PortError, RefusedError, UnreachableError
from celeriac.processes import backoff

READS = 3
PAGES = 1000
BUSY = frozenset({500, 502, 503, 504})


class Session:
    """A logged-in connection to one foundation; safe to use from several threads."""

    def __init__(
        self,
        api: str,
        credentials: Credentials,
        *,
        timeout: float = 10.0,
        ca_file: Path | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        verify = ssl.create_default_context(cafile=str(ca_file)) if ca_file else True
        limits = httpx2.Timeout(timeout, connect=min(5.0, timeout))
        self._http = httpx2.Client(timeout=limits, verify=verify, follow_redirects=False)
        self._login = Login(self._http, credentials, monotonic, self._note_wait)
        self._api = api.rstrip("/")
        self._links: dict[str, Any] | None = None
        self._quiet_until = 0.0
        self._timeout, self._monotonic, self._sleep = timeout, monotonic, sleep

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def log_in(self) -> None:
        """Get a token; raises RefusedError if the foundation refuses these credentials."""
        self._login.token(self.link("login"))

    @property
    def own_guid(self) -> str | None:
        """The guid that audit events name us by, as the last token has it; None where it has none."""
        return self._login.own_guid

    def get(self, path: str, **params: Any) -> Any:
        """Return the JSON answer of a read; repeated a few times while the foundation is busy, but not when it is silent."""
        until = self._monotonic() + self._timeout
        for attempt in range(1, READS + 1):
            try:
                return content(self._call("GET", self._api + path, params))
            except UnreachableError:
                now = self._monotonic()
                if attempt == READS or now >= until or now < self._quiet_until:
                    raise
                self._sleep(backoff(attempt, first=0.2, cap=1.0))
        raise AssertionError(path)

    def order(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        """Send an order, once; a success that does not come from the API is unclear."""
        answer = self._call(method, self._api + path, None, body)
        if answer.content:
            content(answer)
        return answer

    def pages(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Yield the resources of a list over all its pages, following `next` verbatim."""
        page = self.get(path, **params)
        for _ in range(PAGES):
            with understood(path):
                resources = list(page["resources"])
                following = (page.get("pagination") or {}).get("next")
                path = self._own_path(following["href"]) if following else ""
            yield from resources
            if not path:
                return
            page = self.get(path)
        raise UnreachableError(f"a list of the foundation goes on after {PAGES} pages")

    def link(self, name: str) -> str:
        """Return the address of another part of the foundation (`login`, `log_cache`), as the API's root names it."""
        if self._links is None:
            answer = self._send("GET", self._api + "/", None, None, {})
            found = content(self._judged(answer))
            with understood("its links"):
                self._links = dict(found["links"])
        with understood("its links"):
            href = (self._links.get(name) or {}).get("href")
        if not href:
            raise MissingError(f"the foundation at {self._api} names no {name}")
        return str(href).rstrip("/")

    def get_from(self, base: str, path: str, **params: Any) -> Any:
        """Return the JSON answer of a read from another part of the foundation."""
        return content(self._call("GET", base + path, params))

    def _call(self, method: str, url: str, params: Any, body: Any = None) -> httpx2.Response:
        self._keep_quiet()
        uaa = self.link("login")
        token = self._login.token(uaa)
        answer = self._authorized(method, url, params, body, token)
        if answer.status_code == 401:
            answer = self._authorized(method, url, params, body, self._login.token(uaa, not_this=token))
        return self._judged(answer)

    def _authorized(self, method: str, url: str, params: Any, body: Any, token: str) -> httpx2.Response:
        return self._send(method, url, params, body, {"Authorization": f"bearer {token}"})

    def _send(self, method: str, url: str, params: Any, body: Any, headers: dict[str, str]) -> httpx2.Response:
        self._keep_quiet()
        try:
            return self._http.request(method, url, params=params or None, json=body, headers=headers)
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise UnreachableError(f"{url.partition('?')[0]}: {str(error) or type(error).__name__}") from error

    def _keep_quiet(self) -> None:
        wait = self._quiet_until - self._monotonic()
        if wait > 0:
            raise UnreachableError(f"the foundation asked to wait; {wait:.0f} s are left")

    def _judged(self, answer: httpx2.Response) -> httpx2.Response:
        if answer.is_success:
            return answer
        if answer.status_code == 429:
            self._note_wait(answer)
        raise _error(answer)

    def _note_wait(self, answer: httpx2.Response) -> None:
        self._quiet_until = self._monotonic() + _retry_after(answer)

    def _own_path(self, href: str) -> str:
        """Return a link's path; a link to another host is refused, since the token would go there."""
        here, there = httpx2.URL(self._api), httpx2.URL(href)
        if there.netloc != here.netloc:
            raise RefusedError(f"the foundation's next page is on another host: {there.netloc.decode()}")
        return there.raw_path.decode().removeprefix(here.raw_path.decode().rstrip("/"))


def _retry_after(answer: httpx2.Response) -> float:
    try:
        return min(300.0, max(1.0, float(answer.headers.get("Retry-After", "30"))))
    except ValueError:
        return 30.0


def _error(answer: httpx2.Response) -> PortError:
    request_id = answer.headers.get("X-Vcap-Request-Id")
    text = f"{_detail(answer)} ({answer.status_code}" + (f", request {request_id})" if request_id else ")")
    if answer.status_code == 404:
        return MissingError(text)
    if answer.status_code == 429 or answer.status_code in BUSY:
        return UnreachableError(text)
    return RefusedError(text)


def _detail(answer: httpx2.Response) -> str:
    """Return the details of a v3 error; routers answer in HTML or plain text, which says nothing to people."""
    try:
        errors = json.loads(answer.text)["errors"]
        details = "; ".join(str(error["detail"]) for error in errors)
    except (ValueError, KeyError, TypeError):
        details = ""
    return details or f"Cloud Foundry answered {answer.reason_phrase or 'an error'}"
