"""The keeper: look, judge, journal the intent, act, record; one sentence a cycle.

The order matters. What is decided is stored before anything is done, and right before the act the platform is read once
more: killed at any point, the next keeper finds the intent, reads the platform, and repeats nothing that took effect.
"""

import logging
import threading
from collections.abc import Callable

import structlog
from msgspec import Struct
from msgspec.structs import replace

from celeriac.app.aftermath import Aftermath
from celeriac.app.beat_watch import BeatWatch
from celeriac.app.casualties import CasualtyWatch
from celeriac.app.events_switch import EventsSwitch
from celeriac.app.gather import Gatherer
from celeriac.app.keeper_trail import KeeperTrail
from celeriac.app.platform_orders import order_app
from celeriac.app.preserve import Preserver
from celeriac.app.remote_orders import mend, recycle
from celeriac.core import story
from celeriac.core.act import Act
from celeriac.core.arrivals import clock_note
from celeriac.core.blindness import blindness
from celeriac.core.decide import decide
from celeriac.core.desk import Past, Plan
from celeriac.core.diagnose import diagnose
from celeriac.core.errors import ConflictError, MissingError, PortError, UnreachableError
from celeriac.core.finding import Finding
from celeriac.core.incident import RemedyKind
from celeriac.core.limits import Limits, Policy
from celeriac.core.memory import Board, Book, Changes
from celeriac.core.offline import Moment, pruned
from celeriac.core.places import Site
from celeriac.core.problems import problems
from celeriac.core.readings import Known
from celeriac.core.sentence import sentence
from celeriac.core.snapshot import Seen
from celeriac.evidence_ports import Exhibits
from celeriac.ports import Journal

REMEMBERED_S = 3600.0
LOOK_FRESH_S = 15.0
READ_FRESH_S = 5.0
"""How old the look, and the last reading of the index, may be when the order is sent: a paused process must look anew."""

log = structlog.get_logger()


class Rules(Struct, frozen=True):
    """How a keeper judges and what it may do; `policy` is asked anew each cycle, since a pause needs no restart."""

    limits: Limits
    policy: Callable[[], Policy]
    cycle_s: float = 2.0
    lease_s: float = 10.0


class Aides(Struct, frozen=True):
    """What works beside the cycle, none of which a verdict needs.

    `switch` has workers send their task events, `casualties` finds what becomes of tasks in flight, `aftermath` keeps
    evidence after a crash and `preserver` before a kill, `exhibits` the moments of decision, `beat` finds periodic tasks
    that come no more, `trail` has in the audit trail what was journalled.
    """

    switch: EventsSwitch | None = None
    casualties: CasualtyWatch | None = None
    aftermath: Aftermath | None = None
    preserver: Preserver | None = None
    exhibits: Exhibits | None = None
    beat: BeatWatch | None = None
    trail: KeeperTrail | None = None


