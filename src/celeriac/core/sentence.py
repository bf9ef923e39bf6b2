"""A cycle in one sentence."""

from celeriac.core.desk import Past, Plan
from celeriac.core.finding import Finding
from celeriac.core.incident import RemedyKind

_DOING = {RemedyKind.LIVE_REPAIR: "repairing", RemedyKind.RECYCLE: "recycling", RemedyKind.SCALE: "scaling"}


def sentence(findings: tuple[Finding, ...], plan: Plan, past: Past, why_blind: str | None) -> str:
    """Return the cycle in one sentence, for the log and the page."""
    counts: dict[str, int] = {}
    for finding in findings:
        counts[finding.verdict] = counts.get(finding.verdict, 0) + 1
    state = ", ".join(f"{number} {verdict}" for verdict, number in sorted(counts.items())) or "no worker seen yet"
    parts = [f"blind: {why_blind}"] if why_blind else [state]
    current = {one.id: one for one in (*past.incidents, *plan.incidents)}
    acting = {act.incident.id for act in plan.acts}
    for one in current.values():
        if one.id in acting:
            parts.append(f"{_DOING.get(one.remedy, 'restarting')} {one.place.name}")
        elif not one.over:
            parts.append(f"{one.place.name} {one.state}" + (f" ({one.held_reason})" if one.held_reason else ""))
    return "; ".join(parts)
