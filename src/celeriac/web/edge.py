"""The edge of the app: what every request passes before anything of ours looks at it, from the outside in."""

from fastapi import FastAPI
from starlette.middleware import Middleware

from celeriac.settings import ConsoleSettings
from celeriac.web import errors
from celeriac.web.browser_safety import BrowserSafety
from celeriac.web.limits import Limits
from celeriac.web.prefix import Prefix
from celeriac.web.proxies import TrustedProxies


def install(app: FastAPI, console: ConsoleSettings) -> None:
    """Put the edge around all middleware that the app has until now."""
    app.user_middleware[:0] = [
        Middleware(TrustedProxies, networks=console.trusted_proxies),
        Middleware(Prefix, root_path=console.root_path),
        Middleware(BrowserSafety, console=console, refuse=errors.refuse),
        Middleware(Limits, refuse=errors.refuse),
    ]
