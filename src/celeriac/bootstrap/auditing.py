"""The audit trail of a process, as the settings have it: stored without secrets, and told as lines."""

import atexit
from urllib.parse import urlsplit

from celeriac.access_ports import Trail
from celeriac.adapters import trail_lines
from celeriac.adapters.sql import SqlStore
from celeriac.app.auditing import ToldAudit
from celeriac.ports import Audit
from celeriac.settings import Settings

SYSLOG_PORT = 514


def audit(settings: Settings, store: SqlStore) -> Audit:
    """Return the audit trail, which tells its rows to where the settings say."""
    return ToldAudit(store.audit(settings.audit.days), _trail(settings.audit.lines))


def _trail(lines: str) -> Trail | None:
    if lines == "none":
        return None
    where = urlsplit(lines)
    if lines == "stdout":
        trail = trail_lines.stdout()
    else:
        trail = trail_lines.syslog(where.hostname or "", where.port or SYSLOG_PORT, tcp=where.scheme == "syslog+tcp")
    atexit.register(trail.close)  # what waits is sent before the process ends
    return trail
