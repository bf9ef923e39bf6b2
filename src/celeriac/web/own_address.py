"""By what names and origins this console may be called, and which request calls it by another."""

import ipaddress
from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from celeriac.settings import ConsoleSettings

PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """A web origin (RFC 6454), in lower case and with its port."""

    scheme: str
    host: str
    port: int


def origin(text: str) -> Origin | None:
    """Return the origin that an Origin header or a URL names; None for `null` and for what is none."""
    try:
        parts = urlsplit(text.strip().lower())
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in PORTS or not host:
        return None
    return Origin(parts.scheme, host.rstrip("."), PORTS[parts.scheme] if port is None else port)


class OwnAddress:
    """What the settings say of how the console is reached.

    A name that is nobody's choice here is foreign: whoever owns it can let it resolve to this machine (DNS rebinding).
    The machine's loopback names are own ones only where nothing but this machine reaches the port; beyond that, the
    names are those of the settings, and the address that is listened on.
    """

    def __init__(self, console: ConsoleSettings) -> None:
        self._public = origin(console.public_url or "")
        self._loopback = console.loopback
        names = {host_name(name) for name in (*console.allowed_hosts, console.host)} - {"0.0.0.0", "::"}  # noqa: S104 (left out)
        self._names = frozenset(names | ({self._public.host} if self._public else set()))

    def has_name(self, host: str) -> bool:
        """Tell whether a Host header names this console."""
        name = host_name(host)
        return name in self._names or (self._loopback and is_loopback(name))

    def has_origin(self, said: str, scope: Scope) -> bool:
        """Tell whether a page of this origin is one of ours: of the public address, or of the one that is asked."""
        asked = origin(f"{scope['scheme']}://{Headers(scope=scope).get('host', '')}")
        found = origin(said)
        return found is not None and found in {self._public, asked}


def host_name(host: str) -> str:
    """Return the name of a Host header: without port, brackets and case."""
    name = host.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name if name.count(":") > 1 else name.partition(":")[0].rstrip(".")


def is_loopback(name: str) -> bool:
    """Tell whether a host's name or address means this very machine."""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
