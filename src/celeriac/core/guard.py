"""What stands between a verdict and an act: the first reason to hold, in the order in which people want to hear it.

A person's own restart or approval passes what `passed` lists, and never what `guard` says before it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cached_property

from msgspec import Struct

from celeriac.core.changes import Change
from celeriac.core.finding import Finding
from celeriac.core.incident import HeldReason, Incident, RemedyKind
from celeriac.core.ledger import Ledger
from celeriac.core.limits import Policy
from celeriac.core.model import App, InstanceState, Mode, Place, Verdict
from celeriac.core.readings import Known, Reading

Process = tuple[str | None, str | None, str | None]
"""Platform, app and process type."""

Container = tuple[str, str | None, str | None, str | None, int | None, str | None]


class Hold(Struct, frozen=True):
    """A reason to wait, and its sentence for people.

    Of one by mode, `only_mode` tells that in `auto` it would have been done, else `otherwise` is what had held it there.
    """

    reason: HeldReason
    text: str
    only_mode: bool = False
    otherwise: HeldReason | None = None


class Scene(Struct, frozen=True, dict=True):
    """What the guards judge by: one cluster at one moment."""

    findings: tuple[Finding, ...]
    ledger: Ledger
    policy: Policy
    now: float
    apps: tuple[App, ...] = ()
    changes: Reading[tuple[Change, ...]] | None = None

    @cached_property
    def well(self) -> dict[Process, set[Container]]:
        """The containers whose workers are well, by their process."""
        found: dict[Process, set[Container]] = defaultdict(set)
        for one in self.findings:
            if one.well:
                found[_process(one)].add(one.place.container)
        return found

    def wanted(self, finding: Finding) -> int:
        """Return how many instances of this worker's process are wanted."""
        place = finding.place
        mine = (one for one in self.apps if (one.platform, one.name) == (place.platform, place.app))
        return sum(one.wanted for app in mine for one in app.processes if one.type == place.process)

    def size(self, finding: Finding) -> int:
        """Return how many instances of this worker's app are wanted, at least one."""
        place = finding.place
        mine = (one for one in self.apps if (one.platform, one.name) == (place.platform, place.app))
        return sum(one.wanted for app in mine for one in app.processes) or 1


def guard(finding: Finding, scene: Scene, incident: Incident | None = None) -> Hold | None:
    """Return why the keeper may not restart this worker by itself now, or None if it may."""
    policy = scene.policy
    if policy.paused:
        return Hold(HeldReason.PAUSED, policy.paused)
    if incident is not None and incident.held_by:
        return Hold(HeldReason.HELD_BY_USER, f"{incident.held_by} holds it: {incident.held_why}")
    repairs = finding.remedy is RemedyKind.LIVE_REPAIR
    if finding.remedy in {RemedyKind.NONE, RemedyKind.ALERT} or not (finding.guid or repairs):
        return Hold(HeldReason.UNMAPPED, "; ".join(finding.notes) or "no instance of its own on the platform")
    return _by_mode(finding, scene) or next(_limits(finding, scene), None)


def passed(finding: Finding, scene: Scene) -> tuple[Hold, ...]:
    """Return everything that a person's own restart or approval of this worker would pass now."""
    mode = _by_mode(finding, scene)
    return (*([mode] if mode else []), *_limits(finding, scene))


def _by_mode(finding: Finding, scene: Scene) -> Hold | None:
    mode, approval = scene.policy.mode, finding.approval
    if mode is Mode.OBSERVE:
        return _would_have(finding, scene)
    if approval:
        return Hold(HeldReason.MODE, f"waits for a person's approval: {approval}", otherwise=HeldReason.MODE)
    if mode is Mode.APPROVE:
        other, text = next(_limits(finding, scene), None), "waits for a person's approval (mode approve)"
        return Hold(HeldReason.MODE, text, only_mode=other is None, otherwise=other.reason if other else None)
    return None


def _would_have(finding: Finding, scene: Scene) -> Hold:
    """In `observe` the decision is told as `auto` would have taken it."""
    other = next(_limits(finding, scene), None)
    if finding.approval:
        text = f"would have asked for a person's approval: {finding.approval} (mode observe)"
        return Hold(HeldReason.MODE, text, otherwise=HeldReason.MODE)
    if other is not None:
        text = f"would have held it by {other.reason}: {other.text} (mode observe)"
        return Hold(HeldReason.MODE, text, otherwise=other.reason)
    return Hold(HeldReason.MODE, "would have restarted it (mode observe)", only_mode=True)


Rule = Callable[[Finding, Scene], Hold | None]


def _limits(finding: Finding, scene: Scene) -> Iterator[Hold]:
    """Yield what bounds the keeper and no person."""
    repairs = finding.remedy is RemedyKind.LIVE_REPAIR
    for rule in _OF_REPAIRS if repairs else _OF_RESTARTS:
        hold = rule(finding, scene)
        if hold is not None:
            yield hold


def _by_number(finding: Finding, scene: Scene) -> Hold | None:
    """Many silent at once have one cause, and it is not in each of them."""
    alike = alike_silent(finding, scene.findings, scene.policy) if silent(finding) else ()
    if not alike:
        return None
    workers, window = counted(scene.findings), scene.policy.quorum_window_s
    return Hold(HeldReason.QUORUM, f"{len(alike)} of {workers} workers fell silent within {window:.0f} s")


