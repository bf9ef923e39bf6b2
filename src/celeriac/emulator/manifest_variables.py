"""YAML files of Cloud Foundry, and the `((variables))` in them."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from celeriac.emulator.tables import EmulatorConfigError

_VARIABLE = re.compile(r"\(\(([A-Za-z0-9_.-]+)\)\)")


def load_yaml(path: Path) -> Any:
    """Return what a YAML file holds, anchors and merges resolved; raises `EmulatorConfigError`."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise EmulatorConfigError(f"it cannot be read: {error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise EmulatorConfigError(f"it is not valid YAML{where}: {getattr(error, 'problem', None) or error}") from error


def read_variables(pairs: Iterable[str], files: Iterable[Path]) -> dict[str, object]:
    """Return the variables of files and, which outdo them, of `NAME=VALUE` pairs; raises `EmulatorConfigError`."""
    variables: dict[str, object] = {}
    for path in files:
        try:
            content = load_yaml(path)
        except EmulatorConfigError as error:
            raise EmulatorConfigError(f"{path}: {error}") from None
        if not isinstance(content, dict):
            raise EmulatorConfigError(f"{path}: it holds no variables: write NAME: VALUE lines")
        variables |= content
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise EmulatorConfigError("--var takes NAME=VALUE")
        variables[name] = yaml.safe_load(value) if value else ""
    return variables


def filled(content: Any, variables: Mapping[str, object]) -> Any:
    """Return the content with every `((name))` replaced; alone in a text it keeps its value's kind, like a number."""
    if isinstance(content, dict):
        return {filled(key, variables): filled(value, variables) for key, value in content.items()}
    if isinstance(content, list):
        return [filled(each, variables) for each in content]
    if not isinstance(content, str):
        return content
    if whole := _VARIABLE.fullmatch(content):
        return _value(whole[1], variables)
    return _VARIABLE.sub(lambda match: str(_value(match[1], variables)), content)


def _value(name: str, variables: Mapping[str, object]) -> object:
    if name not in variables:
        raise EmulatorConfigError(f"(({name})) has no value: give it with --var {name}=VALUE or in a --vars-file")
    return variables[name]
