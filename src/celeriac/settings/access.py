"""`[access]` and `[audit]`: who signs on how, what their groups may do, and where the audit trail goes."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from celeriac.core.access import Grant, Role, Rule, without_admin
from celeriac.settings.section import Name, Seconds, Section

Algorithm = Literal["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA"]
HOUR_S = 3600.0
ARGON2 = re.compile(r"\$argon2id?\$v=\d+\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{22,}")


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        msg = "is not a network; write it like 10.1.0.0/16, or one address like 10.1.2.3"
        raise ValueError(msg) from None
    return text


def _address(text: str) -> str:
    if not re.fullmatch(r"https?://\S+", text):
        msg = "is not an address; write it like https://sso.example.com"
        raise ValueError(msg)
    return text


Address = Annotated[str, AfterValidator(_address)]
Network = Annotated[str, AfterValidator(_network)]


class GrantSettings(Section):
    """`[[access.grant]]`: one row of the table of roles. The first row that fits somebody and covers a place decides there."""

    group: str | None = Field(
        default=None,
        min_length=1,
        description="Who is in this group of the provider: its whole name, or the CN of a distinguished name; case is ignored.",
    )
    client: str | None = Field(default=None, min_length=1, description="The program with this client id.")
    scope: str | None = Field(default=None, min_length=1, description="Programs whose token has this scope.")
    role: Role = Field(description="`viewer`, `operator`, `responder` or `admin`.")
    clusters: tuple[Name, ...] = Field(default=(), description="Only in these clusters; in all if left out.")
    apps: tuple[str, ...] = Field(default=(), description="Only for these apps; for all if left out.")
    payloads: bool = Field(default=False, description="Whether arguments and results of tasks are shown.")

    @model_validator(mode="after")
    def _for_somebody(self) -> "GrantSettings":
        if self.group is None and self.client is None and self.scope is None:
            msg = "names nobody; give a group, a client or a scope"
            raise ValueError(msg)
        return self

    def rule(self) -> Rule:
        """Return the row for the core."""
        return Rule(Grant(self.role, self.clusters, self.apps, self.payloads), self.group, self.client, self.scope)


class OidcSettings(Section):
    """`[access.oidc]`: the OpenID provider, such as PingFederate."""

    issuer: Address = Field(description="The issuer exactly as the provider has it.")
    client_id: str = Field(min_length=1, description="Our client id at the provider.")
    client_auth: Literal["basic", "post", "private_key_jwt"] = Field(
        default="basic", description="How we show the provider who we are: `basic`, `post` or `private_key_jwt`."
    )
    client_secret: SecretStr | None = Field(default=None, description="The secret, for `basic` and `post`.")
    client_key: Path | None = Field(default=None, description="File of the private key in PEM, for `private_key_jwt`.")
    scopes: tuple[str, ...] = Field(
        default=("openid", "profile", "email"), description="What is asked for; what carries the groups belongs here."
    )
    group_claims: tuple[str, ...] = Field(
        default=("groups", "memberOf", "roles"), description="The claims that may hold the groups; all are read."
    )
    name_claims: tuple[str, ...] = Field(
        default=("preferred_username", "email", "name"), description="The claims that may hold what a person is called."
    )
    algorithms: tuple[Algorithm, ...] = Field(
        default=("RS256", "ES256", "PS256"),
        min_length=1,
        description="The signatures that are accepted, whatever the provider announces.",
    )
    ca_file: Path | None = Field(default=None, description="File with the private CA of the provider, in PEM.")
    timeout: Seconds = Field(default=5, le=60, description="Seconds that one answer of the provider may take.")
    api_audience: str | None = Field(
        default=None,
        min_length=1,
        description="The audience that programs' tokens must have, another than client_id; without it none is taken.",
    )
    api_issuer: str | None = Field(
        default=None,
        description="Their issuer, where it is another than ours; Ping's access tokens may have their own.",
    )
    api_jwks: str | None = Field(
        default=None,
        pattern=r"^https?://\S+$",
        description="Where their keys are, where they are not the provider's own.",
    )
    introspect: bool = Field(
        default=False, description="Whether tokens that are no JWT are shown to the provider (RFC 7662)."
    )
    refresh: Seconds = Field(
        default=600,
        ge=30,
        description="Seconds after which roles are read again with the refresh token, if there is one.",
    )
    reauthorise: Seconds = Field(
        default=8 * HOUR_S,
        ge=60,
        description="Seconds after which a person is sent to the provider anew, as Ping's refresh keeps groups as they were.",
    )

    @model_validator(mode="after")
    def _credentials(self) -> "OidcSettings":
        if self.client_auth == "private_key_jwt" and self.client_key is None:
            msg = "client_auth is private_key_jwt and client_key is missing; name the file of the private key"
            raise ValueError(msg)
        if self.client_auth != "private_key_jwt" and self.client_secret is None:
            msg = (
                f"client_auth is {self.client_auth} and client_secret is missing; set it, or the variable "
                "CELERIAC_ACCESS__OIDC__CLIENT_SECRET"
            )
            raise ValueError(msg)
        if self.api_audience == self.client_id:
            msg = (
                "api_audience is the client_id, so an ID token would pass for a program's token; give programs another"
            )
            raise ValueError(msg)
        if "openid" not in self.scopes:
            msg = "scopes lack openid, without which a provider gives no ID token"
            raise ValueError(msg)
        return self


class BreakGlassSettings(Section):
    """`[access.break_glass]`: one local administrator for when the provider is gone; there is none without this table."""

    name: str = Field(default="break-glass", min_length=1, description="What it signs on as.")
    hash: SecretStr = Field(description="The argon2 hash of its password; `celeriac user hash` makes one.")
    networks: tuple[Network, ...] = Field(min_length=1, description="The networks that it may sign on from.")

    @field_validator("hash")
    @classmethod
    def _argon2(cls, hashed: SecretStr) -> SecretStr:
        if not ARGON2.fullmatch(hashed.get_secret_value()):
            msg = "is not an argon2 hash; make one with `celeriac user hash`"
            raise ValueError(msg)
        return hashed


class SessionSettings(Section):
    """`[access.session]`: how long a sign-on lasts."""

    idle: Seconds = Field(default=4 * HOUR_S, description="Seconds without a person's doing anything that end it.")
    longest: Seconds = Field(default=12 * HOUR_S, description="Seconds after which it ends in any case.")


class AccessSettings(Section):
    """`[access]`: who may use the console and the API."""

    sign_on: Literal["none", "users", "oidc"] = Field(
        default="none",
        description="`oidc` signs on at a provider, `users` by a file of users, `none` lets everybody who reaches the address "
        "do everything, and is for a loopback address without a proxy before it only.",
    )
    users: Path | None = Field(default=None, description="The users file, for `users`; `celeriac user add` makes it.")
    oidc: OidcSettings | None = None
    grant: tuple[GrantSettings, ...] = ()
    session: SessionSettings = SessionSettings()
    break_glass: BreakGlassSettings | None = None
    tries: int = Field(
        default=5, ge=1, description="Wrong passwords within a quarter of an hour that lock a name, or an address."
    )

    @model_validator(mode="after")
    def _complete(self) -> "AccessSettings":
        if self.sign_on == "users" and self.users is None:
            msg = "sign_on is users and access.users is missing; name the file, or give `serve --users FILE`"
            raise ValueError(msg)
        if self.sign_on != "oidc" and self.break_glass is not None:
            msg = "break_glass is for when the provider is gone, and sign_on is not oidc; add a user to the users file instead"
            raise ValueError(msg)
        if self.sign_on == "oidc" and self.oidc is None:
            msg = "sign_on is oidc and the table [access.oidc] is missing"
            raise ValueError(msg)
        if self.sign_on == "oidc" and (no := without_admin(self.rules())):
            msg = f'{no}; add [[access.grant]] with group and role = "admin"'
            raise ValueError(msg)
        return self

    def rules(self) -> tuple[Rule, ...]:
        """Return the table of roles for the core."""
        return tuple(one.rule() for one in self.grant)


class AuditSettings(Section):
    """`[audit]`: how long the audit trail is kept, and where each of its rows goes besides the store."""

    days: int = Field(default=730, ge=30, description="Days that rows are kept.")
    lines: str = Field(
        default="stdout",
        pattern=r"^(stdout|none|syslog://[^\s/:]+(:\d{1,5})?|syslog\+tcp://[^\s/:]+(:\d{1,5})?)$",
        description="Where each row goes as a line of JSON: `stdout`, `none`, `syslog://host:514` (UDP) or "
        "`syslog+tcp://host:514`.",
    )
