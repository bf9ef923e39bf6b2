"""The login handler for Flower's `--auth_provider`; Flower makes one for each request to `/login`."""

import asyncio
import functools
import hashlib
import json
import logging
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from html import escape
from typing import ParamSpec, TypeVar
from urllib.parse import quote

from flower.views import BaseHandler
from tornado.ioloop import IOLoop
from tornado.web import Application

from celeriac.contrib.flower_ping import entry as door
from celeriac.contrib.flower_ping.cookie_keys import standing_keys, until_next
from celeriac.contrib.flower_ping.settings import Entry, read
from celeriac.core.access import Actor
from celeriac.core.errors import (
    AccessError,
    CeleriacError,
    NotTakenError,
    PortError,
    RefusedError,
    SettingsError,
    ThrottledError,
)
from celeriac.core.signon import Begun, own_path
from celeriac.oidc import Registration, RelyingParty

P = ParamSpec("P")
T = TypeVar("T")

AUTH = ".*@celeriac"
"""What `--auth` must be. Flower holds each cookie against it, and only ours end so."""
DAY_S = 86400.0
PATIENCE_S = 600.0
"""A person has so long to sign on at the provider."""
MOST_UNDER_WAY = 8
"""Sign-ons of one browser; each has a cookie, and a server reads only so many bytes of them."""
MOST_AT_WORK = 32
LONGEST_NAME = 120
LONGEST_NEXT = 500
OWN_SECRET, RENEWING = "celeriac_cookie_secret", "celeriac_renewing"
"""Where a Flower keeps the secret that it was started with, and that its keys are renewed."""

logger = logging.getLogger("celeriac.flower_ping")


