"""Pauses and people's words in the real store: durable, and seen by other processes at once."""

import pytest

from adapters.stored import NOW, board, incident
from celeriac.adapters.sql import SqlStore
from celeriac.core.incident import Deed, Word, WordState
from celeriac.core.memory import Changes
from celeriac.core.pauses import Pause


def pause(id="p", cluster=None, *, at=NOW, until=NOW + 3600, **fields):
    return Pause(id, cluster, "we move — é", "ana", at, until, **fields)


def word(id="w", *, deed=Deed.HOLD, cluster="a", at=NOW, **fields):
    return Word(id, cluster, "i", deed, "ana", at, "I look — é", **fields)


@pytest.fixture
def pauses(store):
    return store.pauses()


@pytest.fixture
def journal(store):
    return store.journal()


def test_a_pause_stands_until_its_time(pauses):
    pauses.begin(pause())

    assert pauses.standing(NOW + 3599) == (pause(),)
    assert pauses.standing(NOW + 3600) == ()


def test_a_pause_may_be_ended_before(pauses):
    """By somebody, and only that one; what is ended stays ended."""
    pauses.begin(pause())
    pauses.begin(pause("q", "a", at=NOW + 1))
    pauses.end("p", NOW + 10, "bo")
    pauses.end("p", NOW + 20, "cy")
    pauses.end("none", NOW + 20, "cy")

    assert [one.id for one in pauses.standing(NOW + 30)] == ["q"]


def test_pauses_are_in_the_order_in_which_they_were_made(pauses):
    for number in (3, 1, 2):
        pauses.begin(pause(str(number), at=NOW + number))

    assert [one.id for one in pauses.standing(NOW + 9)] == ["1", "2", "3"]


def test_another_opening_of_the_store_sees_a_pause(store, directory):
    """The keeper is another process than the console."""
    with SqlStore(directory, ("a", "b")).opened() as other:
        before = other.journal().version()
        store.pauses().begin(pause())

        assert other.journal().version() != before
        assert other.pauses().standing(NOW) == (pause(),)


def test_a_word_waits_in_the_book_of_its_cluster_until_it_is_done(journal):
    journal.say(word())
    journal.say(word("x", cluster="b"))
    assert journal.book("a", NOW).words == (word(),)

    done = word(state=WordState.DONE, ended_at=NOW + 2, note="it was done")
    journal.commit(Changes((incident("i"),), words=(done,), board=board()))

    assert journal.book("a", NOW).words == ()
    assert journal.word("w") == done
    assert journal.word("none") is None


def test_words_are_in_the_order_in_which_they_were_said(journal):
    for number, deed in ((3, Deed.CLOSE), (1, Deed.HOLD), (2, Deed.RELEASE)):
        journal.say(word(str(number), deed=deed, at=NOW + number))

    assert [one.deed for one in journal.book("a", NOW).words] == [Deed.HOLD, Deed.RELEASE, Deed.CLOSE]


def test_incidents_since_a_time(journal):
    """By when they were opened."""
    journal.commit(Changes((incident("old", opened_at=NOW - 100), incident("new", opened_at=NOW)), board=board()))

    found = journal.incidents("a", open_only=False, limit=9, since=NOW - 50)
    assert [one.id for one in found] == ["new"]
