"""`[history]`: how long what was observed is kept."""

from typing import Annotated

from pydantic import Field, field_validator

from celeriac.core.retention import DAY_S, Retention
from celeriac.core.tasks import STATES
from celeriac.settings.section import Section

Days = Annotated[float, Field(gt=0, le=36_500)]


class HistorySettings(Section):
    """`[history]`: how long tasks, roll-ups and samples are kept, for each cluster."""

    days: Days = Field(default=14, description="Days that a task is kept.")
    days_by_state: dict[str, Days] = Field(
        default={"FAILURE": 30},
        description="Days for tasks that ended in these states, instead of `days`; a longer `days` outweighs the default.",
    )
    most_gb: float = Field(
        default=10,
        gt=0,
        description="Gigabytes that one cluster's history may use; beyond it, or where the disk is nearly full, the oldest goes.",
    )
    minute_days: Days = Field(default=14, description="Days that roll-ups by the minute are kept.")
    hour_days: Days = Field(default=400, description="Days that roll-ups by the hour are kept.")
    queue_days: Days = Field(default=14, description="Days that samples of queues are kept; after a day one a minute.")

    @field_validator("days_by_state")
    @classmethod
    def _states(cls, days: dict[str, float]) -> dict[str, float]:
        if unknown := sorted(set(days) - set(STATES.values())):
            msg = f"names the state {unknown[0]!r}, which Celery does not have; there are: {', '.join(STATES.values())}"
            raise ValueError(msg)
        return days

    def retention(self) -> Retention:
        """Return the same in seconds and bytes."""
        return Retention(
            age_s=self.days * DAY_S,
            by_state={state: self._days_of(state) * DAY_S for state in self.days_by_state},
            most_bytes=round(self.most_gb * 1e9),
            minutes_s=self.minute_days * DAY_S,
            hours_s=self.hour_days * DAY_S,
            samples_s=self.queue_days * DAY_S,
        )

    def _days_of(self, state: str) -> float:
        """Return the days of one state: what nobody has set shortens nothing."""
        days = self.days_by_state[state]
        return days if "days_by_state" in self.model_fields_set else max(days, self.days)
