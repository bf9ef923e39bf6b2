"""Whether the tasks of a hung worker have ended, by the result backend: asked beside the cycle while they are waited for."""

from collections.abc import Callable, Collection
from typing import Any

from celeriac.app.asking import Asked
from celeriac.core.casualties import NAMED_AT_MOST, left
from celeriac.core.errors import PortError
from celeriac.core.grace import waiting
from celeriac.core.incident import Incident
from celeriac.core.readings import Known, Reading, Unknown
from celeriac.core.snapshot import Outcomes
from celeriac.core.tasks import STARTED
from celeriac.evidence_ports import Results, TasksOfLives

LIVES_AT_ONCE = 10
BEGUN_AT_MOST = 200

Life = tuple[str, int]


class ResultWatch:
    """Asks one cluster's result backend, if there is one; one question at a time is under way, and no cycle waits for it."""

    def __init__(
        self,
        tasks: TasksOfLives | None,
        results: Results | None,
        ask: Callable[[Callable[[], Any]], Asked[Any]],
        clock: Callable[[], float],
    ) -> None:
        self._from = (tasks, results) if tasks and results else None
        self._ask, self._clock = ask, clock
        self._asked: Asked[dict[str, Reading[Outcomes]]] | None = None
        self._found: dict[str, Reading[Outcomes]] = {}

    def go_on(self, incidents: Collection[Incident]) -> dict[str, Reading[Outcomes]]:
        """Return what is known of the lives whose tasks are waited for, by `Incarnation.key`; asks anew."""
        lives = {f"{life[0]}#{life[1]}": life for one in incidents if (life := waiting(one))}
        if self._asked is not None and self._asked.done(within=0.0):
            answer, self._asked = self._asked.answer(), None
            self._found = answer.value if isinstance(answer, Known) else dict.fromkeys(lives, answer)
        self._found = {key: found for key, found in self._found.items() if key in lives}
        if lives and self._from and self._asked is None:
            tasks, results = self._from
            some = dict(sorted(lives.items())[:LIVES_AT_ONCE])
            self._asked = self._ask(lambda: {key: self._outcomes(life, tasks, results) for key, life in some.items()})
        return self._found

    def _outcomes(self, life: Life, tasks: TasksOfLives, results: Results) -> Reading[Outcomes]:
        try:
            found, number = tasks.left_by(*life, NAMED_AT_MOST)
            known = [one for task in found if (one := left(task, life))]
            begun = [one.uuid for one in known if one.state == STARTED]
            if number > len(found) or len(begun) > BEGUN_AT_MOST:
                return Unknown("more tasks were under way than are asked for", self._clock())
            return Known(Outcomes(len(begun), len(results.ended(begun))), self._clock())
        except PortError as error:
            return Unknown(str(error), self._clock())
