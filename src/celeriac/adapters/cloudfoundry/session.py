"""Requests to one foundation: discovery, token, time limits, repeated reads, and errors in the words of the ports.

Reads are repeated on the answers that a router or a busy API gives; orders (POST, DELETE) never, since whether they took
effect is not known. While the API or UAA asks us to wait (429, Retry-After) nothing is sent at all. What goes to the API counts
in the budget; its root and the other parts of the foundation do not, as no limit of Cloud Foundry's counts them.
"""

import ssl
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx2

from celeriac.adapters.cloudfoundry.answers import content, understood
from celeriac.adapters.cloudfoundry.budget import Budget
from celeriac.adapters.cloudfoundry.failures import error_of, no_answer, of_router
from celeriac.adapters.cloudfoundry.login import Credentials, Login
from celeriac.adapters.cloudfoundry.wire import Wire
from celeriac.core.errors import MissingError, RefusedError, SparedError, UnreachableError
from celeriac.processes import backoff

READS = 3
PAGES = 1000


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
        self._wire = Wire(timeout, verify)
        self._login = Login(self._wire, credentials, monotonic, self._note_wait)
        self._setting, self.is_client = credentials.setting, credentials.client_id is not None
        self._credentials = credentials
        self.budget = Budget(30, monotonic)
        self._api = api.rstrip("/")
        self._version: tuple[int, ...] = ()
        self._links: dict[str, Any] | None = None
        self._quiet_until = 0.0
        self._timeout, self.monotonic, self._sleep = timeout, monotonic, sleep

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()

    def log_in(self) -> None:
        """Get a token; raises RefusedError if the foundation refuses these credentials."""
        self._login.token(self.link("login"))

    @property
    def own_guid(self) -> str | None:
        """The guid that audit events name us by, as the last token has it; None where it has none."""
        return self._login.own_guid

    @property
    def account(self) -> str:
        """Who we are, as `cf set-space-role` wants it."""
        one = self._credentials
        return self._login.account or one.client_id or one.username or "OUR-ACCOUNT"

    def scopes(self) -> frozenset[str]:
        """Return what the token is good for."""
        self.log_in()
        return self._login.scopes

    def version(self) -> tuple[int, ...]:
        """Return the API's version, as its root tells it; empty if it tells none."""
        self.link("self")
        return self._version

    def clock_ahead(self, now: Callable[[], float] = time.time) -> float:
        """Return by how many seconds the foundation's clock is ahead of ours, by the Date header: to a second or so."""
        before = now()
        answer = self._send("GET", self._api + "/", None, None, {})
        with understood("the time"):
            told = parsedate_to_datetime(answer.headers["Date"]).timestamp() + 0.5  # it tells whole seconds
        return told - (before + now()) / 2

    def get(self, path: str, **params: Any) -> Any:
        """Return the JSON answer of a read; repeated a few times while the foundation is busy, but not when it is silent."""
        until = self.monotonic() + self._timeout
        for attempt in range(1, READS + 1):
            try:
                return content(self._judged(self._call("GET", self._api + path, params)))
            except UnreachableError:
                now = self.monotonic()
                if attempt == READS or now >= until or now < self._quiet_until:
                    raise
                self._sleep(backoff(attempt, first=0.2, cap=1.0))
        raise AssertionError(path)

    def order(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        """Send an order, once; a success that does not come from the API is unclear."""
        answer = self._judged(self._call(method, self._api + path, None, body))
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
            self._links = self._discover()
        with understood("its links"):
            href = (self._links.get(name) or {}).get("href")
        if not href:
            raise MissingError(f"the foundation at {self._api} names no {name}")
        return str(href).rstrip("/")

    def _discover(self) -> dict[str, Any]:
        """Read the API's root; a success with other content is no Cloud Foundry, a refusal may be an outage."""
        check = f"check {self._setting}.api, which is what `cf api` shows"
        answer = self._send("GET", self._api + "/", None, None, {})
        if answer.status_code in {401, 403, 404}:  # the API's root is open to all
            why = error_of(answer) if of_router(answer) else answer.status_code
            raise UnreachableError(
                f"no Cloud Foundry API answers at {self._api} ({why}): it is down, or elsewhere; {check}"
            )
        found = content(self._judged(answer))
        if not isinstance(found, dict) or not isinstance(found.get("links"), dict):
            raise MissingError(f"what answers at {self._api} is no Cloud Foundry API; {check}")
        with understood("its links"):
            links = dict(found["links"])
            told = ((links.get("cloud_controller_v3") or {}).get("meta") or {}).get("version") or ""
            self._version = tuple(int(one) for one in str(told).split(".") if one.isdecimal())
        return links

    def get_from(self, base: str, path: str, **params: Any) -> Any:
        """Return the JSON answer of a read from another part of the foundation; its 429 says nothing of the API's limit."""
        answer = self._call("GET", base + path, params)
        if not answer.is_success:
            raise error_of(answer, v3=False)
        return content(answer)

    def _call(self, method: str, url: str, params: Any, body: Any = None) -> httpx2.Response:
        self._keep_quiet()
        uaa = self.link("login")
        token = self._login.token(uaa)
        answer = self._authorized(method, url, params, body, token)
        if answer.status_code == 401:
            answer = self._authorized(method, url, params, body, self._login.token(uaa, not_this=token))
        return answer

    def _authorized(self, method: str, url: str, params: Any, body: Any, token: str) -> httpx2.Response:
        return self._send(method, url, params, body, {"Authorization": f"bearer {token}"})

    def _send(self, method: str, url: str, params: Any, body: Any, headers: dict[str, str]) -> httpx2.Response:
        self._keep_quiet()
        counts = url.startswith(f"{self._api}/v3/")
        if counts:
            self.budget.count()
        try:
            answer = self._wire.send(method, url, params=params or None, json=body, headers=headers)
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise no_answer(url.partition("?")[0], error, f"{self._setting}.ca_file") from error
        if counts:
            self.budget.heed(answer.headers, time.time())
        return answer

    def _keep_quiet(self) -> None:
        wait = self._quiet_until - self.monotonic()
        if wait > 0:
            raise SparedError(f"the foundation asked to wait; {wait:.0f} s are left", after_s=wait)

    def _judged(self, answer: httpx2.Response) -> httpx2.Response:
        if answer.is_success:
            return answer
        if answer.status_code == 429:
            self._note_wait(answer)
        raise error_of(answer)

    def _note_wait(self, answer: httpx2.Response) -> None:
        self._quiet_until = self.monotonic() + _retry_after(answer)

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
