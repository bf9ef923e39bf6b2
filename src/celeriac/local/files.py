"""The two files of an app: a Procfile (`type: command`) and variables (`NAME=value`), one a line, `#` for comments."""

import re
from pathlib import Path

from celeriac.local.errors import LocalError

_TYPE = re.compile(r"^([A-Za-z0-9_-]{1,63}):\s*(\S.*)$")
_VARIABLE = re.compile(r"^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$")


def procfile(path: Path) -> dict[str, str]:
    """Return the command of each process type, in the file's order."""
    commands: dict[str, str] = {}
    for number, line in _lines(path):
        found = _TYPE.match(line)
        if found is None:
            raise LocalError(f"{path}, line {number}, is not of the form `type: command`.")
        if found[1] in commands:
            raise LocalError(f"{path}, line {number}: the process type {found[1]} is there twice.")
        commands[found[1]] = found[2]
    if not commands:
        raise LocalError(f"{path} names no process; a line looks like `worker: celery -A app worker`.")
    return commands


def variables(path: Path) -> dict[str, str]:
    """Return the variables of a file; a value in quotes is taken without them, and nothing in it is expanded."""
    found: dict[str, str] = {}
    for number, line in _lines(path):
        one = _VARIABLE.match(line)
        if one is None:
            raise LocalError(f"{path}, line {number}, is not of the form `NAME=value`.")
        value = one[2].strip()
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
        found[one[1]] = value[1:-1] if quoted else value
    return found


def _lines(path: Path) -> list[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LocalError(f"{path} cannot be read: {error}.") from None
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    return [(number, line) for number, line in lines if line and not line.startswith("#")]
