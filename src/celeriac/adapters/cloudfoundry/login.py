"""Tokens from UAA by every grant, one login at a time, renewed a minute before they expire."""

import base64
import contextlib
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import httpx2
from msgspec import Struct

from celeriac.adapters.cloudfoundry import cf_login
from celeriac.adapters.cloudfoundry.answers import content, understood
from celeriac.adapters.cloudfoundry.failures import no_answer
from celeriac.adapters.cloudfoundry.kept_login import KeptLogin
from celeriac.adapters.cloudfoundry.refusals import Refusals
from celeriac.adapters.cloudfoundry.wire import Wire
from celeriac.core.errors import RefusedError, UnreachableError

EARLY_S = 60.0
REFUSALS = frozenset({400, 401, 403})
CF_CLIENT = ("cf", "")
"""The public client that `cf` itself logs in with; its secret is empty."""


class Credentials(Struct, frozen=True):
    """Who logs in: a user, a UAA client, or whoever a token, a passcode or the login of `cf` stands for.

    `setting` names the settings table for error messages; `keep` is the file for what a passcode leaves.
    """

    setting: str
    username: str | None = None
    password: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    origin: str | None = None
    refresh_token: str | None = None
    passcode: str | None = None
    keep: Path | None = None
    cf_config: Path | None = None

    def __repr__(self) -> str:
        return f"Credentials({self.who})"

    @property
    def who(self) -> str:
        if self.client_id:
            return f"client {self.client_id}"
        if self.username:
            return f"user {self.username}"
        if self.cf_config:
            return f"`cf` in {self.cf_config}"
        return f"{self.setting}.{'passcode' if self.passcode else 'refresh_token'}"

    def refused(self, why: str) -> str:
        """Return what to say and to do when UAA refuses it."""
        if self.cf_config:
            return f"the login of {self.who} has ended ({why}); run `cf login` again"
        if self.passcode:
            return (
                f"the login by one-time passcode has ended or the passcode was used ({why}); "
                f"give a new one in {self.setting}.passcode"
            )
        if self.refresh_token:
            return (
                f"the refresh token has expired or was revoked ({why}); give a new one in {self.setting}.refresh_token"
            )
        secret = "client_secret" if self.client_id else "password"
        return f"Cloud Foundry refuses the login of {self.who}: {why}; check {self.setting}.{secret}"


