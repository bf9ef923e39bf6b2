"""What settings and flags name: the store's directory, one cluster, and what is secret in its logs."""

import os
from pathlib import Path

from celeriac.core.errors import SettingsError
from celeriac.core.redact import Payloads, Redaction
from celeriac.core.secret_words import WORDS
from celeriac.settings import ClusterSettings, Settings


def prepare(directory: Path) -> None:
    """Make the store's directory; raises SettingsError if it cannot be used."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds arguments and results of tasks
        probe = directory / f".celeriac-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        why = error.strerror or str(error)
        raise SettingsError(f"The setting store: the directory {directory} cannot be written: {why}.") from None


def cluster_named(settings: Settings, name: str) -> ClusterSettings:
    """Return one cluster's settings; raises SettingsError with the names that there are."""
    for one in settings.cluster:
        if one.name == name:
            return one
    known = ", ".join(one.name for one in settings.cluster)
    raise SettingsError(f"There is no [[cluster]] {name!r} in the settings; there are: {known}.")


def redaction(cluster: ClusterSettings) -> Redaction:
    """Return what is left out of what a platform tells: logs are no payloads of tasks, so these are redacted whatever is kept."""
    return Redaction(Payloads.REDACTED, (*WORDS, *cluster.secret_words))
