"""One step of a cycle as a file: what was seen, what the journal held, and the rules; judged again, it gives the same plan."""

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from celeriac.core.decide import decide
from celeriac.core.desk import Past, Plan
from celeriac.core.diagnose import diagnose
from celeriac.core.finding import Finding
from celeriac.core.limits import Limits, Policy
from celeriac.core.model import Place
from celeriac.core.places import sites
from celeriac.core.snapshot import Seen

LARGE = 2000
"""Incarnations in a moment that are kept whatever they bear on."""


class Moment(Struct, frozen=True):
    """All that a plan follows from."""

    seen: Seen
    past: Past = Past()
    limits: Limits = Limits()
    policy: Policy = Policy()
    pruned: bool = False
    """Whether workers at other places were left out: then guards that count workers may judge otherwise."""


_load = msgspec.json.Decoder(Moment).decode


def judge(moment: Moment) -> tuple[tuple[Finding, ...], Plan]:
    """Return the findings and the plan of this moment."""
    findings = diagnose(moment.seen, moment.limits)
    return findings, decide(findings, moment.seen, moment.past, moment.policy, moment.limits)


def pruned(moment: Moment, place: Place) -> Moment:
    """Return the moment with what bears on this place alone, if there is very much else."""
    seen = moment.seen
    if len(seen.incarnations) <= LARGE:
        return moment
    ours = next((site for site in sites(seen) if site.place == place), None)
    known = () if ours is None else (ours.incarnation, *ours.neighbours)
    lives = tuple(one for one in known if one is not None)
    keys = {one.key for one in lives}
    return replace(
        moment,
        seen=replace(
            seen,
            incarnations=tuple(one for one in seen.incarnations if one.key in keys),
            pools={key: pool for key, pool in seen.pools.items() if key in keys},
            lived=tuple(one for one in seen.lived if one.place == place),
        ),
        past=Past(
            tuple(one for one in moment.past.incidents if one.place == place),
            tuple(one for one in moment.past.remedies if one.place.app == place.app),
        ),
        pruned=True,
    )


def dump(moment: Moment) -> bytes:
    """Return the moment as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(moment), indent=1)


def load(text: bytes) -> Moment:
    """Return the moment of `dump`; raises `msgspec.DecodeError` with the path of what does not fit."""
    return _load(text)
