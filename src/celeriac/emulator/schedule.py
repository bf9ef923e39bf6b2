"""Diego's restart schedule for instances that crash: a table over `crash_count`, free of clocks and processes.

All durations are seconds on Diego's own clock, which the emulator may run faster than real time.
"""

CONVERGENCE_SECONDS = 30.0
RESET_SECONDS = 300.0
FIRST_BACKOFF_SECONDS = 30.0
MAX_BACKOFF_SECONDS = 960.0
FIRST_DELAYED_CRASH = 3
LAST_CRASH = 200


def restart_delay(crash_count: int) -> float | None:
    """Return the seconds that Diego waits after so many crashes, or None once it has given up."""
    if crash_count >= LAST_CRASH:
        return None
    if crash_count < FIRST_DELAYED_CRASH:
        return 0.0
    return min(MAX_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** (crash_count - FIRST_DELAYED_CRASH))


def may_restart(crash_count: int, waited: float) -> bool:
    """Tell whether an instance that crashed `waited` seconds ago may start again."""
    delay = restart_delay(crash_count)
    return delay is not None and waited >= delay


def next_crash_count(crash_count: int, ran: float) -> int:
    """Return the count after one more crash of an instance that had been RUNNING for `ran` seconds."""
    return 1 if ran > RESET_SECONDS else crash_count + 1
