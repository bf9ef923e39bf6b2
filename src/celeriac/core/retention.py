"""How long history is kept."""

from msgspec import Struct

DAY_S = 86_400.0


class Retention(Struct, frozen=True):
    """Ages in seconds, size in bytes; `by_state` holds the states whose tasks are kept longer or shorter than others.

    Size wins: beyond `most_bytes` the oldest goes, tasks whatever their state, and roll-ups and samples alike.
    """

    age_s: float = 14 * DAY_S
    by_state: dict[str, float] = {}
    most_bytes: int = 10 * 2**30
    minutes_s: float = 14 * DAY_S
    hours_s: float = 400 * DAY_S
    samples_s: float = 14 * DAY_S

    def age_of(self, state: str) -> float:
        """Return how long a task in this state is kept, in seconds."""
        return self.by_state.get(state, self.age_s)
