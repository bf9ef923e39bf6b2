"""The login of the `cf` command, read from its own file and never written back: UAA renews it for both of us.

Source of the fields: cli v8, `ConfigVersion` 4.
"""

import json
import os
from pathlib import Path
from typing import Any

from msgspec import Struct

from celeriac.core.errors import RefusedError

VERSION = 4


class CfLogin(Struct, frozen=True):
    """What the file holds of a login and its target."""

    path: Path
    target: str
    access_token: str
    refresh_token: str
    client: tuple[str, str]
    of_client: bool
    org: str | None = None
    space: str | None = None

    def __repr__(self) -> str:
        return f"CfLogin({self.path})"


def path_of(home: Path | None) -> Path:
    """Return where `cf` keeps its login: below the given directory, CF_HOME, or the home directory."""
    return (home or Path(os.environ.get("CF_HOME") or Path.home())).expanduser() / ".cf" / "config.json"


def read(path: Path, setting: str) -> CfLogin:
    """Return the login in that file; RefusedError tells what to do where there is none."""
    try:
        found = json.loads(path.read_text())
        if found["ConfigVersion"] != VERSION or not found["Target"] or not found["AccessToken"]:
            raise RefusedError(
                f"{path} holds no login of `cf` version 7 or later; run `cf login`, or leave out {setting}"
            )
        return _taken(path, found)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise RefusedError(f"{path} cannot be read ({why}); run `cf login`, or leave out {setting}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise RefusedError(f"{path} is not what `cf` writes; run `cf login`, or leave out {setting}") from None


def _taken(path: Path, found: dict[str, Any]) -> CfLogin:
    return CfLogin(
        path=path,
        target=found["Target"].rstrip("/"),
        access_token=found["AccessToken"].split()[-1],
        refresh_token=found.get("RefreshToken") or "",
        client=(found.get("UAAOAuthClient") or "cf", found.get("UAAOAuthClientSecret") or ""),
        of_client=found.get("UAAGrantType") == "client_credentials",
        org=(found.get("OrganizationFields") or {}).get("Name") or None,
        space=(found.get("SpaceFields") or {}).get("Name") or None,
    )
