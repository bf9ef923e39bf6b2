"""The thresholds and bounds of the rules, in seconds unless named otherwise; `[heal]` in celeriac.toml sets some of them."""

from msgspec import Struct

from celeriac.core.model import Mode


class Limits(Struct, frozen=True):
    """When evidence counts. The defaults are argued in docs/explanation/the-cycle.md."""

    suspect_beats: float = 6
    silent_s: float = 30
    silent_beats: float = 15
    echo_late_s: float = 5
    settle_s: float = 40
    may_block_s: float = 600
    idle_consumer_s: float = 5
    broker_lasting_s: float = 15
    doubt_s: float = 30
    deaf_s: float = 60
    deaf_chance: float = 1e-6
    rediscover_s: float = 90
    stuck_s: float = 600
    stuck_times: float = 3
    stuck_runs: int = 20
    live_repair: tuple[str, ...] = ()
    """The queues and tasks for which the keeper may repair a worker without asking."""

    taken_back_s: float = 3
    drain_deadline_s: float = 1800
    start_deadline_s: float = 180
    crash_window_s: float = 600
    crashes_at_most: int = 3
    crash_loop_at: int = 3
    longest_backoff_s: float = 1020
    forget_s: float = 3600
    convergence_s: float = 30
    verify_least_s: float = 180
    verify_beats: int = 3
    attempts_at_most: int = 3
    waited_s: float = 30
    unclear_s: float = 40
    recovered_s: float = 60
    recycle_s: float = 300
    finish_grace_s: float = 60


class Policy(Struct, frozen=True):
    """What the keeper may do by itself, and how much of it.

    `paused` and `maintenance` hold their reason while it applies; `breaker` 0 is none.
    """

    mode: Mode = Mode.APPROVE
    paused: str | None = None
    cooldown_s: float = 600
    budget_share: float = 0.1
    budget_per_hour: int = 5
    quorum_share: float = 0.3
    quorum_window_s: float = 10
    approval_ttl_s: float = 900
    many_silent_s: float = 60
    maintenance: str | None = None
    deploy_wait_s: float = 600
    breaker: int = 3
    min_healthy: float = 0
    min_healthy_share: float = 0.5
    app_ill_share: float = 0.5
    app_ill_least: int = 3
    """More than this share of an app's running instances, and at least so many, are ill when its restart is proposed."""

    recycles_at_most: int = 2
    recycles_within_s: float = 300
    """More ends of one instance in so short a time bring the platform's own pause before a restart (Diego: the third)."""

    def least_healthy(self, wanted: int) -> int:
        """Return how many of so many wanted instances must stay well when one that still works is stopped."""
        return max(int(self.min_healthy), int(self.min_healthy_share * wanted))
