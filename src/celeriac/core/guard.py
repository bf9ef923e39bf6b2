"""What stands between a verdict and an act: the first reason to hold, in the order in which people want to hear it."""

from msgspec import Struct

from celeriac.core.finding import Finding
from celeriac.core.incident import HeldReason, Remedy, RemedyKind, RemedyState
from celeriac.core.limits import Limits, Policy
from celeriac.core.model import Mode, Place, Verdict

MADE = frozenset({RemedyState.INTENDED, RemedyState.ACTED, RemedyState.VERIFIED, RemedyState.UNVERIFIED})
RUNNING = frozenset({RemedyState.INTENDED, RemedyState.ACTED})
HOUR_S = 3600.0


class Hold(Struct, frozen=True):
    """A reason to wait, and its sentence for people."""

    reason: HeldReason
    text: str


class Ledger:
    """The restarts made lately and those of this very cycle: what cool-down and budget are counted on."""

    def __init__(self, remedies: tuple[Remedy, ...]) -> None:
        self._made = {one.id: one for one in remedies if one.state in MADE}

    def add(self, remedy: Remedy) -> None:
        """Count a restart; the same id counts once."""
        self._made[remedy.id] = remedy

    def last_at(self, place: Place) -> float | None:
        """Return when this place was restarted last."""
        made = (one for one in self._made.values() if one.place.container == place.container)
        return max((one.acted_at or one.asked_at for one in made), default=None)

    def stops(self, guid: str | None) -> bool:
        """Tell whether a restart of this very instance is under way."""
        return guid is not None and any(one.guid == guid and one.state in RUNNING for one in self._made.values())

    def without(self, remedy: Remedy) -> "Ledger":
        """Return the ledger as if this restart had not been decided yet."""
        return Ledger(tuple(one for one in self._made.values() if one.id != remedy.id))

    def running(self, app: tuple[str | None, str | None]) -> int:
        """Return how many restarts of this app (platform, name) are under way."""
        return sum(one.state in RUNNING and (one.place.platform, one.place.app) == app for one in self._made.values())

    def within_hour(self, now: float) -> int:
        """Return how many restarts the keeper made by itself within the last hour."""
        made = (one for one in self._made.values() if not one.by_person)
        return sum((one.acted_at or one.asked_at) > now - HOUR_S for one in made)


def guard(
    finding: Finding, everyone: tuple[Finding, ...], ledger: Ledger, policy: Policy, limits: Limits, now: float
) -> Hold | None:
    """Return why the keeper may not restart this worker by itself now, or None if it may."""
    if policy.paused:
        return Hold(HeldReason.PAUSED, policy.paused)
    if finding.remedy is not RemedyKind.RESTART_INSTANCE or not finding.guid:
        return Hold(HeldReason.UNMAPPED, "; ".join(finding.notes) or "no instance of its own on the platform")
    return (
        _by_mode(finding, policy)
        or _by_number(finding, everyone, policy, limits)
        or _by_past(finding, ledger, policy, now)
    )


def _by_mode(finding: Finding, policy: Policy) -> Hold | None:
    if policy.mode is Mode.OBSERVE:
        return Hold(HeldReason.MODE, "would have restarted it (mode observe)")
    if finding.approval:
        return Hold(HeldReason.MODE, f"waits for a person's approval: {finding.approval}")
    if policy.mode is Mode.APPROVE:
        return Hold(HeldReason.MODE, "waits for a person's approval (mode approve)")
    return None


def _by_number(finding: Finding, everyone: tuple[Finding, ...], policy: Policy, limits: Limits) -> Hold | None:
    """Many silent at once have one cause, and it is not in each of them."""
    mine = _last_seen(finding)
    alike = [one for one in everyone if _silent(one) and abs(_last_seen(one) - mine) <= policy.quorum_window_s]
    workers = sum(one.verdict is not Verdict.STOPPED for one in everyone)
    if len(alike) <= max(1, policy.quorum_share * workers):
        return None
    what = f"{len(alike)} of {workers} workers fell silent within {policy.quorum_window_s:.0f} s"
    if finding.silence_s > limits.silent_s + limits.recovered_s:
        what += "; many silent, broker fine: restarts only by approval"
    return Hold(HeldReason.QUORUM, what)


def _by_past(finding: Finding, ledger: Ledger, policy: Policy, now: float) -> Hold | None:
    place = finding.place
    last = ledger.last_at(place)
    if last is not None and now - last < policy.cooldown_s:
        return Hold(HeldReason.COOLDOWN, f"restarted {now - last:.0f} s ago, at most once in {policy.cooldown_s:.0f} s")
    if ledger.stops(finding.guid):
        return Hold(HeldReason.BUDGET, "a restart of its container is already under way")
    at_once = max(1, int(policy.budget_share * _instances(finding)))
    if ledger.running((place.platform, place.app)) >= at_once:
        return Hold(HeldReason.BUDGET, f"at most {at_once} of this app at once")
    if ledger.within_hour(now) >= policy.budget_per_hour:
        return Hold(HeldReason.BUDGET, f"{policy.budget_per_hour} restarts within the hour: a person should look")
    return None


def _silent(finding: Finding) -> bool:
    """Tell whether it is silent without the platform explaining it."""
    return finding.suspect or finding.verdict is Verdict.HUNG


def _last_seen(finding: Finding) -> float:
    one = finding.site.incarnation if finding.site else None
    return one.last_seen_at if one else 0.0


def _instances(finding: Finding) -> int:
    app = finding.site.app if finding.site else None
    return sum(process.wanted for process in app.processes) if app else 1
