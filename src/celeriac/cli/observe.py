"""One observer alone, for trials, benchmarks and machines of its own; and the writer's process that each observer starts."""

import json
import time
from pathlib import Path

import click
import msgspec

from celeriac.app.shaping import hearing_view
from celeriac.core.snapshot import Stream


@click.command()
@click.option("--broker", required=True, envvar="CELERIAC_BROKER", help="The broker's URL, as the workers have it.")
@click.option(
    "--store", required=True, help="Directory of the store, also as `sqlite:///relative` or `sqlite:////absolute`."
)
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
    run_observer(settings, cluster, until_signalled(), migrate=True, seen=Lines(every))


@click.command(hidden=True)
@click.argument("socket", type=click.Path(path_type=Path))
def writer(socket: Path) -> None:
    """Write the history that the observer at this socket names; observers start it."""
    from celeriac.bootstrap.process import configure_logging
    from celeriac.bootstrap.writing import run_writer

    configure_logging("writer")
    run_writer(str(socket))


class Lines:
    """Prints every few seconds what the observer says of itself, in the words of `GET /api/v1/observation`."""

    def __init__(self, every: float) -> None:
        self._every, self._due_at = every, time.monotonic()

    def __call__(self, seen: Stream) -> None:
        if time.monotonic() >= self._due_at:
            self._due_at = time.monotonic() + self._every
            told = msgspec.to_builtins(hearing_view(seen, seen.observed_at))
            click.echo(f"observation {json.dumps(told)}")
