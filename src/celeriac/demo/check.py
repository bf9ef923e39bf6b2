"""`celeriac demo --check`: one worker killed, one frozen, and nothing said to be well that was not proven."""

import signal
import time
from collections.abc import Callable
from typing import TypeVar

from celeriac.client import Celeriac, ClientError, Incident, Worker
from celeriac.core.errors import CeleriacError
from celeriac.demo.breaks import strike

LIMIT_S = 240.0
WORKERS = 4

T = TypeVar("T")


class CheckFailedError(CeleriacError):
    """The check did not see what it must see."""


class Check:
    """Breaks two workers and waits for two proofs, telling each step as it comes."""

    def __init__(self, client: Celeriac, say: Callable[[str], None]) -> None:
        self._client, self._say = client, say
        self._until = time.monotonic() + LIMIT_S
        self._told: dict[str, int] = {}

    def run(self) -> None:
        """Run the check; raises CheckFailedError with the reason."""
        before = self._wait("all four workers are healthy", self._all_well)
        killed, frozen = before["orders-worker/0"], before["reports-worker/0"]
        strike(killed, signal.SIGKILL)
        self._say(f"killed the main process of {killed.name} (pid {killed.pid}, SIGKILL)")
        strike(frozen, signal.SIGSTOP)
        self._say(f"froze the main process of {frozen.name} (pid {frozen.pid}, SIGSTOP)")
        stories = [
            self._wait(f"{killed.name} is proven back", lambda: self._story(killed)),
            self._wait(f"{frozen.name} is proven back", lambda: self._story(frozen)),
        ]
        after = self._wait("all four workers are healthy again", self._all_well)
        for story in stories:
            self._say(timeline(story))
        self._demand(stories)
        for worker in (killed, frozen):
            _demand_new_instance(worker, after[worker.name])
        self._say("Both workers are proven to work again, and nothing else was touched.")

    def _demand(self, stories: list[Incident]) -> None:
        """The platform healed one, one restart healed the other, and no third worker has a story."""
        acts = [sum(step.kind == "acted" for step in story.steps) for story in stories]
        if acts != [0, 1]:
            raise CheckFailedError(f"Restarts of the killed and of the frozen worker: {acts}; they should be [0, 1].")
        others = [one for one in self._client.incidents() if one.id not in {story.id for story in stories}]
        if others:
            raise CheckFailedError(f"An incident was opened about {others[0].worker_name}, which nobody broke.")

    def _all_well(self) -> dict[str, Worker] | None:
        workers = {one.name: one for one in self._client.workers()}
        well = [one for one in workers.values() if one.verdict == "healthy" and not one.suspect and one.pool]
        return workers if len(well) == len(workers) == WORKERS else None

    def _story(self, worker: Worker) -> Incident | None:
        """Return the worker's incident once it is resolved."""
        found = [one for one in self._client.incidents() if one.worker == worker.id]
        for incident in found:
            for step in incident.steps[self._told.get(incident.id, 0) :]:
                self._say(f"{incident.worker_name}: {step.text}")
            self._told[incident.id] = len(incident.steps)
            if incident.state == "escalated":
                raise CheckFailedError(f"{worker.name} was not proven back:\n{timeline(incident)}")
        return next((one for one in found if one.state == "resolved"), None)

    def _wait(self, what: str, ready: Callable[[], T | None]) -> T:
        reason = ""
        while time.monotonic() < self._until:
            try:
                if found := ready():
                    return found
            except ClientError as error:
                reason = f" ({error})"
            time.sleep(0.5)
        raise CheckFailedError(f"Within {LIMIT_S:.0f} s it was not seen that {what}{reason}.")


def _demand_new_instance(before: Worker, after: Worker) -> None:
    guids = [one.instance.guid if one.instance else None for one in (before, after)]
    if guids[0] == guids[1]:
        raise CheckFailedError(f"{before.name} is said to be healed, and its instance is still {guids[0]}.")


def timeline(incident: Incident) -> str:
    """Return an incident's evidence and steps as lines."""
    lines = [f"\n{incident.worker_name}: {incident.verdict}, {incident.state}"]
    for one in incident.evidence:
        excluded = f" (rules out {one.rules_out})" if one.rules_out else ""
        lines.append(f"  evidence  {one.signal}: {one.reading}{excluded}")
    lines += [f"  {step.at.astimezone():%H:%M:%S}  {step.kind}: {step.text}" for step in incident.steps]
    return "\n".join(lines)
