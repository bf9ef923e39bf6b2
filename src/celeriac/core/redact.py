"""Redaction of what tasks carry, before it is stored: values under secret keys, credentials in URLs and headers.

Payloads reach us as text: exceptions as `repr`, arguments and results as Celery's `saferepr`, cut at 1,024 characters.
Where it is in doubt how to read a text, what may be secret is left out.
"""

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum

from celeriac.core.reprs import ASSIGNS, OpenError, UnclearError, begins_string, opening, string_end, value_end
from celeriac.core.secret_words import WORDS, SecretWords
from celeriac.core.tasks import Task

MASK = "***"
NOT_STORED = "<not stored: it mentions a secret and cannot be parsed>"

LONGEST = 65_536
"""A longer text that may hold a secret is cut to half of this: reading it must not hold up the events behind it."""

AT_ONCE = 16
"""Tasks that are looked through at once."""


class Payloads(StrEnum):
    """How much of arguments, results and exceptions is stored."""

    NONE = "none"
    REDACTED = "redacted"
    FULL = "full"


_EXCEPTION_TYPE = re.compile(r"[A-Za-z_][\w.]*(?=\(|$)")


class Redaction:
    """What is kept of payloads; `words` as in `WORDS`. Redacting twice gives the same as once."""

    def __init__(self, payloads: Payloads = Payloads.REDACTED, words: Iterable[str] = WORDS) -> None:
        self.payloads = payloads
        self._words = SecretWords(words)

    def tasks(self, these: Sequence[Task]) -> None:
        """Leave in the tasks only what may be stored; most hold no secret, which is seen of several at once."""
        if self.payloads is Payloads.FULL:
            return
        for start in range(0, len(these), AT_ONCE):
            some = these[start : start + AT_ONCE]
            if self.payloads is Payloads.NONE or self._words.may_be_in("\n".join(map(_carried, some))):
                for task in some:
                    self.task(task)

    def task(self, task: Task) -> None:
        """Leave in the task only what may be stored."""
        if self.payloads is Payloads.NONE:
            task.args = task.kwargs = task.result = task.traceback = None
            named = task.exception and _EXCEPTION_TYPE.match(task.exception)
            task.exception = named[0] if named else None
        elif self.payloads is Payloads.REDACTED and self._words.may_be_in(_carried(task)):
            task.args, task.kwargs = self.text(task.args), self.text(task.kwargs)
            task.result, task.exception = self.text(task.result), self.text(task.exception)
            if task.traceback:
                task.traceback = _traceback(_without_credentials(_bounded(task.traceback)), self._words)

    def text(self, value: str | None) -> str | None:
        """Return what may be stored of one `repr`."""
        if value is None or self.payloads is Payloads.FULL:
            return value
        if self.payloads is Payloads.NONE:
            return None
        return self._redacted(value) if self._words.may_be_in(value) else value

    def sentence(self, text: str) -> str:
        """Return what may be stored of a text that people or programs wrote, and that is no `repr`."""
        return _within(_without_credentials(_bounded(text)), self._words) if self._words.may_be_in(text) else text

    def _redacted(self, text: str) -> str:
        text = _without_credentials(_bounded(text))
        if text == NOT_STORED or not self._words.word.search(_lower(text)):
            return text
        try:
            return _Repr(text, self._words).redacted()
        except UnclearError:
            return NOT_STORED


def _carried(task: Task) -> str:
    """Return all texts of a task as one: one search costs less than five."""
    texts = (task.args or "", task.kwargs or "", task.result or "", task.exception or "", task.traceback or "")
    return "\n".join(texts)


_QUOTE = re.compile(r"[\"']")
_AFTER_KEY = re.compile(rf"[)\]>]*\s*{ASSIGNS}\s*")
_KEY_GOES_ON = re.compile(r"[)\]>]+\s*:\s*")
_STRUCTURE = re.compile(r"[\"'()\[\]{}<>]")
_NAME = re.compile(r"[\w.-]+")
_FIRST_OF_ALL = re.compile(r"[(\[][bBuUrR]{0,2}$")
_COMMA = re.compile(r"\s*,\s*")
_LAST_OF_ALL = re.compile(r"[^\"'()\[\]{},]*(?:[)\]]|\.\.\.$)")


