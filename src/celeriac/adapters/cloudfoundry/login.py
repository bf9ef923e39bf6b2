"""Tokens from UAA: password, client_credentials and refresh, one login at a time, renewed a minute before they expire."""

import base64
import json
import threading
from collections.abc import Callable

import httpx2
from msgspec import Struct

from celeriac.adapters.cloudfoundry.answers import content, understood
from celeriac.core.errors import RefusedError, UnreachableError

EARLY_S = 60.0
REFUSED_S = 60.0
"""A refused login is not tried again for so long: UAA locks an account after a few failures."""

CF_CLIENT = ("cf", "")
"""The public client that `cf` itself logs in with; its secret is empty."""


class Credentials(Struct, frozen=True):
    """Who logs in: a user, or a UAA client. `setting` names the settings table for error messages."""

    setting: str
    username: str | None = None
    password: str | None = None
    client_id: str | None = None
    client_secret: str | None = None

    def __repr__(self) -> str:
        return f"Credentials({self.who})"

    @property
    def who(self) -> str:
        return f"client {self.client_id}" if self.client_id else f"user {self.username}"

    @property
    def secret_setting(self) -> str:
        return f"{self.setting}.client_secret" if self.client_id else f"{self.setting}.password"


class Login:
    """Holds the token of one foundation; threads that find it expired wait for the one that renews it."""

    def __init__(
        self,
        http: httpx2.Client,
        credentials: Credentials,
        monotonic: Callable[[], float],
        on_busy: Callable[[httpx2.Response], None],
    ) -> None:
        self._http, self._credentials, self._monotonic, self._on_busy = http, credentials, monotonic, on_busy
        self._lock = threading.Lock()
        self._token: str | None = None
        self._refresh: str | None = None
        self._until = 0.0
        self.own_guid: str | None = None
        self._refused: tuple[str, float] = ("", 0.0)

    def token(self, url: str, *, not_this: str | None = None) -> str:
        """Return a valid access token from `url` (UAA's base); `not_this` is one that the API has just refused."""
        with self._lock:
            stale = self._token == not_this or self._monotonic() >= self._until
            if self._token is None or stale:
                self._renew(url)
            if self._token is None:
                raise RefusedError("UAA gave no access token")
            return self._token

    def _renew(self, url: str) -> None:
        why, until = self._refused
        if self._monotonic() < until:
            raise RefusedError(why)
        if self._refresh is not None:
            form = {"grant_type": "refresh_token", "refresh_token": self._refresh}
            self._refresh = None
            answer = self._post(url, form, CF_CLIENT)
            if answer.status_code == 200:
                self._keep(answer)
                return
        self._keep(self._checked(self._post(url, *self._grant())))

    def _grant(self) -> tuple[dict[str, str], tuple[str, str]]:
        one = self._credentials
        if one.client_id is not None:
            return {"grant_type": "client_credentials"}, (one.client_id, one.client_secret or "")
        form = {"grant_type": "password", "username": one.username or "", "password": one.password or ""}
        return form, CF_CLIENT

    def _post(self, url: str, form: dict[str, str], auth: tuple[str, str]) -> httpx2.Response:
        try:
            answer = self._http.post(f"{url}/oauth/token", data=form, auth=auth, headers={"Accept": "application/json"})
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise UnreachableError(f"UAA at {url}: {str(error) or type(error).__name__}") from error
        if answer.status_code == 429:
            self._on_busy(answer)
            raise UnreachableError("UAA asked to wait (429)")
        return answer

    def _checked(self, answer: httpx2.Response) -> httpx2.Response:
        if answer.status_code == 200:
            return answer
        if answer.status_code in {400, 401, 403}:
            one, why = self._credentials, _description(answer)
            text = f"Cloud Foundry refuses the login of {one.who}: {why}; check {one.secret_setting}"
            self._refused = (text, self._monotonic() + REFUSED_S)
            raise RefusedError(text)
        raise UnreachableError(f"UAA answered {answer.status_code}")

    def _keep(self, answer: httpx2.Response) -> None:
        body = content(answer)
        with understood("the login"):
            lifetime = float(body.get("expires_in") or 0)
            self._token, self._refresh = body["access_token"], body.get("refresh_token")
        self._until = self._monotonic() + max(0.0, lifetime - EARLY_S)
        self.own_guid = _own_guid(str(self._token))


def _own_guid(token: str) -> str | None:
    """Return the user's guid, or the client's id, from a token's claims; it is not checked, as it proves nothing here."""
    try:
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        return str(claims.get("user_id") or claims["client_id"])
    except (IndexError, ValueError, KeyError, AttributeError):
        return None


def _description(answer: httpx2.Response) -> str:
    try:
        body = answer.json()
        return str(body.get("error_description") or body.get("error"))
    except (ValueError, AttributeError):
        return f"status {answer.status_code}"
