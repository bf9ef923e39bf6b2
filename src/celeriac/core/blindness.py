"""Whether we hear a cluster at all: while we do not, silence proves nothing about anybody."""

from celeriac.core.limits import Limits
from celeriac.core.readings import Unknown
from celeriac.core.snapshot import Seen


def blindness(seen: Seen, limits: Limits) -> str | None:
    """Return why silence proves nothing on this cluster now, or None while we hear our own echo."""
    if isinstance(seen.stream, Unknown):
        return seen.stream.why
    stream = seen.stream.value
    if stream.error:
        return f"the broker cannot be read: {stream.error}"
    if stream.echo_at is None or stream.flowing_since is None:
        return "our own echo has not come back yet"
    late = stream.observed_at - stream.echo_at
    if late > limits.echo_late_s:
        return f"our own echo is {late:.0f} s late: the broker or the observer is at fault"
    return None
