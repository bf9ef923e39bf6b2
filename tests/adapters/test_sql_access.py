"""What access keeps, in a real file that several consoles share: what a thief of it gets, and what happens exactly once."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from celeriac.access_ports import ApiToken, BreakGlassUse, Kept, RoleTable, Session, SessionKind
from celeriac.adapters.sql import SqlStore, api_tokens, attempts, break_glass, once, role_tables, sessions
from celeriac.core.access import Grant, Identity, Means, Role, Rule
from celeriac.core.errors import RefusedError

NOW = 1_795_000_000.0
SECRET = "secret-of-ada-5c1b"
SESSION = Session(
    id="s1",
    kind=SessionKind.BROWSER,
    means=Means.PROVIDER,
    identity=Identity("ada", ("CN=celery-admins,OU=x", "é")),
    opened_at=NOW,
    asked_at=NOW,
    until=NOW + 3600,
    authorised_at=NOW,
    name="Ada",
    refresh_at=NOW + 600,
    provider_session="p1",
    id_token="id-token-7f",
    refresh_token="refresh-token-9d",
    address="10.1.2.3",
)
TOKEN = ApiToken("t1", "ci", Grant(Role.OPERATOR, ("shop",)), "ada", NOW, NOW + 86400)


@pytest.fixture
def store(directory):
    with SqlStore(directory, ()).opened() as opened:
        opened.migrate()
        yield opened


@pytest.fixture
def other(store, directory):
    """Another console's opening of the same file."""
    with SqlStore(directory, ()).opened() as opened:
        yield opened


def at_once(*calls):
    """Call all of these at the same time, and return what they said."""
    with ThreadPoolExecutor(len(calls)) as threads:
        return [job.result() for job in [threads.submit(call) for call in calls]]


def stored(directory):
    """Return every byte of the store's files."""
    return b"".join(path.read_bytes() for path in directory.iterdir() if path.is_file())


def count(store, table):
    with store._control.reading() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(sa.table(table)))


# Sessions


def test_a_session_is_found_by_its_secret_alone(store, other):
    store.sessions().open(SECRET, SESSION)

    assert other.sessions().find(SECRET) == SESSION
    assert other.sessions().find("another") is None
    assert other.sessions().find("half a character \ud800") is None


def test_a_stolen_store_holds_neither_secrets_nor_tokens_nor_groups(store, directory):
    store.sessions().open(SECRET, SESSION)
    store.sessions().asked(SECRET, NOW + 1)
    store.api_tokens().keep("token-secret-1", TOKEN)
    store.once().put("state-secret-2", Kept("verifier-secret-3", NOW + 60), NOW)
    store.attempts().tried("name-typed-4", NOW, 9)
    found = stored(directory)

    assert b"Ada" in found
    hidden = [SECRET, "id-token-7f", "refresh-token-9d", "celery-admins", "token-secret-1", "state-secret-2"]
    for text in [*hidden, "verifier-secret-3", "name-typed-4"]:
        assert text.encode() not in found, text


def test_who_writes_to_the_store_makes_no_session_into_another(store):
    """Who it is, what it may do and how long it lasts are bound to what the secret seals."""
    store.sessions().open(SECRET, SESSION)
    with store._control.writing() as connection:
        connection.exec_driver_sql("UPDATE sessions SET body = CAST(replace(body, 'ada', 'eve') AS BLOB)")

    assert store.sessions().find(SECRET) is None


def test_a_change_is_kept(store, other):
    store.sessions().open(SECRET, SESSION)
    newer = replace(SESSION, refresh_at=NOW + 1200, refresh_token="new", asked_at=NOW + 700)
    other.sessions().change(SECRET, newer)

    assert store.sessions().find(SECRET) == newer


def test_an_older_look_does_not_bring_back_a_used_refresh_token(store, other):
    """One request refreshes while another, begun before, says that its person did something."""
    store.sessions().open(SECRET, SESSION)
    newer = replace(SESSION, refresh_at=NOW + 1200, refresh_token="new")
    store.sessions().change(SECRET, newer)
    other.sessions().change(SECRET, replace(SESSION, asked_at=NOW + 701))

    assert store.sessions().find(SECRET) == replace(newer, asked_at=NOW + 701)


