"""Checks of what would happen tonight: does a keeper judge, what may it do by itself, and would anybody be told."""

from collections.abc import Iterator

from celeriac.core.checkup.facts import ClusterFacts, Denied, Facts, had
from celeriac.core.checkup.lines import Line, Subject, span
from celeriac.core.model import Mode
from celeriac.core.readings import Known

JUDGED_S = 30.0
"""A keeper that has said nothing for so long is not at work."""

TONIGHT = {
    Mode.AUTO: "a proven dead or hung worker is restarted without asking, within budget and guards",
    Mode.APPROVE: "every restart waits until a person approves it",
    Mode.OBSERVE: "nothing is restarted; what would have been is kept for `celeriac report`",
}


def keeper(cluster: ClusterFacts, subject: Subject, *, serving: bool) -> Iterator[Line]:
    """Tell whether a keeper judges this cluster."""
    check, board = "keeper", cluster.board
    cost = "nobody judges the workers, and nothing is restarted"
    say = subject.fail if serving else subject.warn
    if board is None:
        yield say(check, "no keeper has judged this cluster yet", cost, "celeriac serve")
    elif (age := cluster.at - board.at) > JUDGED_S:
        yield say(check, f"no keeper judges this cluster: the last word is {span(age)} old", cost, "celeriac serve")
    elif board.problems:
        yield subject.warn(check, f"the keeper misses something: {board.problems[0]}", "its verdicts rest on less")
    else:
        yield subject.ok(check, f"the keeper judged this cluster {span(max(0.0, age))} ago")


def mode(cluster: ClusterFacts, subject: Subject) -> Iterator[Line]:
    """Tell what the mode means tonight, and whether anything pauses it."""
    check, policy, board = "mode", had(cluster.policy, "the store was not asked"), cluster.board
    if isinstance(policy, Denied):
        what = f"whether anything pauses it (mode {cluster.mode}: {TONIGHT[cluster.mode]})"
        yield subject.untold(check, what, policy.why)
        return
    running = board.mode if board and cluster.at - board.at <= JUDGED_S else None
    cost = "a proven dead or hung worker stays so"
    if policy.paused:
        fix = f"celeriac resume --cluster {cluster.name}, or remove the file PAUSE from the store's directory"
        yield subject.warn(check, f"paused: {policy.paused}", cost, fix)
    elif policy.maintenance:
        fix = "wait for its end, or change [[heal.maintenance]]"
        yield subject.warn(check, f"a maintenance window is open: {policy.maintenance}", cost, fix)
    elif running is not None and running != policy.mode:
        text = f"the keeper works in mode {running}, and these settings say {policy.mode}"
        yield subject.warn(check, text, f"in mode {running}: {TONIGHT[Mode(running)]}", "start `celeriac serve` anew")
    elif policy.mode is Mode.AUTO:
        yield subject.ok(check, f"mode auto: {TONIGHT[Mode.AUTO]} ({policy.budget_per_hour} an hour at most)")
    else:
        fix = 'mode = "auto" in [heal], when `celeriac report` shows no false restart'
        yield subject.warn(check, f"mode {policy.mode}: {TONIGHT[policy.mode]}", f"{cost} until somebody looks", fix)


def lease(facts: Facts, subject: Subject) -> Iterator[Line]:
    """Tell whether a keeper holds the lease."""
    check, found = "lease", facts.lease
    cost = "nobody judges the workers, and nothing is restarted"
    say = subject.fail if facts.serving else subject.warn
    if not isinstance(found, Known):
        yield subject.untold(check, "whether a keeper holds the lease", found.why)
    elif isinstance(found.value, Denied):
        yield subject.untold(check, "whether a keeper holds the lease", found.value.why, "celeriac serve")
    elif found.value is None:
        yield say(check, "no keeper holds the lease", cost, "celeriac serve")
    elif found.value.until <= facts.at:
        ago = span(facts.at - found.value.until)
        yield say(check, f"no keeper holds the lease; it ran out {ago} ago", cost, "celeriac serve")
    else:
        yield subject.ok(check, f"the keeper {found.value.holder} holds the lease")


def alerts(facts: Facts, subject: Subject) -> Iterator[Line]:  # noqa: ARG001 (the form of all checks)
    """Tell whether anybody would be told: this version sends no alerts."""
    yield subject.warn(
        "alerts",
        "nobody is told of an incident: this version sends no alerts",
        "an incident that waits for a person waits until somebody looks",
        "keep the console open, or have your monitoring read /api/v1/incidents?open=true",
    )
