"""Lists: query parameters as the v3 API reads and refuses them, filtering, ordering and pages."""

import math
import re
import time
from calendar import timegm
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlencode

from celeriac.emulator.errors import bad_query

_PAGING = ("page", "per_page", "order_by")
_TIMES = "created_ats"
_RELATIONS: dict[str, Callable[[int, int], bool]] = {
    "gt": lambda at, bound: at > bound,
    "gte": lambda at, bound: at >= bound,
    "lt": lambda at, bound: at < bound,
    "lte": lambda at, bound: at <= bound,
}
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_MOST_PER_PAGE = 5000


class ListQuery:
    """The parameters of one list request, checked; raises `ApiError` 400 for what the list does not know."""

    def __init__(self, params: Mapping[str, str], filters: Sequence[str], orders: Sequence[str] = ()) -> None:
        self._params = dict(params)
        orders = ("created_at", "updated_at", *orders)
        _refuse_unknown(self._params, (*_PAGING, *filters))
        self.page = self._number("page")
        self.per_page = self._number("per_page", 50)
        if self.per_page > _MOST_PER_PAGE:
            raise bad_query(f"Per page must be between 1 and {_MOST_PER_PAGE}")
        sign, self.order = _order(self._params.get("order_by", ""), orders)
        self.descending = sign == "-"

    def keeps(self, name: str, value: str) -> bool:
        """Tell whether a filter lets a value through; a filter that was not given lets everything through."""
        return name not in self._params or value in _values(self._params[name])

    def keeps_name(self, name: str, value: str) -> bool:
        """Do the same as `keeps`, regardless of case."""
        return name not in self._params or value.lower() in {each.lower() for each in _values(self._params[name])}

    def keeps_time(self, at: int) -> bool:
        """Tell whether the `created_ats` filters let a time in epoch seconds through."""
        if _TIMES in self._params and at not in {_seconds(text) for text in _values(self._params[_TIMES])}:
            return False
        bounds = {name: self._params.get(f"{_TIMES}[{name}]") for name in _RELATIONS}
        return all(text is None or _RELATIONS[name](at, _seconds(text)) for name, text in bounds.items())

    def asks(self, name: str, value: str) -> bool:
        """Tell whether a parameter was given and names this value."""
        return name in self._params and value in _values(self._params[name])

    def check_choices(self, name: str, choices: Sequence[str]) -> None:
        """Refuse other values of a parameter than these."""
        for value in _values(self._params.get(name, "")):
            if value not in choices:
                raise bad_query(f"Invalid {name} value: '{value}'. Valid values are: '{', '.join(choices)}'")

    def paginate(self, items: Iterable[Any], render: Callable[[Any], dict[str, Any]], url: str) -> dict[str, Any]:
        """Return the page of the answer; `url` is the list's own, without a query."""
        ordered = self._ordered(list(items))
        pages = max(1, math.ceil(len(ordered) / self.per_page))
        start = (self.page - 1) * self.per_page
        return {
            "pagination": {
                "total_results": len(ordered),
                "total_pages": pages,
                "first": self._link(url, 1),
                "last": self._link(url, pages),
                "next": self._link(url, self.page + 1) if self.page < pages else None,
                "previous": self._link(url, self.page - 1) if self.page > 1 else None,
            },
            "resources": [render(item) for item in ordered[start : start + self.per_page]],
        }

    def _ordered(self, items: list[Any]) -> list[Any]:
        if not self.order:
            return items
        # Times have whole seconds, and the platform breaks ties by the guid, in ascending order either way.
        by_guid = sorted(items, key=lambda item: str(item.guid))
        return sorted(by_guid, key=lambda item: getattr(item, self.order), reverse=self.descending)

    def _link(self, url: str, page: int) -> dict[str, str]:
        query = self._params | {"page": str(page), "per_page": str(self.per_page)}
        return {"href": f"{url}?{urlencode(sorted(query.items()))}"}

    def _number(self, name: str, default: int = 1) -> int:
        text = self._params.get(name, str(default))
        if not (text.isascii() and text.isdigit()) or int(text) < 1:
            raise bad_query(f"{name.replace('_', ' ').capitalize()} must be a positive integer")
        return int(text)


def timestamp(at: int) -> str:
    """Format epoch seconds as the API does."""
    return time.strftime(_FORMAT, time.gmtime(at))


def _refuse_unknown(params: Mapping[str, str], valid: Sequence[str]) -> None:
    related = {f"{_TIMES}[{relation}]" for relation in _RELATIONS} if _TIMES in valid else set()
    unknown = [name for name in params if name not in valid and name not in related]
    if unknown:
        names = ", ".join(f"'{name}'" for name in unknown)
        known = ", ".join(f"'{name}'" for name in valid)
        raise bad_query(f"Unknown query parameter(s): {names}. Valid parameters are: {known}")
    for name in params.keys() & {_TIMES, *related}:
        for text in _values(params[name]):
            _seconds(text)


def _order(text: str, orders: Sequence[str]) -> tuple[str, str]:
    sign, name = (text[0], text[1:]) if text[:1] in ("-", "+") else ("", text)
    if text and name not in orders:
        known = ", ".join(f"'{order}'" for order in orders)
        raise bad_query(f"Order by can only be: {known}")
    return sign, name


def _values(text: str) -> list[str]:
    """Split a filter at its commas; a comma in a value comes encoded twice."""
    return [unquote(part.strip()) for part in text.split(",")] if text else []


def _seconds(text: str) -> int:
    try:
        if not _TIMESTAMP.fullmatch(text):
            raise ValueError(text)
        return timegm(time.strptime(text, _FORMAT))
    except ValueError:
        wanted = "Timestamps should be formatted as 'YYYY-MM-DDThh:mm:ssZ'"
        raise bad_query(f"Created ats has an invalid timestamp format. {wanted}") from None
