"""What was found at one place: its verdict, what it rests on, and what could be done."""

from msgspec import Struct
from msgspec.structs import replace

from celeriac.core.case import Case
from celeriac.core.evidence import signals
from celeriac.core.incident import RemedyKind
from celeriac.core.model import InstanceState, Place, Status, Verdict
from celeriac.core.places import Site
from celeriac.core.readings import Evidence
from celeriac.core.repair import Repair

UNMAPPED = "no platform instance is known for this node"

_ALIVE = frozenset({Verdict.HEALTHY, Verdict.BUSY, Verdict.DRAINING, Verdict.DEAF, Verdict.DAMAGED})


class Finding(Struct, frozen=True):
    """One place's verdict with what it rests on; `approval` says why only a person may order the remedy.

    `doubt` tells that it speaks, but that work waits which it should take: it is worth a closer look. `may_work` tells that
    its remedy would stop a process that may still run tasks.
    """

    place: Place
    verdict: Verdict
    suspect: bool = False
    notes: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    remedy: RemedyKind = RemedyKind.NONE
    approval: str | None = None
    site: Site | None = None
    silence_s: float = 0.0
    doubt: bool = False
    may_work: bool = False
    repair: Repair | None = None

    @property
    def status(self) -> Status:
        alive = self.verdict in _ALIVE or self._between_crashes
        return Status.ONLINE if alive else Status.OFFLINE

    @property
    def _between_crashes(self) -> bool:
        instance = self.site.instance if self.site else None
        running = instance is not None and instance.state is InstanceState.RUNNING
        return self.verdict is Verdict.CRASH_LOOPING and running and self.node is not None

    @property
    def well(self) -> bool:
        """Tell whether there is nothing to heal here."""
        return self.verdict in {Verdict.HEALTHY, Verdict.BUSY} and not self.suspect

    @property
    def still_works(self) -> bool:
        """Tell whether a restart would stop more than what is proven dead."""
        if self.verdict is Verdict.DEAF:  # a zombie takes nothing, but may still run what it had
            one = self.site.incarnation if self.site else None
            return one is not None and bool(one.active)
        return self.may_work or self.verdict in _ALIVE

    @property
    def guid(self) -> str | None:
        return self.site.instance.guid if self.site and self.site.instance else None

    @property
    def node(self) -> str | None:
        return self.site.incarnation.node if self.site and self.site.incarnation else None

    @property
    def pid(self) -> int | None:
        return self.site.incarnation.pid if self.site and self.site.incarnation else None


def found(
    case: Case,
    verdict: Verdict,
    *notes: str,
    suspect: bool = False,
    remedy: RemedyKind = RemedyKind.NONE,
    evidence: tuple[Evidence, ...] = (),
    doubt: bool = False,
) -> Finding:
    """Return the finding of a rule, with every signal that was read for this place."""
    one = case.site.incarnation
    if one and case.site.twins:
        notes = (*notes, f"{case.site.twins + 1} processes use the node name {one.node}")
    return Finding(
        place=case.site.place,
        verdict=verdict,
        suspect=suspect,
        notes=notes,
        evidence=(*signals(case), *evidence),
        remedy=remedy,
        site=case.site,
        silence_s=case.silent_s,
        doubt=doubt,
    )


def restart(
    case: Case,
    verdict: Verdict,
    *notes: str,
    suspect: bool = False,
    approval: str | None = None,
    evidence: tuple[Evidence, ...] = (),
    may_work: bool = False,
) -> Finding:
    """Return a finding whose remedy is a restart of its instance; people are told where it has none of its own.

    A restart stops the whole container, so no node of several is restarted for its own sake.
    """
    others = None if case.site.instance else UNMAPPED
    if case.site.neighbours:
        others = f"shares its container with {', '.join(one.node for one in case.site.neighbours)}"
    if others:
        return found(case, verdict, *notes, others, remedy=RemedyKind.ALERT, suspect=suspect, evidence=evidence)
    remedy = RemedyKind.RESTART_INSTANCE
    finding = found(case, verdict, *notes, remedy=remedy, suspect=suspect, evidence=evidence)
    return replace(finding, approval=approval, may_work=may_work)


def recycle(case: Case, verdict: Verdict, note: str) -> Finding:
    """Return a finding whose remedy ends the process once its tasks have ended, so that it cuts off none."""
    return found(case, verdict, note, remedy=RemedyKind.RECYCLE)


def mend(case: Case, verdict: Verdict, note: str, repair: Repair) -> Finding:
    """Return a finding whose remedy is a live repair; people are asked unless an app policy names what it is for."""
    named = set(repair.names) & set(case.limits.live_repair)
    approval = (
        None if named else f"it may be so on purpose, and heal.live_repair names none of {', '.join(repair.names)}"
    )
    finding = found(case, verdict, note, remedy=RemedyKind.LIVE_REPAIR)
    return replace(finding, approval=approval, repair=repair)
