"""What goes wrong on the way to a foundation, or by its own word, as an error of the ports: one clear sentence each."""

import json
import ssl
from typing import Any

import httpx2

from celeriac.core.errors import MissingError, PortError, RefusedError, UnreachableError

BUSY = frozenset({500, 502, 503, 504})
SUSPENDED = 10017
NOT_AUTHORIZED = 10003
ROUTER = "X-Cf-RouterError"
"""The header by which Cloud Foundry's router tells that an answer is its own."""


class ApiRefusedError(RefusedError):
    """The API answered no; `codes` are its own numbers for why."""

    def __init__(self, text: str, codes: frozenset[int]) -> None:
        super().__init__(text)
        self.codes = codes


class TooManyError(UnreachableError):
    """429: of the API and UAA too many requests, of log-cache too long an answer."""


def no_answer(where: str, error: Exception, setting: str) -> PortError:
    """Return the error for a request that got no answer; a certificate that is not trusted stays so."""
    text = str(error) or type(error).__name__
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(cause):
            why = getattr(cause, "verify_message", "") or "its authority is not known"
            return RefusedError(
                f"the certificate of {where} is not trusted ({why}); give the PEM file of its authority in {setting}"
            )
        cause = cause.__cause__ or cause.__context__
    return UnreachableError(f"{where}: {text}")


def of_router(answer: httpx2.Response) -> bool:
    """Tell whether the router answered in place of a part of the foundation, which is down then, or has no route yet."""
    return ROUTER in answer.headers


def error_of(answer: httpx2.Response, *, v3: bool = True) -> PortError:
    """Return the error that an answer of the API stands for; with `v3` false that of another part of the foundation.

    "Not found" counts only as the word of the part itself, which the API says in its own form.
    """
    if of_router(answer):
        why = f"{answer.status_code}, {answer.headers[ROUTER]}"
        return UnreachableError(
            f"the foundation's router finds nobody who answers for {answer.request.url.host} ({why})"
        )
    request_id = answer.headers.get("X-Vcap-Request-Id")
    errors = _errors(answer)
    text = f"{_detail(answer, errors)} ({answer.status_code}" + (f", request {request_id})" if request_id else ")")
    if answer.status_code == 404:
        return MissingError(text) if errors or not v3 else UnreachableError(text)
    if answer.status_code == 429:
        return TooManyError(text)
    if answer.status_code in BUSY:
        return UnreachableError(text)
    return ApiRefusedError(text, frozenset(one["code"] for one in errors if isinstance(one.get("code"), int)))


def _errors(answer: httpx2.Response) -> list[dict[str, Any]]:
    try:
        return [one for one in json.loads(answer.text)["errors"] if isinstance(one, dict)]
    except (ValueError, KeyError, TypeError):
        return []


def _detail(answer: httpx2.Response, errors: list[dict[str, Any]]) -> str:
    """Return the details of a v3 error; routers answer in HTML or plain text, which says nothing to people."""
    details = "; ".join(str(error["detail"]) for error in errors if "detail" in error)
    return details or f"Cloud Foundry answered {answer.reason_phrase or 'an error'}"