def test_a_change_brings_back_no_session_that_has_ended(store, other):
    store.sessions().open(SECRET, SESSION)
    assert other.sessions().end(NOW, id="s1") == 1
    store.sessions().change(SECRET, SESSION)

    assert store.sessions().find(SECRET) is None


def test_exactly_one_of_many_consoles_claims_a_refresh(store, other):
    store.sessions().open(SECRET, SESSION)
    claims = [one.sessions().claim for one in (store, other)]
    answers = at_once(*(lambda n=n: claims[n % 2]("s1", NOW, 10) for n in range(16)))

    assert answers.count(True) == 1
    assert not store.sessions().claim("s1", NOW + 9.9, 10)
    assert store.sessions().claim("s1", NOW + 10, 10)
    assert not store.sessions().claim("none", NOW, 10)


def test_a_claim_of_a_clock_that_was_far_ahead_holds_up_nobody(store):
    store.sessions().open(SECRET, SESSION)
    store.sessions().claim("s1", NOW + 1e6, 10)

    assert store.sessions().claim("s1", NOW, 10)


@pytest.mark.parametrize(
    ("which", "left"),
    [
        ({"id": "s1"}, ["s2", "s3"]),
        ({"subject": "ada"}, ["s3"]),
        ({"provider_session": "p1"}, ["s2"]),
        ({"subject": "ada", "provider_session": "p1"}, ["s2", "s3"]),
        ({"subject": "bo", "id": "s1"}, ["s1", "s2", "s3"]),
    ],
    ids=repr,
)
def test_sessions_are_ended_by_all_that_is_given_without_a_secret(store, which, left):
    store.sessions().open("1", SESSION)
    store.sessions().open("2", replace(SESSION, id="s2", provider_session="p2"))
    store.sessions().open("3", replace(SESSION, id="s3", identity=Identity("bo")))

    assert store.sessions().end(NOW, **which) == 3 - len(left)
    assert sorted(one.id for one in store.sessions().standing(NOW)) == left


def test_ending_nothing_in_particular_is_a_defect(store):
    with pytest.raises(ValueError, match="nothing says"):
        store.sessions().end(NOW)


def test_standing_sessions_are_listed_without_what_is_sealed(store):
    store.sessions().open(SECRET, SESSION)
    store.sessions().open("2", replace(SESSION, id="s2", opened_at=NOW + 1, identity=Identity("bo")))
    shown = replace(SESSION, identity=Identity("ada"), id_token=None, refresh_token=None)

    assert [one.id for one in store.sessions().standing(NOW)] == ["s2", "s1"]
    assert store.sessions().standing(NOW, "ada") == [shown]
    assert store.sessions().standing(NOW + 3600) == []


def test_what_is_past_its_time_is_forgotten(store):
    store.sessions().open("1", SESSION)
    store.sessions().open("2", replace(SESSION, id="s2", opened_at=NOW + 3600, until=NOW + 7200))
    assert count(store, "sessions") == 1

    assert store.sessions().end(NOW + 7200, id="none") == 0
    assert count(store, "sessions") == 0


def test_of_one_subject_the_oldest_sessions_end(store, monkeypatch):
    monkeypatch.setattr(sessions, "OF_ONE_SUBJECT", 3)
    store.sessions().open("other", replace(SESSION, id="bo", identity=Identity("bo"), opened_at=NOW - 9))
    for number in range(5):
        store.sessions().open(str(number), replace(SESSION, id=f"s{number}", opened_at=NOW + number))

    assert [one.id for one in store.sessions().standing(NOW)] == ["s4", "s3", "s2", "bo"]


# API tokens


