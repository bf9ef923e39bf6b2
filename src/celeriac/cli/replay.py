"""Judging a recording again: what the keeper would have said, moment by moment."""

from pathlib import Path

import click
import msgspec

from celeriac.core.errors import SettingsError
from celeriac.core.limits import Policy
from celeriac.core.model import Mode
from celeriac.core.recording import lines
from celeriac.core.replay import replay as replayed


@click.command()
@click.argument("recording", type=click.Path(path_type=Path))
@click.option(
    "--mode", type=click.Choice(["observe", "approve", "auto"]), default="approve", help="The mode that holds remedies."
)
def replay(recording: Path, mode: str) -> None:
    """Run the rules over a RECORDING (JSON lines), offline, and print one JSON line for each change of a verdict."""
    try:
        with recording.open("rb") as text:
            for change in replayed(lines(text), policy=Policy(Mode(mode))):
                click.echo(msgspec.json.encode(change))
    except OSError as error:
        raise SettingsError(f"The recording {recording} cannot be read: {error.strerror}.") from None