class _Threads:
    """Runs what waits for the provider, so that Flower does not."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(4, "sign-on")
        self._at_work = 0

    async def run(self, work: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """Return what it returns; raises ThrottledError where too much waits."""
        if self._at_work >= MOST_AT_WORK:
            raise ThrottledError("Too many people are signing on at once. Try again in some seconds.", after_s=5.0)
        self._at_work += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, functools.partial(work, *args, **named))
        finally:
            self._at_work -= 1


_threads = _Threads()


@functools.lru_cache(1)
def _party(registration: Registration) -> RelyingParty:
    return RelyingParty(registration)


def _begin(entry: Entry, back_to: str) -> Begun:
    return _party(entry.registration).begin(back_to)


def _finish(entry: Entry, begun: Begun, back_to: str, answer: dict[str, str], *, read_only: bool) -> Actor:
    told = _party(entry.registration).finish(begun, back_to, answer)
    return door.check(entry, told, read_only=read_only)


class LoginHandler(BaseHandler):  # type: ignore[misc]
    """Sends a browser to the provider, and lets it in when it comes back with somebody who may."""

    async def get(self) -> None:
        """Begin a sign-on, or end one, by what the address brings along."""
        answer = {name: values[-1].decode(errors="replace") for name, values in self.request.query_arguments.items()}
        self.set_header("Cache-Control", "no-store")
        self.set_header("Referrer-Policy", "no-referrer")
        try:
            comes_back = bool(answer.keys() & {"state", "code", "error"})
            if not comes_back and not self._for_a_person():
                self._say(401, "Sign on to Flower in a browser; it has no tokens for programs.")
                return
            back_to, entry = self._back_to(), await _threads.run(read)
            _renew(self.application, entry.lasting_s)
            if comes_back:
                await self._come_back(entry, back_to, answer)
            else:
                await self._send_away(entry, back_to, answer.get("next", ""))
        except CeleriacError as error:
            self._refuse(error)

    async def _send_away(self, entry: Entry, back_to: str, onward: str) -> None:
        begun = await _threads.run(_begin, entry, back_to)
        under_way = [name for name in self.request.cookies if name.startswith(self._named(""))]
        if len(under_way) >= MOST_UNDER_WAY:
            for name in under_way:
                self.clear_cookie(name, path="/", secure=self._encrypted())
        kept = json.dumps({"nonce": begun.nonce, "verifier": begun.verifier, "next": self._onward(onward)})
        self._set(self._cookie_of(begun.state), kept, PATIENCE_S)
        self.redirect(begun.url)

    async def _come_back(self, entry: Entry, back_to: str, answer: dict[str, str]) -> None:
        state = answer.get("state", "")
        name = self._cookie_of(state)
        text = self.get_secure_cookie(name, max_age_days=PATIENCE_S / DAY_S)
        if text is None:
            raise NotTakenError("this sign-on was not begun in this browser, is too old, or was used already")
        self.clear_cookie(name, path="/", secure=self._encrypted())
        kept = json.loads(text)
        begun = Begun("", state, kept["nonce"], kept["verifier"])
        read_only = bool(self.application.options.read_only)
        actor = await _threads.run(_finish, entry, begun, back_to, answer, read_only=read_only)
        self._set(
            "user",
            f"{quote(actor.called, safe='', errors='replace')[:LONGEST_NAME]}{AUTH.removeprefix('.*')}",
            entry.lasting_s,
        )
        held = "; ".join(one.text for one in actor.grants)
        logger.info("Sign-on: %a (subject %a) from %s: %s", actor.called, actor.subject, self.request.remote_ip, held)
        self.redirect(kept["next"])

    def _back_to(self) -> str:
        """Return where the provider sends people back to; raises SettingsError where Flower is started so that it is open."""
        if self.application.options.auth != AUTH:
            raise SettingsError(f"Flower must be started with --auth='{AUTH}', or it does not ask who somebody is")
        back_to = self.settings["oauth"]["redirect_uri"]
        if not back_to:
            raise SettingsError(
                "Flower must be started with --oauth2_redirect_uri, its own address with /login at its end"
            )
        return str(back_to)

    def _for_a_person(self) -> bool:
        """Tell whether a browser goes to a page; what a page asks for by itself, each second, must not begin sign-ons."""
        headers = self.request.headers
        page = headers.get("Sec-Fetch-Dest", "document") == "document"
        return page and "text/html" in headers.get("Accept", "") and "X-Requested-With" not in headers

    def _encrypted(self) -> bool:
        return self._back_to().startswith("https://")

    def _named(self, of: str) -> str:
        return f"{'__Host-' if self._encrypted() else ''}sign-on-{of}"

    def _cookie_of(self, state: str) -> str:
        return self._named(hashlib.sha256(state.encode()).hexdigest()[:16])

    def _set(self, name: str, value: str, seconds: float) -> None:
        self.set_secure_cookie(name, value, seconds / DAY_S, path="/", secure=self._encrypted())

    def _onward(self, onward: str) -> str:
        prefix = (self.application.options.url_prefix or "").strip("/")
        first = f"/{prefix}/" if prefix else "/"
        return own_path(onward) if onward and len(onward) <= LONGEST_NEXT else first

    def _refuse(self, error: CeleriacError) -> None:
        reference = secrets.token_hex(4)
        ours = isinstance(error, SettingsError | RefusedError)
        note = logger.error if ours else logger.warning
        note("No sign-on [%s] from %s: %a", reference, self.request.remote_ip, str(error))
        if ours:
            said = f"Nobody can sign on to Flower as it is set up now; its log says why, under {reference}."
            self._say(500, said)
        elif isinstance(error, ThrottledError):
            self._say(503, str(error))
        elif isinstance(error, PortError):
            self._say(503, f"Nobody can sign on to Flower now: {error}. Try again in a minute.")
        elif isinstance(error, NotTakenError):
            self._say(403, f"You are not signed on: {error}.")
        elif isinstance(error, AccessError):
            self._say(403, str(error))

    def _say(self, status: int, sentence: str) -> None:
        """Answer with a page that has nothing of Flower's."""
        self.set_status(status)
        self.set_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        again = escape(self.request.path)
        self.finish(
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Sign on to Flower</title>'
            f'<h1>Sign on to Flower</h1><p>{escape(sentence)}</p><p><a href="{again}">Sign on again</a></p></html>'
        )


def _renew(application: Application, lasting_s: float) -> None:
    """Let cookies be signed by the keys that stand now, and by those of later when they do."""
    kept, now = application.settings, time.time()
    secret = kept.setdefault(OWN_SECRET, kept["cookie_secret"])
    kept["cookie_secret"], kept["key_version"] = standing_keys(secret, now, lasting_s)
    if (waiting := kept.get(RENEWING)) is not None:
        IOLoop.current().remove_timeout(waiting)
    kept[RENEWING] = IOLoop.current().call_later(until_next(now, lasting_s), _renew, application, lasting_s)