class Keeper:
    """Heals one cluster; `reached` is told each named point of an act (`journalled`, `acted`, `verifying`).

    While it is paused it asks nobody for task events.
    """

    def __init__(
        self,
        gatherer: Gatherer,
        journal: Journal,
        rules: Rules,
        *,
        holder: str,
        aides: Aides = Aides(),  # noqa: B008 (frozen)
        reached: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._gatherer, self._journal, self._rules, self._aides = gatherer, journal, rules, aides
        self._platform, self._cluster, self._clock = gatherer.platform, gatherer.cluster, gatherer.clock
        self._holder, self._reached = holder, reached
        self._said = ""

    def run(self, stopping: threading.Event) -> None:
        """Run cycles until told to stop."""
        try:
            while not stopping.is_set():
                self._cycle_or_say_why()
                stopping.wait(self._rules.cycle_s)
        finally:
            self._gatherer.close()
            aides = self._aides
            for aide in (aides.switch, aides.casualties, aides.aftermath, aides.preserver, aides.beat):
                if aide:
                    aide.close()

    def _cycle_or_say_why(self) -> None:
        try:
            self.cycle()
        except ConflictError as error:
            self._say(f"standing by: {error}")
        except PortError as error:
            self._say(f"cannot work: {error}")
        except Exception as error:  # noqa: BLE001 (a defect in one cycle must not end the healing of all clusters)
            self._say(f"cannot work: a defect: {type(error).__name__}: {error}", exc_info=True)

    def cycle(self) -> None:
        """Look at the cluster once, and do what the plan says; stands by while another keeper holds the lease."""
        if not self._hold_lease():
            self._say("standing by: another keeper is at work")
            return
        policy = self._rules.policy()
        book = self._book(policy)
        seen = self._gatherer.look(book)
        past = Past(book.incidents, book.remedies, book.words)
        findings = diagnose(seen, self._rules.limits)
        plan = decide(findings, seen, past, policy, self._rules.limits)
        why_blind = blindness(seen, self._rules.limits)
        text = sentence(findings, plan, past, why_blind)
        board = self._board(seen, findings, policy, text, why_blind)
        notes = (*filter(None, [clock_note(seen.platform_ahead_s)]), *self._beat_notes(seen, findings))
        board = replace(board, remedies=tuple(one for one in book.remedies if one.attempts), notes=notes)
        if not self._hold_lease():  # a slow look may have outlived it
            message = "another keeper has taken over during the look"
            raise ConflictError(message)
        learned, lived = self._gatherer.learned, self._gatherer.lived
        self._commit(Changes(plan.incidents, plan.remedies, learned, lived, board, plan.words))
        self._say("; ".join((text, *notes)))
        self._tell(plan, book)
        self._keep_moment(plan, book, Moment(seen, past, self._rules.limits, policy))
        for act in plan.acts:
            self._act(act, seen.at)
        incidents = {one.id: one for one in (*book.incidents, *plan.incidents)}.values()
        for kind, aide in (("evidence", self._aides.aftermath), ("tasks", self._aides.casualties)):
            if aide:
                aide.consider(seen, incidents)
                self._tell_of(kind, aide.news())
        if self._aides.switch and policy.paused is None:
            self._aides.switch.consider(seen)

    def _book(self, policy: Policy) -> Book:
        book = self._journal.book(self._cluster, self._clock() - max(REMEMBERED_S, policy.cooldown_s))
        if self._aides.trail:
            self._aides.trail.read(book)
        return book

    def _beat_notes(self, seen: Seen, findings: tuple[Finding, ...]) -> tuple[str, ...]:
        return self._aides.beat.notes(seen, findings) if self._aides.beat else ()

    def _hold_lease(self) -> bool:
        return self._journal.hold_lease(self._holder, self._clock(), self._rules.lease_s)

    def _commit(self, changes: Changes) -> None:
        self._journal.commit(changes, self._holder)
        if self._aides.trail:
            self._aides.trail.committed(changes, self._clock())

    def _act(self, act: Act, looked_at: float) -> None:
        """Do what is journalled, if the index still is what was convicted, and journal how it went."""
        self._reached("journalled")
        act = self._preserve(act, looked_at)
        if not self._hold_lease():
            message = "another keeper has taken over before the act"
            raise ConflictError(message)
        done = self._attempt(act, looked_at)
        self._reached("acted")
        self._commit(Changes((done.incident,), (done.remedy,)))
        self._say(f"{done.incident.place.name}: {done.incident.steps[-1].text}")

    def _preserve(self, act: Act, looked_at: float) -> Act:
        """Keep evidence of what is about to be killed, in the time that the look stays fresh for."""
        if self._aides.preserver is None or act.remedy.attempts > 1 or act.remedy.repair or act.remedy.scale:
            return act
        within = looked_at + LOOK_FRESH_S - READ_FRESH_S - self._clock()
        text = self._aides.preserver.preserve(act, within, self._hold_lease)
        if text is None:
            return act
        return replace(act, incident=story.told(act.incident, self._clock(), "evidence", text))

    def _keep_moment(self, plan: Plan, book: Book, moment: Moment) -> None:
        """Keep what an incident was opened on, or is acted on, so that it can be judged again."""
        exhibits = self._aides.exhibits
        if exhibits is None:
            return
        before = {one.id for one in book.incidents}
        told = [one for one in plan.incidents if one.id not in before] + [act.incident for act in plan.acts]
        try:
            for id, place in {one.id: one.place for one in told}.items():
                exhibits.keep_moment(id, pruned(moment, place))
        except PortError as error:  # it stops no restart
            log.warning("the moment of a decision is not kept", cluster=self._cluster, why=str(error))

    def _attempt(self, act: Act, looked_at: float) -> Act:
        if act.remedy.repair is not None:
            return mend(act, act.remedy.repair, self._gatherer)
        if act.remedy.kind is RemedyKind.RECYCLE:
            return recycle(act, self._gatherer, until=looked_at + LOOK_FRESH_S)
        if act.remedy.place.of_app:
            return order_app(act, self._gatherer, until=looked_at + LOOK_FRESH_S)
        return self._restart(act, looked_at)

    def _restart(self, act: Act, looked_at: float) -> Act:
        if self._platform is None or act.instance is None:
            return story.failed(act, self._clock(), "no platform is configured")
        try:
            read_at = self._clock()
            now_there = self._platform.instance(act.instance)
            if now_there.guid != act.remedy.guid:
                return self._changed(act, now_there.guid)
            if self._clock() - looked_at > LOOK_FRESH_S or self._clock() - read_at > READ_FRESH_S:
                why = "what was seen has grown old before the act"
                return story.untouched(act, self._clock(), why, self._rules.limits)
            self._platform.restart_instance(now_there)
        except UnreachableError as error:
            return story.unclear(act, self._clock(), str(error))
        except MissingError as error:
            return story.untouched(act, self._clock(), str(error), self._rules.limits)
        except PortError as error:
            return story.failed(act, self._clock(), str(error))
        return story.acted(act, self._clock())

    def _changed(self, act: Act, guid: str | None) -> Act:
        """The index is another than was convicted: by our own first attempt, if there was one."""
        if act.remedy.attempts > 1:
            return story.acted(act, self._clock())
        why = f"not touched: the index now has guid {guid or 'none'}, not {act.remedy.guid}"
        return story.lapsed(act, self._clock(), why)

    def _board(
        self, seen: Seen, findings: tuple[Finding, ...], policy: Policy, text: str, why_blind: str | None
    ) -> Board:
        apps = seen.platform.value if isinstance(seen.platform, Known) else ()
        return Board(
            cluster=self._cluster,
            at=seen.at,
            sentence=text,
            mode=policy.mode.value,
            paused=policy.paused,
            policy=policy,
            changes=seen.changes,
            blind=why_blind,
            problems=problems(seen, why_blind),
            findings=tuple(_light(finding) for finding in findings),
            apps=apps,
            pools={
                key: pool
                for one in findings
                if one.site and one.site.incarnation
                for key in [one.site.incarnation.key]
                if (pool := seen.pools.get(key))
            },
        )

    def _tell(self, plan: Plan, book: Book) -> None:
        """Log each incident's new lines, and name the point that tests stop at while proof is awaited."""
        told = {one.id: len(one.steps) for one in book.incidents}
        for incident in plan.incidents:
            for step in incident.steps[told.get(incident.id, 0) :]:
                log.info(step.text, cluster=self._cluster, worker=incident.place.name, step=step.kind, id=incident.id)
        if any(one.state == "verifying" for one in book.incidents):
            self._reached("verifying")

    def _tell_of(self, kind: str, news: list[tuple[str, str]]) -> None:
        """Add to the stories of incidents what was found out beside the cycle."""
        for id, text in news:
            incident = self._journal.incident(id)
            if incident is not None:
                self._journal.commit(Changes((story.told(incident, self._clock(), kind, text),)), self._holder)
                log.info(text, cluster=self._cluster, worker=incident.place.name, step=kind, id=id)

    def _say(self, text: str, *, exc_info: bool = False) -> None:
        if text != self._said:
            self._said = text
            log.log(logging.ERROR if exc_info else logging.INFO, text, cluster=self._cluster, exc_info=exc_info)


def _light(finding: Finding) -> Finding:
    """Leave out what the board holds once for all findings."""
    site = finding.site
    return (
        replace(finding, site=Site(site.place, None, site.instance, site.incarnation, site.twins)) if site else finding
    )
