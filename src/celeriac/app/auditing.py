"""The audit trail, told: each row is stored, and then goes as one line of JSON to where a SIEM collects it; no secret is in it."""

import re
from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace

from celeriac.access_ports import Trail
from celeriac.core.redact import MASK, Redaction
from celeriac.ports import Audit, AuditEntry, AuditFilter

LOG = "celeriac.audit"
"""What every line carries under `log`, so that it is told from other lines of the same stream."""

LONGEST = 2_000
"""Characters of one text; what is longer ends with dots."""

MORE = "..."

TEXTS = ("actor", "target", "detail", "role", "address", "before", "after", "why")
"""What people, providers or workers may have written. The rest is ours."""

_TOKEN_OR_HASH = re.compile(r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)*|\$argon2(?:id|i|d)\$[\w$=,+/.-]+")
"""A JWT or JWE as its form shows it, and a hash of argon2."""

_REDACTION = Redaction()


class ToldAudit:
    """`Audit` that tells its rows besides, where there is a trail; what it could not store it does not tell, and raises."""

    def __init__(self, audit: Audit, trail: Trail | None) -> None:
        self._audit, self._trail = audit, trail

    def note(self, entry: AuditEntry) -> None:
        """Store one entry without its secrets, and tell it."""
        clean = redacted(entry)
        self._audit.note(clean)
        if self._trail is not None:
            self._trail.tell(line(clean))

    def entries(self, which: AuditFilter) -> list[AuditEntry]:
        """Return the entries that fit, newest first."""
        return self._audit.entries(which)


def redacted(entry: AuditEntry) -> AuditEntry:
    """Return an entry as it may be stored: without secrets, each text of bounded length; doing it twice changes nothing."""
    return replace(entry, **{name: _text(getattr(entry, name)) for name in TEXTS})


def line(entry: AuditEntry) -> bytes:
    """Return an entry as one line of JSON, without its end; it has no `id`, which only the store gives."""
    fields = msgspec.structs.asdict(entry)
    del fields["id"]
    fields["at"] = datetime.fromtimestamp(entry.at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return msgspec.json.encode({"log": LOG, **fields})


def _text(text: str) -> str:
    whole = text.encode("utf-8", "replace").decode()  # half a character can be neither stored nor told
    masked = _TOKEN_OR_HASH.sub(MASK, _REDACTION.sentence(whole))
    return masked if len(masked) <= LONGEST else f"{masked[: LONGEST - len(MORE)]}{MORE}"


def _fits(one: ToldAudit) -> Audit:
    """Let the type checker prove that the class fits its port."""
    return one