def test_a_token_is_found_by_its_secret_also_when_it_is_over(store, other):
    store.api_tokens().keep("secret", TOKEN)
    assert other.api_tokens().find("secret") == TOKEN
    assert other.api_tokens().find("other") is None

    assert other.api_tokens().revoke("t1", NOW + 5, "bo")
    assert not store.api_tokens().revoke("t1", NOW + 6, "cy")
    assert store.api_tokens().find("secret") == replace(TOKEN, revoked_at=NOW + 5, revoked_by="bo")


def test_only_what_stands_is_revoked(store):
    store.api_tokens().keep("secret", TOKEN)

    assert not store.api_tokens().revoke("none", NOW, "bo")
    assert not store.api_tokens().revoke("t1", TOKEN.until, "bo")


def test_a_use_is_kept_once_a_minute(store, other):
    store.api_tokens().keep("secret", TOKEN)
    at_once(*(lambda n=n: (store, other)[n % 2].api_tokens().used("t1", NOW, f"10.0.0.{n}") for n in range(8)))
    first = store.api_tokens().find("secret")
    store.api_tokens().used("t1", NOW + 59, "later")
    assert store.api_tokens().find("secret") == first
    assert first.used_at == NOW

    store.api_tokens().used("t1", NOW + 60, "later")
    assert store.api_tokens().find("secret") == replace(TOKEN, used_at=NOW + 60, used_from="later")


def test_tokens_are_listed_newest_first_and_are_not_without_end(store, monkeypatch):
    monkeypatch.setattr(api_tokens, "AT_MOST", 2)
    store.api_tokens().keep("1", TOKEN)
    store.api_tokens().keep("2", replace(TOKEN, id="t2", made_at=NOW + 1))
    with pytest.raises(RefusedError, match="no more are kept"):
        store.api_tokens().keep("3", replace(TOKEN, id="t3"))
    assert [one.id for one in store.api_tokens().all()] == ["t2", "t1"]

    store.api_tokens().keep("3", replace(TOKEN, id="t3", made_at=TOKEN.until + api_tokens.KEPT_S + 1))
    assert [one.id for one in store.api_tokens().all()] == ["t3"]


# Once


def test_exactly_one_of_many_takers_gets_it(store, other):
    for turn in range(5):
        store.once().put(f"k{turn}", Kept("what — é", NOW + 60), NOW)
        answers = at_once(*(partial(one.once().take, f"k{turn}", NOW + 1) for one in (store, other) for _ in range(5)))

        assert sorted(map(str, answers)) == ["None"] * 9 + ["what — é"]


def test_what_is_past_its_time_is_not_given(store):
    store.once().put("k", Kept("x", NOW + 60), NOW)

    assert store.once().take("k", NOW + 60) is None
    assert store.once().take("never", NOW) is None


def test_exactly_one_of_many_is_the_first(store, other):
    firsts = [one.once().first for one in (store, other)]
    answers = at_once(*(lambda n=n: firsts[n % 2]("jti", NOW, NOW + 60) for n in range(10)))

    assert answers.count(True) == 1
    assert not store.once().first("jti", NOW + 59, NOW + 120)
    assert store.once().first("jti", NOW + 60, NOW + 120)


def test_what_was_seen_cannot_be_taken(store):
    assert store.once().first("k", NOW, NOW + 60)
    assert store.once().take("k", NOW) is None
    assert not store.once().first("k", NOW, NOW + 60)


def test_too_much_is_refused_until_what_is_over_is_forgotten(store, monkeypatch):
    monkeypatch.setattr(once, "AT_MOST", 3)
    for number in range(3):
        store.once().put(f"sign-on:{number}", Kept("x", NOW + 60), NOW)
    with pytest.raises(RefusedError, match="no more are kept"):
        store.once().put("sign-on:3", Kept("x", NOW + 60), NOW)

    store.once().put("sign-on:3", Kept("x", NOW + 120), NOW + 60)
    assert count(store, "once") == 1


def test_one_kind_of_key_does_not_fill_another(store, monkeypatch):
    monkeypatch.setattr(once, "AT_MOST", 1)
    store.once().put("sign-on:1", Kept("x", NOW + 60), NOW)

    store.once().put("command-line:1", Kept("a code", NOW + 60), NOW)
    assert store.once().first("logout:1", NOW, NOW + 60)
    assert store.once().take("command-line:1", NOW) == "a code"


