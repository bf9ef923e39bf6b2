"""Where settings come from: `celeriac.toml`, then `CELERIAC_*` variables, then flags; checked whole before anything starts.

On Cloud Foundry its environment gives what these leave out: the console's port, and the brokers of bound services.

Every wrong value is answered by one sentence that names the setting and the fix, and never quotes the value: it may be a
secret.
"""

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from celeriac.core.errors import SettingsError
from celeriac.settings import cloudfoundry
from celeriac.settings.access import AccessSettings, AuditSettings
from celeriac.settings.console import ConsoleSettings
from celeriac.settings.history import HistorySettings
from celeriac.settings.local_platform import LocalPlatformSettings
from celeriac.settings.model import (
    ClusterSettings,
    HealSettings,
    Settings,
)
from celeriac.settings.platform import PlatformSettings
from celeriac.settings.section import Section

OTHER_VARIABLES = frozenset(
    {
        "CELERIAC_URL",
        "CELERIAC_TOKEN",
        "CELERIAC_CA_FILE",
        "CELERIAC_CONFIG",
        "CELERIAC_BROKER",
        "CELERIAC_CLOCK_ANCHOR",
    }
)
SHORT = {"CELERIAC_MODE": "heal__mode", "CELERIAC_HOST": "console__host", "CELERIAC_PORT": "console__port"}


def read(
    path: Path | None, flags: Mapping[str, object] | None = None, environ: Mapping[str, str] = os.environ
) -> Settings:
    """Return the settings of a file (None: only variables), overridden by variables and then by flags that are not None."""
    values = _file(path) if path else {}
    for name, text in sorted(environ.items()):
        if name.startswith("CELERIAC_") and name not in OTHER_VARIABLES:
            _place(values, name, text)
    for name, flag in (flags or {}).items():
        if flag is not None:
            _put(values, name.split("__"), flag, name)
    cloudfoundry.complete(values, environ)
    return _checked(values)


def alone(*, broker: str, store: str, cluster: str, payloads: str) -> Settings:
    """Return the settings of one observer that runs alone, from its flags."""
    return _checked({"store": store, "cluster": [{"name": cluster, "broker": broker, "payloads": payloads}]})


def _checked(values: dict[str, Any]) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_sentence(error, values)) from None


def _file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise SettingsError(f"There is no settings file {path}; name one with --config.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The settings file {path} cannot be read: {error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"The settings file {path} is not valid TOML: {error}.") from None


def _place(values: dict[str, Any], name: str, text: str) -> None:
    path = SHORT.get(name, name.removeprefix("CELERIAC_").lower())
    _put(values, path.split("__"), text, name)


def _put(values: dict[str, Any], path: list[str], value: object, source: str) -> None:
    """Set one value; the second part of `platform__cf__password` names the table in a list by its `name`."""
    place: Any = values
    for part in path[:-1]:
        if isinstance(place, list):
            place = _named(place, part.replace("_", "-"), source)
        elif isinstance(place, dict):
            place = place.setdefault(part, [] if part in {"platform", "cluster"} else {})
    if not isinstance(place, dict):
        raise SettingsError(f"{source} does not name a setting; it looks like CELERIAC_PLATFORM__<NAME>__PASSWORD.")
    place[path[-1]] = value


def _named(tables: list[Any], name: str, source: str) -> Any:
    for table in tables:
        if isinstance(table, dict) and table.get("name") == name:
            return table
    raise SettingsError(f"{source} names the table {name!r}, and the settings file has none of that name.")


def _sentence(error: ValidationError, values: dict[str, Any]) -> str:
    """Return the first fault as a sentence; values are not quoted, as they may be secrets."""
    fault = error.errors(include_url=False, include_input=False)[0]
    loc = _own_steps(fault["loc"])
    where = _where(loc, values)
    if fault["type"] == "missing":
        return f"The setting {where} is missing."
    if fault["type"] == "extra_forbidden":
        return f"There is no setting {where}{_did_you_mean(fault['loc'])}."
    if fault["loc"] == ("cluster",):
        return "There is no [[cluster]]: name at least one with its name and broker."
    text = fault["msg"].removeprefix("Value error, ")
    return f"The setting {where}: {text}." if where else f"The settings do not fit: {text}."


def _own_steps(loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Leave out the kind of a platform, which pydantic puts behind its table."""
    return (*loc[:2], *loc[3:]) if len(loc) > 2 and loc[0] == "platform" else loc


def _where(loc: tuple[int | str, ...], values: dict[str, Any]) -> str:
    """Return a location as people write it: `platform.cf.password` instead of `platform.0.password`."""
    parts: list[str] = []
    place: Any = values
    for step in loc:
        try:
            place = place[step]
        except (KeyError, IndexError, TypeError):
            place = None
        named = isinstance(step, int) and isinstance(place, dict) and place.get("name")
        parts.append(str(named or step))
    return ".".join(parts)


def _did_you_mean(loc: tuple[int | str, ...]) -> str:
    sections: dict[str, type[Section]] = {
        "console": ConsoleSettings,
        "access": AccessSettings,
        "audit": AuditSettings,
        "platform": PlatformSettings,
        "cluster": ClusterSettings,
        "heal": HealSettings,
        "history": HistorySettings,
    }
    section = sections.get(str(loc[0]), Settings) if len(loc) > 1 else Settings
    section = LocalPlatformSettings if loc[0] == "platform" and "local" in loc[2:3] else section
    close = difflib.get_close_matches(str(loc[-1]), section.model_fields, n=1)
    return f"; did you mean {close[0]}?" if close else f"; there are: {', '.join(section.model_fields)}"
