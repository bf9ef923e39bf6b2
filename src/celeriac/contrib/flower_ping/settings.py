"""Reads `[access]` of `celeriac.toml` for Flower, where neither the console's settings nor pydantic are installed."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from celeriac.core.access import Grant, Role, Rule
from celeriac.core.errors import SettingsError
from celeriac.oidc import Registration

PREFIX = "CELERIAC_ACCESS__OIDC__"
LEAST, MOST = 10.0, 30 * 86400.0
"""Seconds that a sign-on may last."""


class OidcTable(Struct, frozen=True, forbid_unknown_fields=True):
    """`[access.oidc]`, as `celeriac.settings` has it."""

    issuer: str
    client_id: str
    client_auth: Literal["basic", "post", "private_key_jwt"] = "basic"
    client_secret: str | None = None
    client_key: str | None = None
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    group_claims: tuple[str, ...] = ("groups", "memberOf", "roles")
    name_claims: tuple[str, ...] = ("preferred_username", "email", "name")
    algorithms: tuple[str, ...] = ("RS256", "ES256", "PS256")
    ca_file: str | None = None
    timeout: float = 5.0
    api_audience: str | None = None
    api_issuer: str | None = None
    api_jwks: str | None = None
    introspect: bool = False
    refresh: float = 600.0
    reauthorise: float = 8 * 3600.0

    def __repr__(self) -> str:
        """Return it without its secret."""
        return f"OidcTable({self.issuer!r})"


class GrantRow(Struct, frozen=True, forbid_unknown_fields=True):
    """`[[access.grant]]`, as `celeriac.settings` has it."""

    role: Role
    group: str | None = None
    client: str | None = None
    scope: str | None = None
    clusters: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()
    payloads: bool = False

    def rule(self) -> Rule:
        """Return the row for the core."""
        return Rule(Grant(self.role, self.clusters, self.apps, self.payloads), self.group, self.client, self.scope)


class SessionTable(Struct, frozen=True):
    """`[access.session]`: of it Flower can hold to the longest time alone."""

    longest: float = 12 * 3600.0


class AccessTable(Struct, frozen=True):
    """`[access]`."""

    oidc: OidcTable
    grant: tuple[GrantRow, ...] = ()
    session: SessionTable = SessionTable()


class ClusterTable(Struct, frozen=True):
    """`[[cluster]]`, of which the name counts here."""

    name: str


class Whole(Struct, frozen=True):
    """The settings file."""

    access: AccessTable
    cluster: tuple[ClusterTable, ...] = ()


_whole = msgspec.json.Decoder(Whole, strict=False).decode


class Entry(Struct, frozen=True):
    """How people sign on to one Flower, and what it takes to come in; `least` is None where nobody has said."""

    registration: Registration
    table: tuple[Rule, ...]
    cluster: str | None
    least: Role | None
    lasting_s: float


def read(environ: Mapping[str, str] = os.environ) -> Entry:
    """Return what the file that CELERIAC_CONFIG names says, with `CELERIAC_ACCESS__OIDC__*` in its place."""
    whole = _read(environ)
    access = whole.access
    if not LEAST <= access.session.longest <= MOST:
        raise SettingsError("access.session.longest must be between 10 seconds and 30 days for Flower")
    return Entry(
        _registration(access.oidc),
        tuple(row.rule() for row in access.grant),
        _cluster(whole, environ.get("CELERIAC_FLOWER_CLUSTER")),
        _least(environ.get("CELERIAC_FLOWER_ROLE")),
        access.session.longest,
    )


def _read(environ: Mapping[str, str]) -> Whole:
    name = environ.get("CELERIAC_CONFIG")
    if not name:
        raise SettingsError("CELERIAC_CONFIG names no file; let it name the celeriac.toml with [access]")
    values = _file(Path(name))
    oidc = values.get("access", {}).get("oidc") if isinstance(values.get("access"), dict) else None
    if not isinstance(oidc, dict):
        raise SettingsError(f"{name} has no table [access.oidc]")
    oidc |= {key.removeprefix(PREFIX).lower(): text for key, text in environ.items() if key.startswith(PREFIX)}
    try:
        return _whole(msgspec.json.encode(values))
    except msgspec.ValidationError as error:
        raise SettingsError(f"{name} does not fit: {_where(error)}") from None


def _file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"the settings file {path} cannot be read: {error}") from None


def _where(error: msgspec.ValidationError) -> str:
    """Return what is wrong and where; msgspec quotes a value only where it should be one of a few names, such as a role."""
    text, _, place = str(error).partition(" - at `")
    return f"{place.rstrip('`').removeprefix('$.') or 'the file'}: {text}"


def _registration(table: OidcTable) -> Registration:
    key, secret = table.client_key, table.client_secret
    if table.client_auth == "private_key_jwt" and key is None:
        raise SettingsError("access.oidc.client_auth is private_key_jwt and client_key is missing")
    if table.client_auth != "private_key_jwt" and secret is None:
        raise SettingsError(f"access.oidc.client_secret is missing; give it by {PREFIX}CLIENT_SECRET")
    taken = {name: getattr(table, name) for name in Registration.__struct_fields__}
    return Registration(**taken | {"client_key": _key(key) if table.client_auth == "private_key_jwt" and key else None})


def _key(name: str) -> str:
    try:
        return Path(name).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        raise SettingsError("access.oidc.client_key cannot be read") from None


def _cluster(whole: Whole, named: str | None) -> str | None:
    """Return the cluster that Flower shows; where rows differ by cluster it must be known, or the wrong row would decide."""
    known = [one.name for one in whole.cluster]
    if named:
        if known and named not in known:
            raise SettingsError("CELERIAC_FLOWER_CLUSTER names no [[cluster]] of the settings file")
        return named
    if len(known) == 1:
        return known[0]
    if any(row.clusters for row in whole.access.grant):
        raise SettingsError("the table of roles differs by cluster: name the one of Flower by CELERIAC_FLOWER_CLUSTER")
    return None


def _least(named: str | None) -> Role | None:
    try:
        return Role(named) if named else None
    except ValueError:
        raise SettingsError(f"CELERIAC_FLOWER_ROLE must be one of {', '.join(Role)}") from None
