"""The command that tells before the first night what Celeriac can and cannot see and do."""

import sys
from itertools import groupby
from typing import Any

import click
import msgspec

from celeriac.cli.console import asked_with, console, prints_json
from celeriac.cli.run import load, settings_options
from celeriac.cli.tables import clock, paint, plain, to_json
from celeriac.client import Check, Checkup

PATIENCE_S = 30.0
"""A checkup asks everything with its own time limits, one after the other where one needs the other."""

FAILED = 1


@click.command()
@settings_options
@click.option("--url", envvar="CELERIAC_URL", help="Ask this running console [CELERIAC_URL]; else this process checks.")
@click.option("--cluster", help="Only this cluster.")
@prints_json
def doctor(*, url: str | None, cluster: str | None, as_json: bool, **options: Any) -> None:
    """Check what Celeriac can and cannot see and do, and tell what it costs and what mends it.

    Nothing is written and nothing acted on. With --url the running server checks; without, this process does, on the settings.
    The exit code is 1 if any check fails.
    """
    found = _asked(url, cluster) if url else _own(options, cluster)
    click.echo(to_json(found) if as_json else told(found))
    if found.counts["fail"]:
        sys.exit(FAILED)


def _asked(url: str, cluster: str | None) -> Checkup:
    with console(url, asked_with(url), PATIENCE_S) as client:
        return client.doctor(cluster)


def _own(options: dict[str, Any], cluster: str | None) -> Checkup:
    from celeriac.bootstrap.checking import own_checkup
    from celeriac.bootstrap.process import configure_logging

    configure_logging("doctor")
    with own_checkup(load(options)) as checkup:
        return msgspec.convert(msgspec.to_builtins(checkup.view([cluster] if cluster else None)), Checkup)


def told(found: Checkup) -> str:
    """Return the checks by subject, each with what it costs and what mends it, and a line that counts them."""
    parts: list[str] = []
    for subject, checks in groupby(found.items, key=lambda one: one.subject):
        parts += [plain(subject), *(line for one in checks for line in _lines(one)), ""]
    counts = ", ".join(f"{found.counts[state]} {paint(state)}" for state in ("fail", "warn", "ok"))
    return "\n".join([*parts, f"Checked at {clock(found.checked_at)} UTC: {counts}."])


def _lines(one: Check) -> list[str]:
    lines = [f"  {paint(plain(one.state))}{' ' * (6 - len(one.state))}{plain(one.text)}"]
    lines += [f"        costs: {plain(one.cost)}"] if one.cost else []
    lines += [f"        fix:   {plain(one.fix)}"] if one.fix else []
    return lines