class Login:
    """Holds the token of one foundation; threads that find it expired wait for the one that renews it."""

    def __init__(
        self,
        wire: Wire,
        credentials: Credentials,
        monotonic: Callable[[], float],
        on_busy: Callable[[httpx2.Response], None],
    ) -> None:
        self._wire, self._credentials, self._monotonic, self._on_busy = wire, credentials, monotonic, on_busy
        self._lock = threading.Lock()
        self._kept = KeptLogin(credentials.keep, credentials.passcode or "") if credentials.keep else None
        self._client = CF_CLIENT
        self._token: str | None = None
        self._refresh: str | None = None
        self._until = 0.0
        self._spent: str | None = None
        self._why = "there is no refresh token"
        self._claims: dict[str, Any] = {}
        self._refusals = Refusals(monotonic)

    @property
    def own_guid(self) -> str | None:
        """The user's guid, or the client's id."""
        found = self._claims.get("user_id") or self._claims.get("client_id")
        return str(found) if found else None

    @property
    def account(self) -> str | None:
        """The user's name, or the client's id."""
        found = self._claims.get("user_name") or self._claims.get("client_id")
        return str(found) if found else None

    @property
    def scopes(self) -> frozenset[str]:
        """What the token is good for."""
        found = self._claims.get("scope") or ()
        return frozenset(found.split() if isinstance(found, str) else map(str, found))

    def token(self, url: str, *, not_this: str | None = None) -> str:
        """Return a valid access token from `url` (UAA's base); `not_this` is one that the API has just refused."""
        with self._lock:
            stale = self._token == not_this or self._monotonic() >= self._until
            if self._token is None or stale:
                self._renew(url, not_this)
            if self._token is None:
                raise RefusedError("UAA gave no access token")
            return self._token

    def _renew(self, url: str, not_this: str | None) -> None:
        one = self._credentials
        if self._refreshed(url, self._refresh):
            return
        found = cf_login.read(one.cf_config, f"{one.setting}.cf_login") if one.cf_config else None
        self._refusals.heed(found or (self._kept and self._kept.token()) or one)
        if found is not None:
            self._by_cf(url, not_this, found)
        elif one.passcode is not None:
            self._by_passcode(url, one.passcode)
        else:
            self._keep(self._checked(self._post(url, *self._grant())))

    def _refreshed(self, url: str, token: str | None) -> bool:
        """Tell whether a refresh token got us a new access token; one that UAA refuses is never sent again.

        Raises UnreachableError where UAA neither gives nor refuses: then nothing is known of the login, and nothing else is tried.
        """
        if not token or token == self._spent:
            return False
        answer = self._post(url, _refresh(token), self._client)
        if answer.status_code in REFUSALS:
            self._refresh, self._spent, self._why = None, token, _description(answer)
            return False
        self._keep(self._checked(answer))
        return True

    def _by_cf(self, url: str, not_this: str | None, found: cf_login.CfLogin) -> None:
        """Take the token that `cf` holds until it ends, then renew it for ourselves."""
        self._client = found.client
        claims = _claims(found.access_token)
        left = float(claims.get("exp") or 0) - time.time() - EARLY_S
        if left > 0 and found.access_token != not_this:
            self._token, self._claims, self._until = found.access_token, claims, self._monotonic() + left
            self._refusals.forget()
            return
        if not self._refreshed(url, found.refresh_token):
            client = "of a client, whose secret `cf` does not keep: give client_id and client_secret"
            self._refuse(client if found.of_client else self._why)

    def _by_passcode(self, url: str, passcode: str) -> None:
        with self._kept.alone() if self._kept else contextlib.nullcontext():
            if self._kept and self._refreshed(url, self._kept.token()):
                return
            form = {"grant_type": "password", "passcode": passcode}
            self._keep(self._checked(self._post(url, form, CF_CLIENT)))

    def _grant(self) -> tuple[dict[str, str], tuple[str, str]]:
        one = self._credentials
        if one.client_id is not None:
            return {"grant_type": "client_credentials"}, (one.client_id, one.client_secret or "")
        if one.refresh_token is not None:
            return _refresh(one.refresh_token), CF_CLIENT
        form = {"grant_type": "password", "username": one.username or "", "password": one.password or ""}
        if one.origin is not None:
            form["login_hint"] = json.dumps({"origin": one.origin})
        return form, CF_CLIENT

    def _post(self, url: str, form: dict[str, str], auth: tuple[str, str]) -> httpx2.Response:
        try:
            headers = {"Accept": "application/json"}
            answer = self._wire.send("POST", f"{url}/oauth/token", data=form, auth=auth, headers=headers)
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise no_answer(f"UAA at {url}", error, f"{self._credentials.setting}.ca_file") from error
        if answer.status_code == 429:
            self._on_busy(answer)
            raise UnreachableError("UAA asked to wait (429)")
        return answer

    def _checked(self, answer: httpx2.Response) -> httpx2.Response:
        if answer.status_code == 200:
            return answer
        if answer.status_code in REFUSALS:
            self._refuse(_description(answer))
        raise UnreachableError(f"UAA answered {answer.status_code}")

    def _refuse(self, why: str) -> NoReturn:
        text = self._credentials.refused(why)
        self._refusals.note(text, why)
        raise RefusedError(text)

    def _keep(self, answer: httpx2.Response) -> None:
        body = content(answer)
        with understood("the login"):
            lifetime = float(body.get("expires_in") or 0)
            self._token = body["access_token"]
            self._refresh = body.get("refresh_token") or (
                self._refresh if self._credentials.client_id is None else None
            )
        self._until = self._monotonic() + max(0.0, lifetime - EARLY_S)
        self._claims = _claims(str(self._token))
        self._refusals.forget()
        if self._kept and self._refresh:
            self._kept.keep(self._refresh)


def _refresh(token: str) -> dict[str, str]:
    return {"grant_type": "refresh_token", "refresh_token": token}


def _claims(token: str) -> dict[str, Any]:
    """Return a token's claims; it is not checked, as it proves nothing here."""
    try:
        found = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    except (IndexError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _description(answer: httpx2.Response) -> str:
    try:
        body = answer.json()
        return str(body.get("error_description") or body.get("error"))
    except (ValueError, AttributeError):
        return f"status {answer.status_code}"
