"""What the environment of a Cloud Foundry app says: its port, the services bound to it, and that its disk does not last.

No sentence shows credentials.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from celeriac.core.errors import SettingsError

if TYPE_CHECKING:
    from celeriac.settings.model import Settings

APPLICATION = "VCAP_APPLICATION"
SERVICES = "VCAP_SERVICES"
_SCHEMES = {
    "redis": "Redis", "rediss": "Redis", "amqp": "RabbitMQ", "amqps": "RabbitMQ",
    "postgres": "PostgreSQL", "postgresql": "PostgreSQL",
}  # fmt: skip
_WORDS = {"redis": "Redis", "valkey": "Redis", "rabbitmq": "RabbitMQ", "postgres": "PostgreSQL", "vault": "Vault"}
_BROKERS = ("Redis", "RabbitMQ")


@dataclass(frozen=True, slots=True)
class Service:
    """One bound service instance; `kind` is Redis, RabbitMQ, PostgreSQL, Vault, or empty where nothing tells."""

    name: str
    kind: str
    credentials: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Service({self.name!r}, {self.kind!r})"

    def url(self) -> str | None:
        """Return the broker's URL: the one that the credentials hold, or one made of their parts."""
        for parts in _parts(self.credentials):
            for url in _urls(parts):
                if _SCHEMES.get(_scheme(url)) == self.kind:
                    return url
        return next((made for parts in _parts(self.credentials) if (made := _made(self.kind, parts))), None)


def complete(values: dict[str, Any], environ: Mapping[str, str]) -> None:
    """Add to settings what they leave out and the platform knows; raises SettingsError."""
    if APPLICATION in environ and environ.get("PORT"):
        console = values.setdefault("console", {})
        if isinstance(console, dict):
            console.setdefault("port", environ["PORT"])
    clusters = values.get("cluster")
    for cluster in clusters if isinstance(clusters, list) else ():
        if isinstance(cluster, dict) and isinstance(cluster.get("service"), str):
            _give_broker(cluster, environ)


def _give_broker(cluster: dict[str, Any], environ: Mapping[str, str]) -> None:
    where, name = f"cluster.{cluster.get('name', '?')}.service", cluster["service"]
    if "broker" in cluster:
        raise SettingsError(f"The setting {where} stands in place of broker: give one of the two.")
    bound = list(services(environ))
    found = next((one for one in bound if one.name == name), None)
    if found is None:
        there = f"bound are: {', '.join(one.name for one in bound)}" if bound else "none is bound"
        raise SettingsError(f"The setting {where} names {name!r}, which is not bound to this app; {there}.")
    url = found.url() if found.kind in _BROKERS else None
    if url is None:
        raise SettingsError(
            f"The setting {where} names {name!r}, whose credentials hold no address of a Redis or RabbitMQ; give broker."
        )
    cluster["broker"] = url


def services(environ: Mapping[str, str] = os.environ) -> Iterator[Service]:
    """Yield the services that are bound to this app; raises SettingsError where VCAP_SERVICES cannot be read."""
    try:
        lists = json.loads(environ.get(SERVICES) or "{}").items()
        for label, entries in lists:
            for entry in entries:
                credentials = entry.get("credentials") or {}
                hints = " ".join([label, *map(str, entry.get("tags") or ())]).lower()
                name = str(entry.get("instance_name") or entry["name"])
                yield Service(name, _kind(credentials, f"{hints} {name.lower()}"), credentials)
    except (ValueError, AttributeError, TypeError, KeyError):
        raise SettingsError(f"The variable {SERVICES} does not have the form that Cloud Foundry gives it.") from None


def unused_services(settings: "Settings", environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return one sentence for each bound service that Celeriac knows and does not use."""
    used = {one.service for one in settings.cluster}
    notices = []
    for one in services(environ):
        if one.kind in _BROKERS and one.name not in used:
            notices.append(
                f"The bound service {one.name} ({one.kind}) is not used: no [[cluster]] names it as service."
            )
        elif one.kind and one.kind not in _BROKERS:
            notices.append(f"The bound service {one.name} ({one.kind}) is not used: that comes with a later release.")
    return notices


def check_store(settings: "Settings", environ: Mapping[str, str] = os.environ) -> None:
    """Raise SettingsError if the store would be lost at each restart and nobody has accepted that."""
    if APPLICATION in environ and not settings.ephemeral_store:
        raise SettingsError(
            f"The store {settings.store} lies on the disk of a Cloud Foundry app, which is empty after each restart; "
            "to accept that incidents, the journal of restarts with its budget and cool-downs, holds, pauses, audit and "
            "task history are lost each time, start with --ephemeral-store."
        )


def _kind(credentials: Mapping[str, Any], hints: str) -> str:
    for parts in _parts(credentials):
        for url in _urls(parts):
            if kind := _SCHEMES.get(_scheme(url)):
                return kind
    return next((kind for word, kind in _WORDS.items() if word in hints), "")


def _parts(credentials: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the credentials, then those of each protocol, in the form of RabbitMQ's services: the plain one first."""
    yield credentials
    protocols = credentials.get("protocols")
    if isinstance(protocols, dict):
        for name in ("amqp", "amqp+ssl", "amqps"):
            if isinstance(protocols.get(name), dict):
                yield protocols[name]


def _urls(parts: Mapping[str, Any]) -> Iterator[str]:
    for key in ("uri", "url", "uris", "urls"):
        found = parts.get(key)
        yield from (one for one in (found if isinstance(found, list) else [found]) if isinstance(one, str))


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower()


def _made(kind: str, parts: Mapping[str, Any]) -> str | None:
    """Return a URL of host, port and password; TLS where that is said, or where there is no other port."""
    hosts = parts.get("hosts") or parts.get("hostnames")
    first = hosts[0] if isinstance(hosts, list) and hosts else None
    host = parts.get("host") or parts.get("hostname") or first
    if not isinstance(host, str):
        return None
    plain, secure = parts.get("port"), parts.get("tls_port")
    tls = bool(parts.get("ssl") or parts.get("tls")) or bool(secure and not plain)
    port = (secure or plain) if tls else plain
    scheme = {"Redis": "redis", "RabbitMQ": "amqp"}[kind] + ("s" if tls else "")
    address = f"[{host}]" if ":" in host else host
    where = f"{address}:{int(port)}" if port else address
    login = _login(parts)
    if kind == "Redis":
        return f"{scheme}://{login}{where}/{int(parts.get('database') or 0)}"
    return f"{scheme}://{login}{where}/{quote(str(parts.get('vhost') or '/'), safe='')}"


def _login(parts: Mapping[str, Any]) -> str:
    user, password = (quote(str(parts.get(key) or ""), safe="") for key in ("username", "password"))
    return f"{user}:{password}@" if user or password else ""
