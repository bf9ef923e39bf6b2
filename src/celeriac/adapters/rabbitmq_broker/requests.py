"""Reads from RabbitMQ's management API: time limit, size limit, rests after failures, and errors in the words of the ports."""

import json
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote, unquote, urlsplit

import httpx2
import msgspec
from kombu.utils.url import parse_url

from celeriac.core.errors import MissingError, PortError, RefusedError, UnreachableError
from celeriac.processes import backoff

T = TypeVar("T")

_SHAPES = threading.Lock()
"""msgspec learns a type when it first decodes one; a second thread that decodes one meanwhile ends the process."""

MOST_BYTES = 8_000_000
"""A longer answer is not read to its end: some 40,000 consumers."""

FIRST_REST_S = 5.0
LONGEST_REST_S = 60.0
API = "RabbitMQ's management API"
TAGS = "its user needs the tag `monitoring`, or `management` if it is the workers' own"


def requests_for(management: str, broker: str, *, timeout: float = 2.0) -> "Requests":
    """Return reads of one virtual host: that of the broker's URL, as its user unless the management URL names one.

    With `https://` the certificate is checked, by the file that the broker's URL names as `ssl_ca_certs` if it names one.
    """
    parts, its = urlsplit(management), parse_url(broker)
    ca_file = (its.get("ssl") or {}).get("ssl_ca_certs")
    user = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    return Requests(
        f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}",
        user or (its["userid"] or "guest", its["password"] or "guest"),
        its["virtual_host"] or "/",
        ca_file=ca_file if parts.scheme == "https" else None,
        timeout=timeout,
    )


class Requests:
    """Reads of one virtual host; `timeout` (seconds) bounds each from its beginning to the last byte.

    After a failure nothing is asked for some seconds, longer with each further one, and the same error is raised.
    """

    def __init__(
        self,
        address: str,
        user: tuple[str, str],
        vhost: str,
        *,
        ca_file: str | None = None,
        timeout: float = 2.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        verify = ssl.create_default_context(cafile=ca_file) if ca_file else True
        self._http = httpx2.Client(
            auth=user, timeout=timeout, verify=verify, follow_redirects=False, headers={"Accept": "application/json"}
        )
        self._address, self._vhost = address, quote(vhost, safe="")
        self._timeout, self._monotonic = timeout, monotonic
        self._failures, self._rests_until = 0, 0.0
        self._last_error: PortError | None = None

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, kind: type[T], **params: Any) -> T:
        """Return an answer in its type; `VHOST` in the path stands for the virtual host."""
        if self._last_error and self._monotonic() < self._rests_until:
            raise type(self._last_error)(str(self._last_error))
        try:
            answer = self._read(path.replace("VHOST", self._vhost), kind, params)
        except PortError as error:
            self._failures += 1
            self._last_error = error
            self._rests_until = self._monotonic() + backoff(self._failures, first=FIRST_REST_S, cap=LONGEST_REST_S)
            raise
        self._failures, self._last_error = 0, None
        return answer

    def _read(self, path: str, kind: type[T], params: dict[str, Any]) -> T:
        until = self._monotonic() + self._timeout
        try:
            with self._http.stream("GET", f"{self._address}{path}", params=params) as answer:
                body = self._body(answer, until)
        except httpx2.TimeoutException as error:
            raise UnreachableError(f"{API} does not answer within {self._timeout:g} s") from error
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise UnreachableError(f"{API}: {str(error) or type(error).__name__}") from error
        if answer.status_code != 200:
            raise _error(answer.status_code, body)
        try:
            with _SHAPES:
                return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            why = "is there another program at its address, or a proxy in between?"
            raise UnreachableError(f"the answer of {API} cannot be read; {why}") from error

    def _body(self, answer: httpx2.Response, until: float) -> bytes:
        body = bytearray()
        for part in answer.iter_bytes():
            body += part
            if len(body) > MOST_BYTES:
                raise UnreachableError(f"{API} answers with more than {MOST_BYTES // 1_000_000} MB")
            if self._monotonic() > until:
                raise UnreachableError(f"{API} does not answer within {self._timeout:g} s")
        return bytes(body)


def _error(status: int, body: bytes) -> PortError:
    said = f"{_reason(body)} ({status})"
    if status in {401, 403}:
        return RefusedError(f"{API} refuses: {said}; the virtual host must be open to its user, and {TAGS}")
    if status == 404:
        return MissingError(f"{API} knows no such virtual host, or is not at this address: {said}")
    if status >= 500 or status == 429:
        return UnreachableError(f"{API} fails: {said}")
    return RefusedError(f"{API} gives no answer: {said}")


def _reason(body: bytes) -> str:
    """Return the reason that RabbitMQ gives; a proxy's page says nothing to people."""
    try:
        reason = json.loads(body)["reason"]
    except (ValueError, KeyError, TypeError):
        return "no reason given"
    return str(reason)[:200]
