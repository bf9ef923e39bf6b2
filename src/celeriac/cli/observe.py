"""One observer alone, for trials, benchmarks and machines of its own; and the writer's process that each observer starts."""

import json
import time
from pathlib import Path

import click

from celeriac.core.snapshot import Stream


@click.command()
@click.option("--broker", required=True, envvar="CELERIAC_BROKER", help="The broker's URL, as the workers have it.")
@click.option("--store", required=True, help="Directory of the store, also as `sqlite:///directory`.")
@click.option("--cluster", default="default", show_default=True, help="What the cluster is called in the store.")
@click.option("--payloads", type=click.Choice(["none", "redacted", "full"]), default="redacted", show_default=True)
@click.option("--every", type=float, default=5.0, show_default=True, help="Seconds between two lines.")
def observe(broker: str, store: str, cluster: str, payloads: str, every: float) -> None:
    """Run one observer, and print every few seconds how well it hears.

    It brings its own history's schema up to date, and stops on SIGTERM when what it has heard is stored.
    """
    from celeriac.bootstrap.naming import prepare
    from celeriac.bootstrap.observing import run_observer
    from celeriac.bootstrap.process import configure_logging, until_signalled
    from celeriac.settings import alone

    settings = alone(broker=broker, store=store, cluster=cluster, payloads=payloads)
    prepare(settings.store)
    configure_logging("observer")
    run_observer(settings, cluster, until_signalled(), migrate=True, seen=_Lines(every))


@click.command(hidden=True)
@click.argument("socket", type=click.Path(path_type=Path))
def writer(socket: Path) -> None:
    """Write the history that the observer at this socket names; observers start it."""
    from celeriac.bootstrap.process import configure_logging
    from celeriac.bootstrap.writing import run_writer

    configure_logging("writer")
    run_writer(str(socket))


class _Lines:
    """Prints a line every few seconds."""

    def __init__(self, every: float) -> None:
        self._every, self._due_at = every, time.monotonic()

    def __call__(self, seen: Stream) -> None:
        if time.monotonic() >= self._due_at:
            self._due_at = time.monotonic() + self._every
            click.echo(f"observation {json.dumps(described(seen))}")


def described(seen: Stream) -> dict[str, object]:
    """Return how well an observer hears, in the words of `GET /api/v1/observation`."""
    last = seen.last_event_at
    return {
        "reader": seen.reader,
        "events_seen": seen.events,
        "events_lost_estimate": seen.lost_events,
        "malformed": seen.malformed,
        "refused": seen.refused,
        "dropped": seen.dropped,
        "unknown_types": seen.unknown_types,
        "reconnects": seen.reconnects,
        "cuts": seen.cuts,
        "lag_s": None if seen.lag_s is None else round(seen.lag_s, 3),
        "last_event_age_s": None if last is None else max(0.0, round(seen.observed_at - last, 3)),
        "backlog_bytes": seen.backlog_bytes,
        "rows_written": seen.rows,
        "error": seen.error,
        "store_error": seen.store_error,
    }
