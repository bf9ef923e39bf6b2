"""Label selectors, as the v3 API reads them: `k`, `!k`, `k=v`, `k==v`, `k!=v`, `k in (a,b)`, `k notin (a,b)`."""

import re
from collections.abc import Callable, Mapping

from celeriac.emulator.errors import bad_query

_COMMA = re.compile(r",(?![^(]*\))")
_SET = re.compile(r"(\S+)\s+(in|notin)\s*\(([^()]*)\)")
_EQUAL = re.compile(r"([^!=\s]+)\s*(==|=|!=)\s*([^!=\s]*)")
_EXISTS = re.compile(r"(!?)([^!=\s(),]+)")
Labels = Mapping[str, str]


def selects(selector: str) -> Callable[[Labels], bool]:
    """Return what tells whether labels fit all requirements of a selector; raises `ApiError` 400 for a broken one."""
    wanted = [_requirement(part.strip()) for part in _COMMA.split(selector)]
    return lambda labels: all(fits(labels) for fits in wanted)


def _requirement(text: str) -> Callable[[Labels], bool]:
    if found := _SET.fullmatch(text):
        key, operator, values = found[1], found[2], {each.strip() for each in found[3].split(",")}
        return lambda labels: (labels.get(key) in values) is (operator == "in")
    if found := _EQUAL.fullmatch(text):
        key, operator, value = found[1], found[2], found[3]
        return lambda labels: (labels.get(key) == value) is (operator != "!=")
    if found := _EXISTS.fullmatch(text):
        absent, key = bool(found[1]), found[2]
        return lambda labels: (key in labels) is not absent
    raise bad_query("Invalid label_selector value")
