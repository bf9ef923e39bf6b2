"""The keeper's memory in SQL: the lease, what a cycle commits, and what people ask."""

import contextlib
import sqlite3

import pytest
from msgspec.structs import replace

from adapters.stored import DAY, NOW, PLACE, board, incident, remedy, rivals
from celeriac.adapters.sql import journal
from celeriac.core.errors import ConflictError, UnreachableError
from celeriac.core.finding import Finding
from celeriac.core.incident import IncidentState, RemedyState
from celeriac.core.memory import Book, Changes
from celeriac.core.model import App, Instance, InstanceState, Pool, Process, Verdict
from celeriac.core.snapshot import Lived

# A process's first reads


def test_threads_may_read_for_the_first_time_all_at_once(keeper, directory):
    """What is read has tables that msgspec fills once; a thread that met half of one ended the process."""
    app = App(
        "cf", "guid", "shop", "STARTED", instances=(Instance("cf", "shop", "g", "web", 0, InstanceState.RUNNING),)
    )
    keeper.commit(Changes(board=board(apps=(app,), pools={"one": Pool("prefork", 2)})))

    with rivals("first_reads", directory, 3) as outcomes:
        pass

    assert outcomes == ["True"] * 3


# The lease


def test_a_free_lease_is_taken_and_renewed(keeper):
    """The holder may hold it again at any time, before and after its end."""
    assert [keeper.hold_lease("one", NOW + late, 10) for late in (0, 5, 30)] == [True, True, True]


def test_a_running_lease_is_refused_to_others(keeper):
    """Nobody else gets it while it runs, and asking does not shorten it."""
    keeper.hold_lease("one", NOW, 10)

    assert [keeper.hold_lease("two", NOW + late, 10) for late in (0, 5, 9.999)] == [False, False, False]
    assert keeper.hold_lease("one", NOW + 9.999, 10)


def test_a_lease_that_has_ended_is_taken_over(keeper):
    """From the moment of its end another may take it, and the old holder has lost it."""
    keeper.hold_lease("one", NOW, 10)

    assert keeper.hold_lease("two", NOW + 10, 10)
    assert not keeper.hold_lease("one", NOW + 11, 10)


def test_a_renewal_counts_from_its_own_time(keeper):
    """A renewed lease runs from then on."""
    keeper.hold_lease("one", NOW, 10)
    keeper.hold_lease("one", NOW + 8, 10)

    assert not keeper.hold_lease("two", NOW + 17, 10)
    assert keeper.hold_lease("two", NOW + 18, 10)


def test_of_processes_that_race_for_the_lease_one_wins(store, directory):
    """Three processes ask at the same moment."""
    with rivals("lease", directory, 3) as outcomes:
        pass

    assert sorted(outcomes) == ["False", "False", "True"]


def test_a_lease_that_ends_later_than_any_could_protects_nobody(keeper):
    """Its holder's clock was an hour ahead: another takes over at once, and holds it as usual."""
    keeper.hold_lease("ahead", NOW + 3600, 10)

    assert keeper.hold_lease("two", NOW, 10)
    assert not keeper.hold_lease("three", NOW + 9, 10)
    assert keeper.hold_lease("three", NOW + 10, 10)


def test_a_clock_that_is_a_little_ahead_protects_its_holder(keeper):
    """A lease that could be one of these times is left to run."""
    keeper.hold_lease("one", NOW + 10, 10)

    assert not keeper.hold_lease("two", NOW, 10)
    assert not keeper.hold_lease("two", NOW + 19.9, 10)
    assert keeper.hold_lease("two", NOW + 20, 10)


def test_a_keeper_with_a_short_lease_respects_a_long_one(keeper):
    """Two keepers may differ in `heal.lease`: what counts is the end of the lease that runs."""
    keeper.hold_lease("one", NOW, 600)

    assert not keeper.hold_lease("two", NOW + 1, 2)
    assert not keeper.hold_lease("two", NOW + 599, 2)
    assert keeper.hold_lease("two", NOW + 600, 2)


# The book, and what a cycle commits


def test_what_is_committed_is_read_back_whole(keeper):
    """Every field of incidents, remedies, pools, places and board survives."""
    instance = Instance("cf", "shop", "a-guid", "worker", 0, InstanceState.RUNNING, "g", 5.0, "x")
    app = App("cf", "a-guid", "shop", "STARTED", (Process("worker", 1),), (instance,))
    finding = Finding(PLACE, Verdict.HUNG, suspect=True)
    changes = Changes(
        incidents=(incident("i"),),
        remedies=(remedy("r"),),
        pools={"worker@g#7": Pool("prefork", 2, ("orders",), named=True)},
        lived=(Lived("g", PLACE, NOW),),
        board=board(paused="lunch", problems=("one",), findings=(finding,), apps=(app,)),
    )
    keeper.commit(changes)

    assert keeper.book("a", NOW) == Book(changes.incidents, changes.remedies, changes.pools, changes.lived)
    assert keeper.board("a") == changes.board
    assert keeper.incident("i") == changes.incidents[0]
    assert keeper.remedy("r") == changes.remedies[0]


