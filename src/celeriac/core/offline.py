"""One step of a cycle as a file: what was seen, what the journal held, and the rules; judged again, it gives the same plan."""

import msgspec
from msgspec import Struct

from celeriac.core.decide import decide
from celeriac.core.desk import Past, Plan
from celeriac.core.diagnose import diagnose
from celeriac.core.finding import Finding
from celeriac.core.limits import Limits, Policy
from celeriac.core.snapshot import Seen


class Moment(Struct, frozen=True):
    """All that a plan follows from."""

    seen: Seen
    past: Past = Past()
    limits: Limits = Limits()
    policy: Policy = Policy()


def judge(moment: Moment) -> tuple[tuple[Finding, ...], Plan]:
    """Return the findings and the plan of this moment."""
    findings = diagnose(moment.seen, moment.limits)
    return findings, decide(findings, moment.seen, moment.past, moment.policy, moment.limits)


def dump(moment: Moment) -> bytes:
    """Return the moment as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(moment), indent=1)


def load(text: bytes) -> Moment:
    """Return the moment of `dump`; raises `msgspec.DecodeError` with the path of what does not fit."""
    return msgspec.json.decode(text, type=Moment)
