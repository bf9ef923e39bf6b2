"""The soak: healthy clusters under disturbances, a few real faults between, and an account of every restart."""

import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from celeriac.client import Incident
from faults.disturbances import DISTURBANCES, FAULTS, TROUBLE, Disturbance
from faults.fleet import APPS, CELERY, Fleet
from faults.ledger import Account, Made, Wanted, account
from faults.recorder import Recorder
from faults.watch import StageError

START_S = 150.0
BETWEEN_S = 6.0
FAULT_EVERY_S = 150.0
HEALED_S = 240.0
"""How long the end waits for what is still being healed."""

OPEN = frozenset({"open", "held", "remedying", "verifying"})


class Soak:
    """One run."""

    def __init__(self, folder: Path, stack: ExitStack, *, minutes: float, seed: int, record: Path | None) -> None:
        self._begun = time.monotonic()
        self._seconds, self._rng = minutes * 60, random.Random(seed)  # noqa: S311 (which disturbance comes next is no secret)
        self._fleet = Fleet(folder, stack)
        self._bag: list[Disturbance] = []
        self._wanted: list[Wanted] = []
        self._struck: dict[str, float] = {}
        self._known: set[Made] = set()
        self._details: list[str] = []
        self._recorders = [self._recorder(name, record, stack) for name in CELERY] if record else []

    def _recorder(self, cluster: str, folder: Path, stack: ExitStack) -> Recorder:
        fleet = self._fleet
        mine = [app.name for app in APPS if app.cluster == cluster]

        def pids() -> dict[str, int]:
            workers = list(fleet.watch.workers.values())
            return {one.node: one.pid for one in workers if one.cluster == cluster and one.node and one.pid}

        path = folder / f"soak-{cluster}.jsonl"
        recorder = Recorder(path, fleet.urls[cluster], fleet.session, [fleet.guids[name] for name in mine], pids)
        stack.callback(recorder.close)
        return recorder

    def run(self) -> Account:
        """Disturb until the time is over, let what is being healed end, and return the account."""
        watch, names = self._fleet.watch, self._fleet.names
        watch.until(lambda: watch.healthy(names), START_S, "every worker is healthy")
        self._say(f"{len(names)} workers in {len(self._fleet.brokers)} clusters are healthy")
        start, faults = time.monotonic(), list[float]()
        while (now := time.monotonic() - start) < self._seconds:
            due = not faults or now - faults[-1] > FAULT_EVERY_S
            if due and (not faults or now < self._seconds - FAULT_EVERY_S / 2):
                faults.append(now)
                self._strike(len(faults) - 1)
            self._disturb(self._next())
            self._look()
            time.sleep(BETWEEN_S)
        self._say("no more disturbances: what is being healed may end")
        self._until_healed()
        return self._account()

    def report(self, found: Account) -> None:
        """Print the account, and all that is known of a false restart."""
        print(found.words)
        for one in found.wanted:
            print(f"  wanted: {one.worker}, {one.what}")
        for text in self._details:
            print(text)
        for one in found.missed:
            print(f"  missed: {one.worker}, {one.what}")
        for text in found.unverified:
            print(f"  unverified: {text}")

    def _say(self, text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self._begun), 60)
        print(f"{minutes:3d}:{seconds:02d}  {text}", file=sys.stderr, flush=True)
        for recorder in self._recorders:
            recorder.mark(text)

    def _busy(self) -> set[str]:
        """Return the apps that have a fault open: what else is done to them would blur whose restart it was."""
        for name in [
            name for name, at in self._struck.items() if time.time() - at > 20 and self._fleet.watch.healthy([name])
        ]:
            if not any(one.state in OPEN for one in self._fleet.watch.stories([name])):
                del self._struck[name]
        return {name.partition("/")[0] for name in self._struck}

    def _next(self) -> Disturbance:
        """Return the next disturbance: each comes once before any comes again."""
        if not self._bag:
            self._bag = list(DISTURBANCES)
            self._rng.shuffle(self._bag)
        return self._bag.pop()

    def _disturb(self, disturbance: Disturbance) -> None:
        try:
            self._say(disturbance(self._fleet, self._rng, self._busy()))
        except TROUBLE as why:
            self._say(f"no {disturbance.__name__} this time: {why}")

    def _strike(self, number: int) -> None:
        fault = FAULTS[number % len(FAULTS)]
        try:
            at = time.time()
            name, restart = fault(self._fleet, self._rng, self._busy())
        except TROUBLE as why:
            self._say(f"no {fault.__name__} this time: {why}")
            return
        self._struck[name] = at
        what = (fault.__doc__ or "").partition(":")[0].rstrip(".").lower()
        self._say(f"REAL FAULT: {name}, {what}")
        if restart:
            self._wanted.append(Wanted(name, at, what))

    def _look(self) -> None:
        """See whether a restart was made since the last look; a false one is written down while its cause is there."""
        made = self._fleet.restarts()
        false = account(self._wanted, made, ()).false
        for one in made:
            if one in self._known:
                continue
            self._known.add(one)
            self._say(f"Celeriac restarted {one.worker}{' FALSELY' if one in false else ''}")
            if one in false:
                self._details.append(self._detail(one))

    def _detail(self, made: Made) -> str:
        """Return the incidents of a falsely restarted worker, and the keeper's view of its cluster right after."""
        told = [_told(one) for one in self._fleet.watch.stories([made.worker])]
        cluster = next(app.cluster for app in APPS if app.name == made.worker.partition("/")[0])
        return "\n".join([f"FALSE: {made.worker}", *told, "the moment after:", self._fleet.moment(cluster)])

    def _until_healed(self) -> None:
        watch = self._fleet.watch

        def healed() -> bool:
            self._look()
            open_ones = [one for one in watch.incidents.values() if one.state in OPEN]
            return watch.healthy(self._fleet.names) and not open_ones

        try:
            watch.until(healed, HEALED_S, "every worker is healthy, and every incident over")
        except StageError as error:
            self._say(str(error))

    def _account(self) -> Account:
        incidents = self._fleet.watch.incidents.values()
        unverified = [_told(one) for one in incidents if one.state != "resolved" and _acted(one)]
        convicted = [one for one in incidents if one.verdict != "crashed" and one.worker_name not in self._was_struck()]
        self._details += [f"an incident without a fault: {_told(one)}" for one in convicted]
        found = account(self._wanted, self._fleet.restarts(), unverified)
        missed = {one.worker for one in found.missed}
        self._details += [f"MISSED: {_told(one)}" for one in incidents if one.worker_name in missed]
        return found

    def _was_struck(self) -> set[str]:
        return {one.worker for one in self._wanted}


def _acted(incident: Incident) -> bool:
    return any(step.kind == "acted" for step in incident.steps)


def _told(incident: Incident) -> str:
    lines = [f"{incident.worker_name}: {incident.verdict}, {incident.state} {incident.held_reason or ''}"]
    lines += [f"    evidence  {one.signal}: {one.reading}" for one in incident.evidence]
    lines += [f"    {step.at:%H:%M:%S}  {step.kind}: {step.text}" for step in incident.steps]
    return "\n".join(lines)


def soak(*, minutes: float, seed: int, record: Path | None, keep: Path | None) -> int:
    """Run it, print the account, and return 1 if a restart was false."""
    with (
        tempfile.TemporaryDirectory(prefix="celeriac-soak-", ignore_cleanup_errors=True) as folder,
        ExitStack() as stack,
    ):
        home = keep.absolute() if keep else Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        one = Soak(home, stack, minutes=minutes, seed=seed, record=record)
        found = one.run()
        one.report(found)
    return 1 if found.false else 0