class _Repr:
    """Reads a `repr` from left to right: what is outside of strings, a string, what is outside, and so on."""

    def __init__(self, text: str, words: SecretWords) -> None:
        self._text, self._low, self._words = text, _lower(text), words
        self._at = 0
        self._parts: list[str] = []

    def redacted(self) -> str:
        """Return the text with its secret values masked; raises UnclearError."""
        while self._at < len(self._text):
            quote = _QUOTE.search(self._text, self._at)
            stop = quote.start() if quote else len(self._text)
            if "\\" in self._text[self._at : stop]:
                raise UnclearError
            if key := self._words.key.search(self._low, self._at, stop):
                self._keep(key.end())
                self._mask(bare=True)
            else:
                self._keep(stop)
                if quote:
                    self._string()
        return "".join(self._parts)

    def _keep(self, end: int) -> None:
        self._parts.append(self._text[self._at : end])
        self._at = end

    def _end_with(self, *parts: str) -> None:
        if not self._text.endswith("..."):
            raise UnclearError
        self._parts += parts
        self._at = len(self._text)

    def _string(self) -> None:
        text, start = self._text, self._at
        if not begins_string(text, start):
            raise UnclearError
        try:
            end = string_end(text, start)
        except OpenError:
            self._end_with(text[start], _within(text[start + 1 :], self._words))
            return
        if not self._words.word.search(self._low, start, end):
            self._keep(end)
            return
        self._parts += text[start], _within(text[start + 1 : end - 1], self._words), text[start]
        self._at = end
        if follows := _AFTER_KEY.match(text, end) or self._comma_of_pair(start, end):
            self._keep(follows.end())
            self._mask()

    def _comma_of_pair(self, start: int, end: int) -> re.Match[str] | None:
        """Match what stands between name and value in `('token', 'x')` and in `['--token', 'x']`."""
        text, comma = self._text, _COMMA.match(self._text, end)
        if not comma or not _NAME.fullmatch(text, start + 1, end - 1):
            return None
        if text[start + 1] == "-":
            return comma
        if not _FIRST_OF_ALL.search(text[max(0, start - 3) : start]):
            return None
        try:
            behind = value_end(text, comma.end()) if opening(text, comma.end()) else comma.end()
        except OpenError:
            return comma
        return comma if _LAST_OF_ALL.match(text, behind) else None

    def _mask(self, *, bare: bool = False) -> None:
        """Mask the value that begins here, and the next one if this was itself part of a key."""
        text = self._text
        while True:
            start = self._at
            try:
                self._at = value_end(text, start)
            except OpenError:
                self._end_with(f"'{MASK}'...")
                return
            if text.startswith(("'", '"', "\\"), self._at):
                raise UnclearError
            if self._at > start:
                self._parts.append(MASK if bare and not _STRUCTURE.search(text, start, self._at) else f"'{MASK}'")
            more = _KEY_GOES_ON.match(text, self._at)
            if not more:
                return
            self._keep(more.end())


def _within(text: str, words: SecretWords) -> str:
    """Mask values in what stands within a string: JSON, a query, a header, a sentence."""
    low, at = _lower(text), 0
    parts: list[str] = []
    while found := words.mention.search(low, at):
        start = found.end()
        quote = opening(text, start)
        parts += text[at:start], quote
        try:
            at = value_end(text, start, within=True)
        except (OpenError, UnclearError):
            return "".join([*parts, MASK, "..."])
        if at > start:
            parts += MASK, quote
    return "".join([*parts, text[at:]])


_FRAME = re.compile(r"^(  File \"[^\n]*(?:\n    [^\n]*)*)$", re.MULTILINE)


def _traceback(text: str, words: SecretWords) -> str:
    """Mask values in messages, and in code line by line: a bracket still open at the end of a line means nothing."""
    pieces: list[str] = []
    for piece in _FRAME.split(text):
        body = piece.rstrip("\n")
        lines = body.split("\n") if _FRAME.match(body) else [body]
        pieces += "\n".join(_within(line, words) for line in lines), piece[len(body) :]
    return "".join(pieces)


_USER = r"(://[^\s/?#:@\"']*:)(?!\d{1,5}[/?#])"
_URL = re.compile(
    # The second form is for a password with a `/`, which some libraries take.
    rf"{_USER}(?:(?:[^\s/?#\"'\\]|\\.)*@|(?:(?!://)[^\s@\"'\\]|\\.)*@)"
)
_URL_CUT = re.compile(rf"{_USER}(?:(?!://)[^\s@\"'\\]|\\.)*?\\?\.\.\.(?![^\s\"',)])")
_PEM = re.compile(
    r"(-----BEGIN [A-Z ]*PRIVATE KEY-----)(?!\*\*\*).*?(?:-----END [A-Z ]*PRIVATE KEY-----|(?=[\"'])|$)", re.DOTALL
)
_VALUE = r"[\w.~+/=|:-]"
_SCHEME = re.compile(
    rf"([Bb](?:(?:earer|EARER)\s+|(?:asic|ASIC)\s+(?={_VALUE}+(?!{_VALUE}|[ \t]+\w))))(?!\.\.\.)"
    rf"{_VALUE}+?(?=\.\.\.(?!{_VALUE})|(?!{_VALUE}))"
)


def _bounded(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]}..."


def _without_credentials(text: str) -> str:
    """Mask what follows the user in a URL, `Bearer` and `Basic`, and what a private key is made of."""
    text = _PEM.sub(rf"\1{MASK}", text)
    if "://" in text:
        text = _URL_CUT.sub(rf"\1{MASK}...", _URL.sub(rf"\1{MASK}@", text))
    return _SCHEME.sub(rf"\1{MASK}", text)


def _lower(text: str) -> str:
    """Lower the case of each character, and keep the length: of all of them, `İ` would become two."""
    return text.replace("İ", "i").lower()
