"""Where strings and values end in a text made by `repr` or by Celery's `saferepr`, and in what such a text quotes.

`saferepr` escapes quotes but not backslashes, so the two write different things for one string: a place that one would
read as the end of a string and the other as its middle is unclear.
"""

import re

ASSIGNS = r"(?:=>|[:=]{1,2})"

_KEY = rf"[\\\"']*[\w.\-%]+[\\\"'\]]*\s*{ASSIGNS}"
_BEHIND = r"\s|[,:;=&)\]}>]|\.(?:\s|\.|$)|$"

_QUOTE = re.compile(r"(\\*)([\"'])")
# Each run of backslashes is looked at once, from its beginning.
_CLOSING = {quote: re.compile(rf"(?<!\\)(\\*){quote}") for quote in "\"'"}
_LITERAL = re.compile(r"[bBuUrRfF]{0,2}(\\*[\"'])")
# A string begins behind punctuation, maybe with a prefix: an apostrophe within a word begins none.
_OPENING = re.compile(r"(?:(?<![^\s(\[{,:=<])|(?<=\b[bBuUrRfF])|(?<=\b[bBrR][bBrR]))\\*[\"']")
_ENDED = re.compile(_BEHIND)
_ENDED_WITHIN = re.compile(rf"{_BEHIND}|[\\\"']")
_PLAIN = re.compile(r"\s+|[^\"'()\[\]{}<>,&;\s\\.]+")
_COOKIES = re.compile(r"[\w.-]+=[^;\s\"'\\]*(?:;\s*[\w.-]+(?:=[^;\s\"'\\]*)?)+")
# Where a value without quotes ends. Punctuation with more of a word behind it is part of the value.
_VALUE_ENDS = re.compile(
    rf"\s*$|\.\.\.\s*$|\s*(?:[\r\n]|\\[rn])|\s+{_KEY}|\s*[,;](?:\s|$|{_KEY})|&(?:{_KEY}|$)"
    rf"|(?:[)\]}}>]|(?<!\\)\\*[\"'])(?:{_BEHIND}|[\\\"'])"
)
_OPENS = re.compile(r"[(\[{]|(?<!\w)<(?=[A-Za-z_])")
_PARTNERS = {")": "(", "]": "[", "}": "{", ">": "<"}


class UnclearError(Exception):
    """It cannot be told where the strings of a text begin and end."""


class OpenError(Exception):
    """The text ends within a string or a bracket."""


def begins_string(text: str, at: int) -> bool:
    """Tell whether the quote at `at` can begin a string."""
    return _OPENING.match(text, at) is not None


def opening(text: str, at: int) -> str:
    r"""Return the quote, with its backslashes, of the string that a value at `at` is: `"`, `\'`, or nothing."""
    literal = _LITERAL.match(text, at)
    return literal[1] if literal else ""


def string_end(text: str, at: int, *, within: bool = False) -> int:
    """Return the index behind the string whose quote is at `at`; `within` another string, quotes may be escaped.

    Raises OpenError when the text ends before, UnclearError as said above.
    """
    first = _QUOTE.match(text, at)
    if first is None or (first[1] and not within):
        raise UnclearError
    ended = _ENDED_WITHIN if within else _ENDED
    for quote in _CLOSING[first[2]].finditer(text, first.end()):
        more = len(quote[1]) - len(first[1])
        may_end = ended.match(text, quote.end()) and not text.startswith(first[2], quote.end())
        if may_end and more == 0:
            return quote.end()
        if more <= 0 or (may_end and (within or more % 2 == 0)):
            raise UnclearError
    raise OpenError


def value_end(text: str, at: int, *, within: bool = False) -> int:
    """Return the index behind the value that begins at `at`: a string, a bracket, an object, a word, a few words.

    An ellipsis at the end of the text is not part of it. Raises as `string_end` does.
    """
    if literal := _LITERAL.match(text, at):
        return string_end(text, literal.start(1), within=within)
    if within and (cookies := _COOKIES.match(text, at)):
        at = cookies.end()
    inside: list[str] = []
    while at < len(text):
        if not inside and _VALUE_ENDS.match(text, at):
            return at
        if plain := _PLAIN.match(text, at):
            at = plain.end()
        elif _OPENING.match(text, at):
            at = string_end(text, at, within=within)
        else:
            _count(text, at, inside)
            at += 1
    if inside:
        raise OpenError
    return at


def _count(text: str, at: int, inside: list[str]) -> None:
    """Note that a bracket is opened here, or that the innermost one is closed."""
    char = text[at]
    if _OPENS.match(text, at):
        inside.append(char)
    elif inside and inside[-1] == _PARTNERS.get(char):
        inside.pop()
    elif inside and char in ")]}":
        raise UnclearError
