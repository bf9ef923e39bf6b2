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
    api: str = Field(description="URL of the API, as `cf api` shows it.")
    org: str = Field(description="Organization.")
    space: str = Field(description="Space.")
    username: str | None = Field(default=None, description="User to log in as; or give client_id.")
    password: SecretStr | None = Field(
        default=None, description="The user's password; better in CELERIAC_PLATFORM__<NAME>__PASSWORD."
    )
    client_id: str | None = Field(default=None, description="UAA client to log in as (client_credentials).")
    client_secret: SecretStr | None = Field(default=None, description="The client's secret.")
    ca_file: Path | None = Field(
        default=None, description="PEM file of the authority that signed the API's certificate."
    )
    timeout: Seconds = Field(default=10.0, description="Seconds that one request may take.")
    poll: Seconds = Field(default=10.0, description="Seconds between two reads while all is well.")
    poll_on_suspicion: Seconds = Field(default=2.0, description="Seconds between two reads while something is wrong.")

    @field_validator("api")
    @classmethod
    def _url(cls, api: str) -> str:
        return checked_url(api, ("http", "https"), "https://api.example.com")

    @model_validator(mode="after")
    def _login(self) -> "PlatformSettings":
        user = self.username is not None and self.password is not None
        client = self.client_id is not None and self.client_secret is not None
        if user == client:
            msg = "give either username and password, or client_id and client_secret"
            raise ValueError(msg)
        return self