def test_a_secret_without_a_kind_is_not_stored(store, directory):
    store.once().put("a-secret-9d3f", Kept("x", NOW + 60), NOW)
    store.once().put("kind:another-secret-51", Kept("x", NOW + 60), NOW)
    store.attempts().tried("name:ada-typed-her-password", NOW, 9)

    assert not any(text in stored(directory) for text in (b"a-secret-9d3f", b"another-secret-51", b"ada-typed"))


# Attempts


def test_tries_of_the_last_quarter_of_an_hour_count(store, other):
    assert [store.attempts().tried("name:ada", NOW + n, 9) for n in range(3)] == [1, 2, 3]
    assert other.attempts().count("name:ada", NOW + 2) == 3
    assert other.attempts().count("name:bo", NOW) == 0
    assert store.attempts().count("name:ada", NOW + 900) == 2
    assert store.attempts().tried("name:ada", NOW + 902, 9) == 1

    store.attempts().forget("name:ada")
    assert store.attempts().count("name:ada", NOW + 902) == 0


def test_of_many_tries_at_once_no_more_are_let_through_than_may(store, other):
    both = [one.attempts().tried for one in (store, other)]
    answers = at_once(*(lambda n=n: both[n % 2]("name:ada", NOW, 5) for n in range(20)))

    assert sorted(one for one in answers if one) == [1, 2, 3, 4, 5]
    assert store.attempts().count("name:ada", NOW) == 5


def test_a_try_is_taken_back(store, other):
    for n in range(3):
        store.attempts().tried("name:ada", NOW + n, 9)
    other.attempts().take_back("name:ada")
    other.attempts().take_back("name:nobody")

    assert store.attempts().count("name:ada", NOW + 2) == 2


def test_tries_are_not_kept_without_end_and_no_kind_pushes_another_out(store, monkeypatch):
    monkeypatch.setattr(attempts, "OF_ONE_KIND", 8)
    for n in range(5):
        store.attempts().tried("name:ada", NOW, 9)
        store.attempts().tried(f"name and address:{n} ada", NOW, 9)
    for number in range(20):
        store.attempts().tried(f"code:{number}", NOW, 9)

    assert store.attempts().count("name:ada", NOW) == 5
    assert count(store, "attempts") == 5 + 5 + 8
    store.attempts().tried("code:x", NOW + 901, 9)
    assert count(store, "attempts") == 1


# Tables of roles, break-glass


def test_the_newest_table_of_roles_holds_until_it_is_given_back(store, other, monkeypatch):
    monkeypatch.setattr(role_tables, "AT_MOST", 3)
    tables = [
        RoleTable((Rule(Grant(Role.ADMIN, payloads=True), group=f"g{n}"),), NOW + n, "ada", "é") for n in range(4)
    ]
    assert store.role_tables().newest() is None
    for one in tables:
        store.role_tables().change(one)
    assert other.role_tables().newest() == tables[3]
    assert other.role_tables().history(9) == tables[:0:-1]

    store.role_tables().change(RoleTable((), NOW + 9, "bo"))
    assert other.role_tables().newest() is None
    assert len(store.role_tables().history(2)) == 2


def test_each_use_of_break_glass_is_seen_once(store, other, monkeypatch):
    monkeypatch.setattr(break_glass, "AT_MOST", 3)
    uses = [BreakGlassUse(f"u{n}", NOW + n, "break-glass", "10.0.0.1") for n in range(4)]
    for one in uses:
        store.break_glass().used(one)
    assert other.break_glass().uses() == uses[:0:-1]
    assert at_once(*(lambda: other.break_glass().seen("u3", NOW + 9, "ada") for _ in range(4))).count(True) == 1

    assert not store.break_glass().seen("none", NOW, "ada")
    assert [one.id for one in store.break_glass().uses(unseen_only=True, limit=1)] == ["u2"]
    assert store.break_glass().uses()[0] == replace(uses[3], seen_at=NOW + 9, seen_by="ada")
