"""What people and programs are called here: names come from outside, and none may pass for Celeriac itself."""

import unicodedata

LONGEST_NAME = 100
"""Characters: a name stands in sentences, tables and lines of the audit trail."""

RESERVED = frozenset({"keeper", "the keeper", "celeriac", "the console"})
"""What Celeriac calls itself in remedies, incidents and the audit trail, in lower case."""

NAMELESS = "somebody without a name"


def legible(told: str, longest: int = LONGEST_NAME) -> str:
    """Return a name in one line of printable characters, cut where it is too long; it may be empty."""
    shown = "".join(sign if sign.isprintable() else " " for sign in unicodedata.normalize("NFKC", told[: 10 * longest]))
    return " ".join(shown.split())[:longest].strip()


def called(name: str, subject: str) -> str:
    """Return what to call somebody: by the name, or else the subject; one that is ours has its subject behind it."""
    said = legible(name) or legible(subject) or NAMELESS
    if said.casefold() not in RESERVED:
        return said
    return f"{said} ({legible(subject, LONGEST_NAME - len(said) - 3) or NAMELESS})"


def signed(name: str, subject: str) -> str:
    """Return what the audit trail has: who it is called, and the subject where that is another text."""
    said, who = called(name, subject), legible(subject)
    return said if said == who or said.endswith(f"({who})") or not who else f"{said} ({who})"
