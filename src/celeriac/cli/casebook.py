"""What is kept beside an incident, as text: tasks that were in flight, evidence, and the moment of decision."""

from pathlib import Path

import click

from celeriac.cli.tables import clock, plain, table, to_json
from celeriac.client import Casualties, Celeriac, Kept

FEW = 20
"""So many tasks are shown with an incident; `--tasks` shows all."""


def beside(client: Celeriac, id: str, *, as_json: bool, tasks: bool, evidence: bool, snapshot: Path | None) -> None:
    """Print, or write to a file, what is wanted of what is kept beside an incident."""
    if tasks:
        found = client.casualties(id)
        click.echo(to_json(found) if as_json else casualties_text(found))
    if evidence:
        kept = client.evidence(id)
        click.echo(to_json(kept) if as_json else kept_text(kept))
    if snapshot is not None:
        body = client.snapshot(id)
        try:
            snapshot.write_bytes(body)
        except OSError as error:
            raise click.ClickException(f"The snapshot {snapshot} cannot be written: {error.strerror}.") from None
        click.echo(
            f"Written to {snapshot}. `celeriac plan --snapshot {snapshot}` tells what followed from it.", err=True
        )


def casualties_text(found: Casualties, most: int | None = None) -> str:
    """Return the tasks that were in flight, each with its fate, the lost ones first; at most so many."""
    counts = ", ".join(f"{number} {plain(fate)}" for fate, number in found.counts.items()) or "none"
    shown = found.items[:most]
    rows = [(one.id, one.name, one.state, one.fate, one.why) for one in shown]
    parts = [f"Tasks in flight: {counts}"]
    if rows:
        parts.append(table(("TASK", "NAME", "STATE", "FATE", "WHY"), rows, give=("WHY", "NAME")))
    if len(shown) < len(found.items):
        parts.append(f"and {len(found.items) - len(shown)} more: `celeriac incidents {plain(found.incident)} --tasks`")
    parts += [f"Note: {plain(doubt)}." for doubt in found.doubts]
    if found.watched:
        parts.append("They are looked for again; fates may change.")
    return "\n".join(parts)


def kept_text(kept: Kept) -> str:
    """Return what was kept of a worker, source by source."""
    parts = [f"Kept at {clock(kept.kept_at)} UTC."]
    for one in kept.exhibits:
        parts += ["", f"{plain(one.source)} ({len(one.lines)})" + (f": {plain(one.why)}" if one.why else "")]
        parts += [f"{clock(line.at) if line.at else ' ' * 8}  {plain(line.text)}" for line in one.lines]
    return "\n".join(parts)