def test_what_is_not_there_is_none(keeper):
    """An empty store answers everything."""
    assert keeper.book("a", 0) == Book()
    assert [keeper.board("a"), keeper.incident("i"), keeper.remedy("r")] == [None, None, None]
    assert keeper.incidents(None, open_only=False, limit=9) == []


def test_the_book_holds_what_is_open_and_what_ended_since(keeper):
    """An old story that ended long ago is left out; whatever is open stays, however old."""
    old, since, later = NOW - 9 * DAY, NOW - 100, NOW - 50
    over = IncidentState.RESOLVED
    keeper.commit(
        Changes(
            incidents=(
                incident("open-old", opened_at=old),
                incident("over-old", opened_at=old, state=over, resolved_at=since - 1),
                incident("over-now", opened_at=old, state=over, resolved_at=later),
            ),
            remedies=(
                *(remedy(f"{state}-old", state=state, asked_at=old) for state in journal.OPEN_REMEDIES),
                remedy("over-old", state=RemedyState.VERIFIED, asked_at=old, ended_at=since - 1),
                remedy("over-now", state=RemedyState.VERIFIED, asked_at=old, ended_at=later),
                remedy("asked-now", state=RemedyState.LAPSED, asked_at=later, ended_at=later),
            ),
        )
    )
    book = keeper.book("a", since)

    assert {one.id for one in book.incidents} == {"open-old", "over-now"}
    assert {one.id for one in book.remedies} == {"requested-old", "intended-old", "acted-old", "over-now", "asked-now"}


def test_clusters_do_not_see_each_other(keeper):
    """One file holds the memory of all clusters; each book has its own only."""
    for name in ("a", "b"):
        learned = {"n#1": Pool(name)}
        place = replace(PLACE, cluster=name)
        keeper.commit(
            Changes((incident(f"i-{name}", cluster=name),), (remedy(f"r-{name}", cluster=name),), learned,
                    (Lived("g", place, NOW),), board(name, sentence=name))
        )  # fmt: skip

    for name in ("a", "b"):
        book = keeper.book(name, 0)
        assert [one.id for one in (*book.incidents, *book.remedies)] == [f"i-{name}", f"r-{name}"]
        assert [book.pools["n#1"].kind, book.lived[0].place.cluster, keeper.board(name).sentence] == [name] * 3


def test_a_commit_replaces_what_it_names_and_keeps_the_rest(keeper):
    """A row is written whole, by its id."""
    keeper.commit(Changes((incident("i"), incident("j")), (remedy("r"), remedy("s"))))
    keeper.commit(Changes((incident("i", state=IncidentState.HELD),), (remedy("r", state=RemedyState.VERIFIED),)))
    book = keeper.book("a", 0)

    assert {one.id: one.state for one in book.incidents} == {"i": "held", "j": "open"}
    assert {one.id: one.state for one in book.remedies} == {"r": "verified", "s": "acted"}


def test_a_commit_is_all_or_nothing(keeper):
    """One row that cannot be stored leaves none of the others behind."""
    before = Changes((incident("i"),), (remedy("r"),), board=board())
    keeper.commit(before)
    broken = replace(remedy("s"), asked_at=None)

    with pytest.raises(UnreachableError, match="NOT NULL"):
        keeper.commit(
            Changes((incident("i", state=IncidentState.HELD), incident("j")), (remedy("r"), broken), board=board())
        )

    assert keeper.book("a", 0) == Book(before.incidents, before.remedies)
    keeper.commit(Changes((incident("j"),)))  # and nothing is locked


def test_who_lost_the_lease_commits_nothing(keeper):
    """A keeper that was overtaken learns it before anything is written."""
    keeper.hold_lease("one", NOW, 10)
    keeper.commit(Changes((incident("i"),)), "one")
    keeper.hold_lease("two", NOW + 11, 10)

    with pytest.raises(ConflictError, match="another keeper"):
        keeper.commit(Changes((incident("j"),), board=board()), "one")
    assert keeper.incident("j") is None
    keeper.commit(Changes((incident("k"),)), "two")
    assert keeper.incident("k") is not None


def test_who_never_had_the_lease_commits_nothing(keeper):
    """Without any lease in the store a holder is none."""
    with pytest.raises(ConflictError):
        keeper.commit(Changes((incident("i"),)), "one")


