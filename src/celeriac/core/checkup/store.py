"""Checks of the store: its schema, whether it can be written, and whether there is room for what is to be kept."""

from collections.abc import Iterator

from celeriac.core.checkup.facts import Denied, Facts, FileState, StoreState
from celeriac.core.checkup.lines import Line, Subject, listed
from celeriac.core.readings import Known

MEGABYTE = 1_000_000
GIGABYTE = 1_000_000_000
SCARCE = 50 * MEGABYTE
SPARE = 512 * MEGABYTE
"""Below the first the store soon takes nothing; below the second the oldest history is given up to make room."""

FULL_SHARE = 0.9


def store(facts: Facts, subject: Subject) -> Iterator[Line]:
    """Tell how the store is."""
    found = facts.store
    if not isinstance(found, Known):
        yield subject.untold("schema", "how the store is", found.why)
    elif isinstance(found.value, Denied):
        cost = "nothing is kept, so nothing is decided"
        yield subject.fail("schema", f"the store cannot be looked at: {found.value.why}", cost, "the setting `store`")
    else:
        yield _schema(found.value, subject)
        yield _writable(found.value, subject)
        yield _disk(found.value, facts, subject)
        yield _size(found.value, facts, subject)


def _schema(state: StoreState, subject: Subject) -> Line:
    of = {each: {one.name for one in state.files if one.state is each} for each in FileState}
    cost = "no role begins its work"
    if of[FileState.UNREADABLE]:
        why = next(one.why or "" for one in state.files if one.state is FileState.UNREADABLE)
        return subject.fail(
            "schema", f"{listed(of[FileState.UNREADABLE])}: {why}", cost, "put the file back, or celeriac migrate"
        )
    if of[FileState.OLD]:
        return subject.fail("schema", f"{listed(of[FileState.OLD])} has an older schema", cost, "celeriac migrate")
    if of[FileState.MISSING] and len(of[FileState.MISSING]) < len(state.files):
        return subject.fail("schema", f"{listed(of[FileState.MISSING])} is not there", cost, "celeriac migrate")
    if of[FileState.MISSING]:
        return subject.warn("schema", f"there is no store in {state.directory} yet", cost, "celeriac serve makes it")
    return subject.ok("schema", f"the schema in {state.directory} is up to date")


def _writable(state: StoreState, subject: Subject) -> Line:
    closed = {one.name for one in state.files if not one.writable}
    if state.writable and not closed:
        return subject.ok("writable", "the user of this command may write it")
    what = listed(closed) if closed else state.directory
    fix = f"chown -R the user that runs `celeriac serve` {state.directory}"
    return subject.fail(
        "writable", f"{what} cannot be written by this user", "nothing is kept, so nothing is decided", fix
    )


def _disk(state: StoreState, facts: Facts, subject: Subject) -> Line:
    if state.free is None:
        return subject.untold("disk", "how much room the disk has", "the system does not say")
    free, spare = state.free, min(SPARE, (state.disk or SPARE * 10) // 10)
    wanted = _wanted(state, facts)
    if free < min(SCARCE, spare):
        cost = "the store soon takes nothing, and the clusters turn blind"
        return subject.fail(
            "disk", f"only {_bytes(free)} are free", cost, f"make room on the disk of {state.directory}"
        )
    if free < spare:
        cost = "the oldest history is given up before its time"
        return subject.warn(
            "disk", f"only {_bytes(free)} are free", cost, f"make room on the disk of {state.directory}"
        )
    if free - spare < wanted:
        text = f"{_bytes(free)} are free, and histories may grow by {_bytes(wanted)} more"
        cost = "the oldest history goes before history.days are over"
        return subject.warn("disk", text, cost, "a lower history.most_gb or history.days, or a larger disk")
    return subject.ok("disk", f"{_bytes(free)} are free; histories may grow by {_bytes(wanted)} more")


def _size(state: StoreState, facts: Facts, subject: Subject) -> Line:
    most = facts.retention.most_bytes
    full = {one.name for one in state.files if one.name.startswith("history-") and one.size > FULL_SHARE * most}
    used = sum(one.size for one in state.files)
    if full:
        cost = "beyond history.most_gb the oldest goes, whatever history.days says"
        fix = "a higher history.most_gb, or a lower history.days"
        return subject.warn("size", f"{listed(full)} is nearly as large as history.most_gb allows", cost, fix)
    return subject.ok("size", f"it holds {_bytes(used)}; each history may take {_bytes(most)}")


def _wanted(state: StoreState, facts: Facts) -> int:
    return sum(max(0, facts.retention.most_bytes - one.size) for one in state.files if one.name.startswith("history-"))


def _bytes(size: float) -> str:
    return f"{size / GIGABYTE:.1f} GB" if size >= GIGABYTE else f"{size / MEGABYTE:.0f} MB"
