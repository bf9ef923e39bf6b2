"""Telling people what the keeper would do: from a stored moment, or from one look that touches nothing."""

from pathlib import Path

import click
import msgspec

from celeriac.core.desk import Plan
from celeriac.core.errors import SettingsError
from celeriac.core.finding import Finding
from celeriac.core.incident import Remedy, RemedyKind
from celeriac.core.offline import Moment, judge, load
from celeriac.settings import Settings


def stored(path: Path) -> Moment:
    """Return the moment in a file; raises SettingsError if it is none."""
    try:
        return load(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"The snapshot {path} cannot be read: {error.strerror}.") from None
    except msgspec.DecodeError as error:
        raise SettingsError(f"The file {path} is not a snapshot: {error}.") from None


def looked_at(settings: Settings, cluster: str | None) -> Moment:
    """Look at a running cluster as the keeper does, and return the moment; nothing is written."""
    from celeriac.bootstrap.keeping import one_look
    from celeriac.bootstrap.process import configure_logging
    from celeriac.bootstrap.storing import open_store

    configure_logging("plan")
    with open_store(settings).opened() as store:
        return one_look(settings, store, cluster)


def explain(moment: Moment, *, as_json: bool) -> None:
    """Print each verdict with its evidence, and what would be done."""
    findings, plan = judge(moment)
    if as_json:
        parts = {"findings": findings, "incidents": plan.incidents, "acts": plan.acts}
        click.echo(msgspec.json.format(msgspec.json.encode(parts), indent=2).decode())
        return
    for finding in findings:
        click.echo(_headline(finding))
        for one in finding.evidence:
            click.echo(f"    {one.signal}: {one.reading}" + (f" (rules out {one.rules_out})" if one.rules_out else ""))
    _tell(plan)
    if moment.pruned:
        click.echo("this snapshot leaves out workers at other places: what depends on their number may differ")


def _verb(remedy: Remedy) -> str:
    if remedy.kind is not RemedyKind.RECYCLE:
        return "restart"
    return f"recycle, {remedy.step}" if remedy.step else "recycle"


def _tell(plan: Plan) -> None:
    for incident in plan.incidents:
        reason = f" ({incident.held_reason})" if incident.held_reason else ""
        click.echo(f"incident {incident.place.name}: {incident.verdict}, {incident.state}{reason}")
        for step in incident.steps:
            click.echo(f"    {step.kind}: {step.text}")
    for act in plan.acts:
        repair = act.remedy.repair
        what = repair.text if repair else f"{_verb(act.remedy)} (guid {act.remedy.guid})"
        click.echo(f"would act on {act.incident.place.name}: {what}")
    if not plan.acts and not plan.remedies:
        click.echo("nothing to do")


def _headline(finding: Finding) -> str:
    suspect = ", suspect" if finding.suspect else ""
    notes = f": {'; '.join(finding.notes)}" if finding.notes else ""
    return f"{finding.place.name}  {finding.verdict}{suspect}{notes}"