def test_incidents_are_newest_first_up_to_the_limit(keeper):
    """The order is by opening, whatever the order of writing."""
    times = [3, 1, 5, 2, 4]
    keeper.commit(Changes(tuple(incident(f"i{n}", opened_at=NOW + n) for n in times)))

    assert [one.id for one in keeper.incidents("a", open_only=False, limit=9)] == ["i5", "i4", "i3", "i2", "i1"]
    assert [one.id for one in keeper.incidents("a", open_only=False, limit=2)] == ["i5", "i4"]
    assert keeper.incidents("b", open_only=False, limit=9) == []


def test_open_incidents_are_those_that_are_not_over(keeper):
    """Held and escalated ones are open; resolved and closed ones are not."""
    keeper.commit(Changes(tuple(incident(str(state), state=state) for state in IncidentState)))
    keeper.commit(Changes((incident("other", cluster="b"),)))

    found = {one.id for one in keeper.incidents(None, open_only=True, limit=99)}
    assert found == {"open", "held", "remedying", "verifying", "escalated", "other"}


def test_the_board_is_the_last_word(keeper):
    """A cluster has one board, replaced with each cycle."""
    for sentence in ("one", "two"):
        keeper.commit(Changes(board=board(sentence=sentence)))

    assert keeper.board("a").sentence == "two"


def test_pools_and_places_are_forgotten_after_a_week(keeper):
    """What was not learned again or seen for seven days goes; what was stays."""
    keeper.commit(
        Changes(
            pools={"old#1": Pool("prefork")}, lived=(Lived("old", PLACE, NOW), Lived("new", PLACE, NOW)), board=board()
        )
    )
    last = NOW + 7 * DAY
    keeper.commit(Changes(pools={"new#1": Pool("solo")}, lived=(Lived("new", PLACE, last),), board=board(at=last)))
    book = keeper.book("a", 0)
    assert (set(book.pools), {one.guid for one in book.lived}) == ({"old#1", "new#1"}, {"old", "new"})

    keeper.commit(Changes(board=board(at=last + 1)))
    book = keeper.book("a", 0)

    assert book.pools == {"new#1": Pool("solo")}
    assert book.lived == (Lived("new", PLACE, last),)


# Requests


def test_a_request_is_stored_and_waits_in_the_book(keeper):
    """What a person asks reaches the keeper through the store."""
    asked = remedy("r", state=RemedyState.REQUESTED)
    keeper.submit(asked)

    assert keeper.remedy("r") == asked
    assert keeper.book("a", NOW + DAY).remedies == (asked,)


def test_remedies_are_in_the_order_in_which_they_were_asked(keeper):
    """First come, first served."""
    for n in (3, 1, 2):
        keeper.submit(remedy(f"r{n}", state=RemedyState.REQUESTED, asked_at=NOW + n))

    assert [one.id for one in keeper.book("a", 0).remedies] == ["r1", "r2", "r3"]


def test_a_request_never_overwrites_another(keeper):
    """The same id twice is an error, and the first request stays."""
    keeper.submit(remedy("r", state=RemedyState.REQUESTED))

    with pytest.raises(UnreachableError):
        keeper.submit(remedy("r", state=RemedyState.REQUESTED, asked_at=NOW + 5))
    assert keeper.remedy("r").asked_at == NOW


# What another version wrote

READS = {
    "incidents": [
        lambda keeper: keeper.book("a", 0),
        lambda keeper: keeper.incident("i"),
        lambda keeper: keeper.incidents("a", open_only=False, limit=9),
    ],
    "remedies": [lambda keeper: keeper.book("a", 0), lambda keeper: keeper.remedy("r")],
    "pools": [lambda keeper: keeper.book("a", 0)],
    "lived": [lambda keeper: keeper.book("a", 0)],
    "boards": [lambda keeper: keeper.board("a")],
}


@pytest.mark.parametrize("body", ["[5]", '{"id": 5, "kind": 5, "guid": 5, "cluster": 5}', "{cut sh"])
@pytest.mark.parametrize("table", READS)
def test_a_body_that_this_version_cannot_read_is_a_port_error(keeper, directory, table, body):
    """What a later version stored ends in a sentence that names the file, and not in a traceback."""
    lived = (Lived("g", PLACE, NOW),)
    keeper.commit(Changes((incident("i"),), (remedy("r"),), {"n#1": Pool("prefork")}, lived, board()))
    for read in READS[table]:
        read(keeper)
    with contextlib.closing(sqlite3.connect(directory / "control.db")) as file, file:
        assert file.execute(f"UPDATE {table} SET body = ?", (body,)).rowcount == 1  # noqa: S608 (a table of ours)

    for read in READS[table]:
        with pytest.raises(UnreachableError, match=r"control\.db holds what this version cannot read: "):
            read(keeper)
