"""Where a platform is, and who asks it."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from celeriac.settings.section import Name, Seconds, Section
from celeriac.settings.urls import checked_url


class PlatformSettings(Section):
    """`[[platform]]`: one Cloud Foundry space."""

    name: Name = Field(description="What clusters call it.")
    kind: Literal["cloudfoundry"] = Field(default="cloudfoundry", description="The kind of platform.")
    api: str | None = Field(
        default=None, description="URL of the API, as `cf api` shows it; may be left out with cf_login."
    )
    org: str | None = Field(default=None, description="Organization; without it that of cf_login.")
    space: str | None = Field(default=None, description="Space; without it that of cf_login.")
    username: str | None = Field(default=None, description="User to log in as, with password.")
    password: SecretStr | None = Field(
        default=None, description="The user's password; better in CELERIAC_PLATFORM__<NAME>__PASSWORD."
    )
    origin: str | None = Field(
        default=None, description="Identity provider that knows the user (`ldap`), where UAA has several."
    )
    client_id: str | None = Field(default=None, description="UAA client to log in as (client_credentials).")
    client_secret: SecretStr | None = Field(default=None, description="The client's secret.")
    refresh_token: SecretStr | None = Field(default=None, description="A refresh token of UAA's client `cf`.")
    passcode: SecretStr | None = Field(
        default=None,
        description="One-time passcode of single sign-on (from `/passcode` of the login server). It is used once; the refresh "
        "token that it gives is kept in the store's directory, for its owner alone, until it ends.",
    )
    cf_login: bool = Field(
        default=False,
        description="Use the login of the `cf` command. Its `.cf/config.json` in CF_HOME or the home directory is only read.",
    )
    cf_home: Path | None = Field(default=None, description="With cf_login: the directory in place of CF_HOME.")
    ca_file: Path | None = Field(
        default=None, description="PEM file of the authority that signed the API's certificate."
    )
    app_autoscaler: str | None = Field(
        default=None,
        description="URL of App Autoscaler's API (`https://autoscaler.` and the system domain, as a rule). Our token is sent there; "
        "without this setting App Autoscaler is not asked whether it scales an app, and `celeriac scale` goes on.",
    )
    requests_per_minute: float = Field(
        default=30.0,
        ge=2,
        description="Requests that this account may send to this foundation per minute, over all tables with the same api and "
        "account: four fifths are the keeper's, one fifth is the console's. Polls, and what people read of apps, wait to keep within.",
    )
    timeout: Seconds = Field(default=10.0, description="Seconds that one request may take.")
    poll: Seconds = Field(default=10.0, description="Seconds between two reads while all is well.")
    poll_on_suspicion: Seconds = Field(default=2.0, description="Seconds between two reads while something is wrong.")

    @field_validator("api", "app_autoscaler")
    @classmethod
    def _url(cls, api: str | None) -> str | None:
        return api if api is None else checked_url(api, ("http", "https"), "https://api.example.com")

    @model_validator(mode="after")
    def _login(self) -> "PlatformSettings":
        given = {
            "username and password": (self.username, self.password),
            "client_id and client_secret": (self.client_id, self.client_secret),
            "refresh_token": (self.refresh_token,),
            "passcode": (self.passcode,),
            "cf_login": (self.cf_login or None,),
        }
        begun = [name for name, parts in given.items() if any(one is not None for one in parts)]
        whole = [name for name in begun if all(one is not None for one in given[name])]
        if len(begun) != 1 or begun != whole:
            msg = f"give either {', or '.join(given)}" + (f"; there are: {'; '.join(begun)}" if len(begun) > 1 else "")
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _complete(self) -> "PlatformSettings":
        for name in ("api", "org", "space"):
            if getattr(self, name) is None and not self.cf_login:
                msg = f"{name} is missing; only with cf_login may it be left out"
                raise ValueError(msg)
        if self.origin is not None and self.username is None:
            msg = "origin goes with username and password; leave it out"
            raise ValueError(msg)
        if self.cf_home is not None and not self.cf_login:
            msg = "cf_home goes with cf_login = true; add that or leave it out"
            raise ValueError(msg)
        return self
