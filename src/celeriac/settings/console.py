"""`[console]`: where pages and API are reached, and through what."""

import ipaddress
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from celeriac.settings.access import Network
from celeriac.settings.section import Section

OWN_PATHS = frozenset(
    {
        "access",
        "api",
        "apps",
        "audit",
        "auth",
        "break-glass",
        "doctor",
        "fragments",
        "healthz",
        "incidents",
        "login",
        "logout",
        "pause",
        "readyz",
        "resume",
        "signed-off",
        "static",
        "workers",
    }
)
"""What the console's own paths begin with."""


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path or parts.query or parts.fragment:
        msg = "is not an origin; write it like https://dashboards.example.com"
        raise ValueError(msg)
    return text


Origin = Annotated[str, AfterValidator(_origin)]


def loopback(host: str) -> bool:
    """Tell whether a name or address is this machine's own, which no other one reaches."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class ConsoleSettings(Section):
    """`[console]`: where pages and API listen."""

    host: str = Field(
        default="127.0.0.1",
        description="Address to listen on; without sign-on only a loopback address is allowed, and no proxy before it.",
    )
    port: int = Field(default=5555, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    public_url: str | None = Field(
        default=None,
        description="The address that people use, like https://celeriac.example.com, without the root path.",
    )
    root_path: str = Field(
        default="",
        pattern=r"^(/[A-Za-z0-9._~-]+)*$",
        description="The path that a proxy puts before ours, like /celeriac.",
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=(),
        description="More names that it may be called by, besides public_url's, the address that it listens on and, where "
        "that is a loopback address, this machine's own.",
    )
    tls_cert: Path | None = Field(
        default=None, description="File with the certificate and its chain, in PEM: serves TLS."
    )
    tls_key: Path | None = Field(default=None, description="File with its private key, in PEM.")
    trusted_proxies: tuple[Network, ...] = Field(
        default=(),
        description="Networks of the proxies whose X-Forwarded-For and X-Forwarded-Proto count; else none do.",
    )
    cors_origins: tuple[Origin, ...] = Field(
        default=(), description="Other sites' pages that may read the API with a token of their own."
    )

    @field_validator("public_url")
    @classmethod
    def _public(cls, url: str | None) -> str | None:
        if url is None:
            return None
        try:
            return _origin(url.rstrip("/"))
        except ValueError:
            msg = (
                "is not an address without a path; write it like https://celeriac.example.com, and a path in root_path"
            )
            raise ValueError(msg) from None

    @field_validator("root_path")
    @classmethod
    def _not_ours(cls, root_path: str) -> str:
        # Whether a proxy stripped it could not be told.
        first = root_path.strip("/").partition("/")[0]
        if first in OWN_PATHS:
            msg = f"begins with /{first}, which is a path of the console itself; choose another, like /celeriac"
            raise ValueError(msg)
        return root_path

    @model_validator(mode="after")
    def _both(self) -> "ConsoleSettings":
        if (self.tls_cert is None) != (self.tls_key is None):
            msg = "tls_cert and tls_key belong together; give both, or neither"
            raise ValueError(msg)
        return self

    @property
    def loopback(self) -> bool:
        """Tell whether only this machine reaches the address."""
        return loopback(self.host)

    @property
    def address(self) -> str:
        """Return where it listens, as one calls it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls_cert else 'http'}://{host}:{self.port}{self.root_path}"