def _by_change(finding: Finding, scene: Scene) -> Hold | None:
    """Somebody changes the app: what looks ill may be on its way, and a restart would be in theirs."""
    changes, place = scene.changes, finding.place
    if not place.mapped:
        return None
    instance = finding.site.instance if finding.site else None
    if instance is not None and instance.state is InstanceState.UNKNOWN:
        why = instance.details or "its platform cannot be read"
        return Hold(HeldReason.DEPLOY, f"whether somebody changes the app cannot be told: {why}")
    if not isinstance(changes, Known):
        why = changes.why if changes else "the platform was not asked yet"
        return Hold(HeldReason.DEPLOY, f"whether somebody changes the app cannot be told: {why}")
    mine = [one for one in changes.value if one.concerns(place)]
    for change in sorted(mine, key=lambda one: (one.active, one.at), reverse=True):
        ago = scene.now - change.at
        if (change.active or ago < scene.policy.deploy_wait_s) and not scene.ledger.explains(change):
            return Hold(HeldReason.DEPLOY, f"{change.actor or 'somebody'} {change.what} {max(0.0, ago):.0f} s ago")
    return None


def _by_window(_: Finding, scene: Scene) -> Hold | None:
    window = scene.policy.maintenance
    return Hold(HeldReason.MAINTENANCE, window) if window else None


def _by_breaker(finding: Finding, scene: Scene) -> Hold | None:
    """Restarts do not mend this app: one more would be one more turn."""
    at_most, place = scene.policy.breaker, finding.place
    failed = scene.ledger.unproven((place.platform, place.app), scene.now)
    if not at_most or failed < at_most:
        return None
    text = f"{failed} restarts of {place.app} within the hour did not prove well: a person should look"
    return Hold(HeldReason.BREAKER, text)


def _by_health(finding: Finding, scene: Scene) -> Hold | None:
    """What still works is not stopped while too few others would stay; a proven dead one is nobody to protect."""
    if not finding.still_works:
        return None
    wanted = scene.wanted(finding)
    least = scene.policy.least_healthy(wanted)
    others = scene.well.get(_process(finding), set()) - {finding.place.container}
    if len(others) >= least:
        return None
    return Hold(HeldReason.MIN_HEALTHY, f"{len(others)} of {wanted} would stay well, and at least {least} must")


def _by_past(finding: Finding, scene: Scene) -> Hold | None:
    place, ledger, policy, now = finding.place, scene.ledger, scene.policy, scene.now
    last = ledger.last_at(place)
    if last is not None and now - last < policy.cooldown_s:
        return Hold(HeldReason.COOLDOWN, f"restarted {now - last:.0f} s ago, at most once in {policy.cooldown_s:.0f} s")
    if ledger.stops(finding.guid):
        return Hold(HeldReason.BUDGET, "a restart of its container is already under way")
    if finding.verdict is Verdict.DEAF and ledger.under_way():
        # One outage of the broker may leave all of a cluster deaf: each must be proven before the next is stopped.
        return Hold(HeldReason.BUDGET, "deaf workers are restarted one at a time")
    at_once = max(1, int(policy.budget_share * scene.size(finding)))
    if ledger.running((place.platform, place.app)) >= at_once:
        return Hold(HeldReason.BUDGET, f"at most {at_once} of this app at once")
    if ledger.within_hour(now) >= policy.budget_per_hour:
        return Hold(HeldReason.BUDGET, f"{policy.budget_per_hour} restarts within the hour: a person should look")
    return None


def _by_recycles(finding: Finding, scene: Scene) -> Hold | None:
    """Whoever ends too often in a short time is made to wait by the platform."""
    if finding.remedy is not RemedyKind.RECYCLE:
        return None
    text = too_often(finding.place, scene.ledger, scene.policy, scene.now)
    return Hold(HeldReason.COOLDOWN, text) if text else None


def too_often(place: Place, ledger: Ledger, policy: Policy, now: float) -> str | None:
    """Return why this place may not be recycled once more now, or None if it may."""
    number, within_s = ledger.recycles(place, now, policy.recycles_within_s), policy.recycles_within_s
    if number < policy.recycles_at_most:
        return None
    return f"recycled {number} times within {within_s / 60:.0f} min: the platform would make it wait"


def _by_repair(finding: Finding, scene: Scene) -> Hold | None:
    """What somebody undoes again and again is not mended again and again."""
    last, pause = scene.ledger.mended_at(finding.place), scene.policy.cooldown_s
    if last is None or scene.now - last >= pause:
        return None
    return Hold(HeldReason.COOLDOWN, f"repaired {scene.now - last:.0f} s ago, at most once in {pause:.0f} s")


_OF_RESTARTS: tuple[Rule, ...] = (_by_number, _by_change, _by_window, _by_breaker, _by_health, _by_past, _by_recycles)
_OF_REPAIRS: tuple[Rule, ...] = (_by_change, _by_window, _by_repair)


def alike_silent(finding: Finding, everyone: tuple[Finding, ...], policy: Policy) -> tuple[Finding, ...]:
    """Return all that fell silent together with this one, if they are too many to have each a cause of its own."""
    mine = _last_seen(finding)
    alike = tuple(one for one in everyone if silent(one) and abs(_last_seen(one) - mine) <= policy.quorum_window_s)
    return alike if len(alike) > max(1, policy.quorum_share * counted(everyone)) else ()


def counted(everyone: tuple[Finding, ...]) -> int:
    """Return how many workers there are to count by."""
    return sum(one.verdict is not Verdict.STOPPED for one in everyone)


def silent(finding: Finding) -> bool:
    """Tell whether it is silent without the platform explaining it."""
    return finding.suspect or finding.verdict is Verdict.HUNG


def _process(finding: Finding) -> Process:
    return finding.place.platform, finding.place.app, finding.place.process


def _last_seen(finding: Finding) -> float:
    one = finding.site.incarnation if finding.site else None
    return one.last_seen_at if one else 0.0
