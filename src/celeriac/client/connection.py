"""The connection to a console: one request, one answer of a known type, one error for all that can go wrong."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Generic, NamedTuple, Self, TypeAlias, TypeVar
from urllib.parse import urlencode

import httpx2
import msgspec
from msgspec import Struct

T = TypeVar("T")
DEFAULT_URL = "http://127.0.0.1:5555"
SILENCE_S = 40.0
"""A stream says something each 15 s; one that is silent for so long is cut off."""

Time: TypeAlias = datetime | float
"""A time with its zone, or seconds since the epoch."""


class ClientError(Exception):
    """The console refused, or could not be reached; `status` is None where it did not answer."""

    def __init__(self, detail: str, title: str = "", status: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.title = title
        self.status = status


class Items(Struct, Generic[T], frozen=True):
    """A list as the API gives it."""

    items: list[T]


class _Problem(Struct, frozen=True):
    detail: str
    title: str = ""


_problem = msgspec.json.Decoder(_Problem).decode
_SHAPES = Lock()
"""msgspec learns a type when it first decodes one, and a second thread that decodes one meanwhile ends the process."""


class Event(NamedTuple):
    """One event of a stream, its data still as JSON."""

    name: str
    data: bytes


class Connection:
    """A connection to one console; use it as a context manager, or call `close`."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        token: str | None = None,
        timeout: float = 10.0,
        ca_file: str | Path | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        trusted = _trusted(ca_file) if ca_file else True
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            self._http = httpx2.Client(base_url=f"{self._url}/api/v1", headers=headers, timeout=timeout, verify=trusted)
        except (httpx2.InvalidURL, ValueError) as error:
            msg = f"{url!r} is not an address of a console ({error}). An address looks like {DEFAULT_URL}."
            raise ClientError(msg) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connection."""
        self._http.close()

    def _get(self, path: str, answer: type[T], **params: Any) -> T:
        given = {name: _told(value) for name, value in params.items() if value is not None}
        return self._ask("GET", path, answer, given)

    def _post(self, path: str, answer: type[T], **body: Any) -> T:
        return self._ask("POST", path, answer, {}, body)

    def _put(self, path: str, answer: type[T], **body: Any) -> T:
        return self._ask("PUT", path, answer, {}, body)

    def _delete(self, path: str) -> None:
        self._answered("DELETE", path, {})

    def _ask(
        self, method: str, path: str, answer: type[T], params: dict[str, Any], body: dict[str, Any] | None = None
    ) -> T:
        response = self._answered(method, path, params, body)
        try:
            with _SHAPES:
                return msgspec.json.decode(response.content, type=answer)
        except msgspec.DecodeError as error:
            msg = f"What answers at {self._url} is not a Celeriac console of this version ({error})."
            raise ClientError(msg, status=response.status_code) from error

    def _answered(
        self, method: str, path: str, params: dict[str, Any], body: dict[str, Any] | None = None
    ) -> httpx2.Response:
        with self._told_in_a_sentence():
            response = self._http.request(method, path, params=params, json=body or None)
        if response.status_code >= 300:
            raise self._problem(response)
        return response

    def _events(self, path: str, **params: Any) -> Iterator[Event]:
        """Yield the events of a stream until it ends."""
        given = {name: _told(value) for name, value in params.items() if value is not None}
        usual = self._http.timeout
        timeout = httpx2.Timeout(connect=usual.connect, read=SILENCE_S, write=usual.write, pool=usual.pool)
        with self._told_in_a_sentence(), self._http.stream("GET", path, params=given, timeout=timeout) as response:
            if response.status_code >= 300:
                response.read()
                raise self._problem(response)
            name = ""
            for line in response.iter_lines():
                field, _, value = line.partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    yield Event(name, value.encode())

    def _pieces(self, path: str, **params: Any) -> Iterator[bytes]:
        """Yield an answer in the pieces that it comes in."""
        given = {name: _told(value) for name, value in params.items() if value is not None}
        with self._told_in_a_sentence(), self._http.stream("GET", path, params=given) as response:
            if response.status_code >= 300:
                response.read()
                raise self._problem(response)
            yield from response.iter_bytes()

    @contextmanager
    def _told_in_a_sentence(self) -> Iterator[None]:
        try:
            yield
        except httpx2.TimeoutException as error:
            msg = f"The console at {self._url} did not answer in time. Is it busy, or is something between?"
            raise ClientError(msg) from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            if unfit := _unfit_certificate(error):
                msg = (
                    f"The certificate of the console at {self._url} is not taken: {unfit}. If a private CA gave it, name "
                    "the file of that CA with --ca-file or CELERIAC_CA_FILE."
                )
                raise ClientError(msg) from error
            msg = (
                f"There is no console at {self._url} ({error}). Start one with `celeriac serve`, "
                "or name another with --url or CELERIAC_URL."
            )
            raise ClientError(msg) from error

    def _problem(self, response: httpx2.Response) -> ClientError:
        try:
            problem = _problem(response.content)
        except msgspec.DecodeError:
            msg = f"What answers at {self._url} is not a Celeriac console: it said {response.status_code}."
            return ClientError(msg, status=response.status_code)
        return ClientError(problem.detail, problem.title, response.status_code)


def _trusted(ca_file: str | Path) -> ssl.SSLContext:
    """Return what trusts the certificates of this CA and no other."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        msg = f"The file {ca_file} of the CA holds no certificate in PEM."
    except OSError as error:
        msg = f"The file {ca_file} of the CA cannot be read: {error.strerror}."
    raise ClientError(msg)


def _unfit_certificate(error: BaseException | None) -> str | None:
    """Return what is wrong with the console's certificate, if that is the cause."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message.rstrip(".")
        error = error.__cause__ or error.__context__
    return None


def query(**given: str | None) -> str:
    """Return what comes after an order's path."""
    said = urlencode({name: value for name, value in given.items() if value is not None})
    return f"?{said}" if said else ""


def _told(value: Any) -> Any:
    """Return a value as an address carries it; several of one name are told one after another."""
    return value.isoformat() if isinstance(value, datetime) else list(value) if isinstance(value, tuple) else value
