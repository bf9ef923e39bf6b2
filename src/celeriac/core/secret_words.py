"""The words that tell a secret, compiled to find them in what is outside of strings, in keys and within strings."""

import re
from collections.abc import Iterable

import re2

from celeriac.core.reprs import ASSIGNS

WORDS = (
    "password",
    "passwd",
    "passphrase",
    "pass",
    "pwd",
    "secret",
    "token",
    "api_key",
    "authorization",
    "credential",
    "private_key",
    "access_key",
    "session",
    "cookie",
    "signature",
    "card_number",
    "cvv",
)
"""What makes a key secret, wherever it stands in the key; `_` stands for `_`, `-`, `.`, a space or nothing.

Behind a word of at most four letters stands no other letter: `DB_PASS` is one, `passenger` is none.

What Sentry's scrubber, Django's error pages and Celery's own `HIDDEN_SETTINGS` hide, without those of their words that
hide too much (`key`, `auth`, `api`, `database`).
"""

OF_VARIABLES = ("key", "auth", "dsn")
"""Words that hide too much in payloads; among the few variables of an app what they hide is not missed."""

SHORT = 4
SHORTEST = 5
"""Characters of the shortest text that can hold a secret: `pwd=1`."""


class SecretWords:
    """The words compiled, in lower case: `word` finds one, `key` one with its `=`, `mention` one within a string."""

    def __init__(self, words: Iterable[str]) -> None:
        split = [parts for word in words if (parts := re.findall(r"[^\s_.-]+", word.lower()))]
        patterns = ["[-_. ]?".join(map(re.escape, parts)) for parts in split]
        word = _one_of(pattern if len(pattern) > SHORT else rf"{pattern}(?![a-z])" for pattern in patterns)
        tail = r"[\w.\-\]%]{0,200}"
        self.word = re.compile(word)
        self.key = re.compile(rf"(?:{word}){tail}[)\]>]*\s*{ASSIGNS}\s*")
        self.mention = re.compile(
            rf"(?:{word})(?:{tail}\\*[\"']?[)\]>]*\s*{ASSIGNS}|[^\"'\\\n]{{0,200}}(?<![:=\s(\[{{,])\\*[\"']\s*:)\s*"
            rf"|(?<![\w-])--[\w-]*(?:{word})[\w-]*\s+(?=[^\s-])"
        )
        self._sign = re2.compile("|".join([*patterns, "bearer", "basic"])).search

    def may_be_in(self, text: str) -> bool:
        """Tell quickly whether a text can hold a secret: nearly all hold none."""
        if len(text) < SHORTEST:
            return False
        try:
            sign = self._sign(text.lower())
        except UnicodeEncodeError:  # half a character: RE2 reads UTF-8
            return True
        return bool(sign) or ("://" in text and ("@" in text or "..." in text))


class SecretVariables:
    """Tells which variables of an environment may be secrets; `words` are more than those that are known here."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        self._word = SecretWords((*WORDS, *OF_VARIABLES, *words)).word

    def has(self, name: str, value: str) -> bool:
        """Tell by the name, or by what the value holds: a word (`token=...`), a URL with a password, an HTTP credential."""
        in_url = "://" in value and "@" in value
        texts = name.lower(), value.lower()
        return in_url or any(self._word.search(one) for one in texts) or bool(_CREDENTIAL.search(texts[1]))


_CREDENTIAL = re.compile(r"\b(?:bearer|basic)\s+\S")


def _one_of(patterns: Iterable[str]) -> str:
    """Join alternatives by their first letters, so that `re` skips quickly over what begins none of them."""
    rests: dict[str, list[str]] = {}
    for pattern in patterns:
        length = 2 if pattern[0] == "\\" else 1
        rests.setdefault(pattern[:length], []).append(pattern[length:])
    return "|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in rests.items()) or "(?!)"
