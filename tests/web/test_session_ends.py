"""What ends a session, or keeps it going: its parent, its password, the settings, a provider that hangs or refuses."""

import asyncio
import threading

import pytest

import harness
from celeriac.app.access.door import Brought
from celeriac.app.access.footing import Footing
from celeriac.app.access.password_sign_on import Account
from celeriac.app.access.refreshing import LATER_S, MOST_AT_ONCE
from celeriac.app.access.sessions import SessionDesk, Visitor, by_password
from celeriac.core.access import Grant, Identity, Means, Role
from celeriac.core.errors import NotTakenError, RefusedError, SignOnError, UnreachableError
from celeriac.core.signon import SignedOn
from celeriac.ports import AuditFilter
from celeriac.web import sign_on
from web.entering import HASHED, ISSUER, LASTING, OWN, PASSWORD, Entrance

HERE = Visitor("127.0.0.1")
ADMINS, VIEWERS = "celeriac-admins", "celeriac-viewers"


class Scripted:
    """A provider whose refreshes go as a test says; `asked` are the refresh tokens that it was given."""

    def __init__(self):
        self.asked, self.goes = [], lambda token, subject: SignedOn(Identity(subject, (ADMINS,)), refresh_token=token)

    def refresh(self, token, subject):
        self.asked.append(token)
        return self.goes(token, subject)

    def available(self):
        return True


def failing(error):
    def goes(token, subject):
        raise error

    return goes


@pytest.fixture
def provider():
    return Scripted()


@pytest.fixture
def entrance(world, tmp_path, provider):
    glass = Account("break-glass", HASHED, ("10.0.0.0/8",))
    return Entrance(world, tmp_path, provider=provider, glass=glass)


def arrive(entrance, name="ada", token="rt"):  # noqa: S107 (no password)
    told = SignedOn(Identity(name, (ADMINS,)), name, refresh_token=token, provider_session="sid")
    return entrance.desk.open(told, Means.PROVIDER, HERE)


def holds(entrance, secret, address=HERE.address):
    """Tell whether a secret still opens the door, as a cookie or a token."""
    bearer = secret.startswith("cls_")
    try:
        entrance.signing_on.door.actor(Brought(address, None if bearer else secret, secret if bearer else None))
    except SignOnError:
        return False
    return True


# The command line's session ends with the browser's


def test_a_refused_refresh_ends_the_command_lines_session_too(entrance, provider, world):
    browser, other = arrive(entrance), arrive(entrance)
    command, beside = (entrance.desk.open_beside(one.secret, HERE) for one in (browser, other))
    provider.goes = failing(NotTakenError("invalid_grant"))
    world.time += 601

    assert not holds(entrance, browser.secret)
    assert not holds(entrance, command.secret)
    assert holds(entrance, beside.secret)


def test_a_sign_off_ends_the_command_lines_session_too(entrance):
    browser = arrive(entrance)
    command = entrance.desk.open_beside(browser.secret, HERE)
    asked = entrance.make()
    asked.cookies.set("celeriac", browser.secret)

    entrance.desk.end(browser.secret, HERE.address)

    assert not holds(entrance, command.secret)


def test_an_administrators_end_of_a_browsers_session_ends_the_command_lines_too(entrance):
    browser, admin = arrive(entrance, "rob"), arrive(entrance)
    command = entrance.desk.open_beside(browser.secret, HERE)
    asked = entrance.make()
    asked.cookies.set("celeriac", admin.secret)

    assert asked.delete(f"/api/v1/sessions/{browser.session.id}", headers=OWN).status_code in {200, 204}

    assert not holds(entrance, command.secret)


def test_a_command_line_at_work_outlasts_an_idle_browser(entrance, world):
    browser = entrance.desk.open(by_password("ada"), Means.PASSWORD, HERE)
    command = entrance.desk.open_beside(browser.secret, HERE)
    for _ in range(5):
        world.time += 3600
        assert holds(entrance, command.secret)

    assert not holds(entrance, browser.secret)
    assert holds(entrance, command.secret)


def test_a_command_line_that_only_listens_is_idle(entrance, world):
    command = entrance.desk.open_beside(arrive(entrance).secret, HERE)
    world.time += LASTING.idle_s - 1
    entrance.signing_on.door.actor(Brought(HERE.address, bearer=command.secret, active=False))
    world.time += 1

    assert not holds(entrance, command.secret)


def test_secrets_are_good_for_what_they_were_made_for_alone(entrance):
    browser = arrive(entrance)
    command = entrance.desk.open_beside(browser.secret, HERE)
    for brought in (Brought(HERE.address, cookie=command.secret), Brought(HERE.address, bearer=browser.secret)):
        with pytest.raises(SignOnError):
            entrance.signing_on.door.actor(brought)

    assert holds(entrance, browser.secret)
    assert holds(entrance, command.secret)


def test_a_browsers_secret_that_looks_like_a_command_lines_is_no_token(entrance, monkeypatch):
    monkeypatch.setattr("celeriac.app.access.sessions.secrets.token_urlsafe", lambda _: "cls_" + "x" * 39)
    secret = arrive(entrance).secret

    entrance.signing_on.door.actor(Brought(HERE.address, cookie=secret))
    with pytest.raises(SignOnError, match="browser"):
        entrance.signing_on.door.actor(Brought(HERE.address, bearer=secret))


# What a session stands on


def test_a_break_glass_session_is_good_in_its_networks_alone(entrance):
    inside, outside = entrance.make(client=("10.1.2.3", 9)), entrance.make(client=("192.0.2.1", 9))
    inside.post("/login", data={"name": "break-glass", "password": PASSWORD}, headers=OWN)
    assert inside.get("/api/v1/workers").status_code == 200
    outside.cookies.set("celeriac", inside.cookies["celeriac"])

    assert outside.get("/api/v1/workers").status_code == 401
    assert entrance.store.sessions().standing(entrance.world.time) == []


def desk_with(entrance, issuer=ISSUER, users=None, glass=None):
    """Return the desk of a console with other settings over the same store."""
    footing = Footing(entrance.roles, issuer, users, glass)
    sessions = entrance.store.sessions()
    return SessionDesk((sessions, sessions), footing, LASTING, entrance.world.service.register, entrance.clock)


@pytest.mark.parametrize(
    "glass",
    [
        Account("break-glass", HASHED + "x", ("10.0.0.0/8",)),
        Account("another", HASHED, ("10.0.0.0/8",)),
        Account("break-glass", HASHED, ("10.2.0.0/16",)),
        None,
    ],
)
def test_a_break_glass_session_ends_when_its_account_changes(entrance, glass):
    opened = entrance.desk.open(by_password("break-glass"), Means.BREAK_GLASS, Visitor("10.1.2.3"))
    same = Account("break-glass", HASHED, ("10.1.0.0/16",))

    assert desk_with(entrance, glass=same).actor(opened.secret, "10.1.2.3", active=True).role is Role.ADMIN
    with pytest.raises(SignOnError, match="has changed"):
        desk_with(entrance, glass=glass).actor(opened.secret, "10.1.2.3", active=True)
    assert entrance.desk._sessions.find(opened.secret) is None


def test_a_changed_password_ends_the_sessions_of_its_user(entrance, world):
    browser = entrance.desk.open(by_password("ada"), Means.PASSWORD, HERE)
    command = entrance.desk.open_beside(browser.secret, HERE)
    assert HASHED not in repr(entrance.store.sessions().standing(world.time))
    entrance.people.grants["ada"] = Grant(Role.VIEWER)
    assert holds(entrance, browser.secret)

    entrance.people.hashed = HASHED + "x"

    assert not holds(entrance, command.secret)
    assert not holds(entrance, browser.secret)
    assert "password" in world.audit.entries(AuditFilter(9, action="sign off"))[0].detail


@pytest.mark.parametrize("issuer", [None, "https://another.example"])
def test_a_session_of_a_provider_that_is_ours_no_more_has_ended(entrance, issuer):
    opened = arrive(entrance)
    with pytest.raises(SignOnError, match="has changed"):
        desk_with(entrance, issuer=issuer).actor(opened.secret, HERE.address, active=True)


def test_a_session_of_a_users_file_that_is_no_more_has_ended(entrance):
    opened = entrance.desk.open(by_password("ada"), Means.PASSWORD, HERE)
    with pytest.raises(SignOnError, match="has changed"):
        desk_with(entrance).actor(opened.secret, HERE.address, active=True)


# Refreshes that fail


@pytest.mark.parametrize("error", [RefusedError("invalid_client"), UnreachableError("no answer")])
def test_who_is_in_stays_in_while_the_provider_refuses_us_or_is_silent(entrance, provider, world, error):
    secret = arrive(entrance).secret
    provider.goes = failing(error)
    world.time += 601
    for _ in range(20):
        assert holds(entrance, secret)
        world.time += 10

    assert 2 < len(provider.asked) < 7
    asked = entrance.make()
    asked.cookies.set("celeriac", secret)
    world.time += 60
    assert asked.get("/api/v1/workers").status_code == 200


def test_one_silence_of_the_provider_counts_for_all_sessions(entrance, provider, world):
    secrets = [arrive(entrance, token=f"rt{number}").secret for number in range(3)]
    provider.goes = failing(UnreachableError("no answer"))
    world.time += 601
    assert all(holds(entrance, one) for one in secrets)
    assert provider.asked == ["rt0"]

    world.time += LATER_S
    assert all(holds(entrance, one) for one in secrets)
    assert provider.asked == ["rt0", "rt1"]  # everybody's turn comes


def test_one_persons_failing_refresh_leaves_the_others_their_turn(entrance, provider, world):
    broken, other = (arrive(entrance, token=f"rt{number}").secret for number in range(2))
    provider.goes = failing(UnreachableError("more than 256 kB"))
    world.time += 601
    assert holds(entrance, broken)
    world.time += 50

    assert all(holds(entrance, one) for one in (broken, other))
    assert provider.asked == ["rt0", "rt1"]


def test_a_refusal_of_one_session_does_not_hold_up_the_others(entrance, provider, world):
    secrets = [arrive(entrance, token=f"rt{number}").secret for number in range(3)]
    provider.goes = failing(RefusedError("invalid_request"))
    world.time += 601
    assert all(holds(entrance, one) for one in secrets)
    assert provider.asked == ["rt0", "rt1", "rt2"]


def test_a_rolled_refresh_token_is_kept_where_the_groups_cannot_be_read(entrance, provider, world):
    secret = arrive(entrance, token="rt1").secret
    provider.goes = lambda token, subject: SignedOn(Identity(subject), refresh_token="rt2", groups_known=False)
    world.time += 601
    assert entrance.desk.actor(secret, HERE.address, active=True).role is Role.ADMIN

    provider.goes = lambda token, subject: SignedOn(Identity(subject, (VIEWERS,)), refresh_token="rt3")
    world.time += LATER_S - 1
    assert entrance.desk.actor(secret, HERE.address, active=True).role is Role.ADMIN
    world.time += 20
    assert entrance.desk.actor(secret, HERE.address, active=True).role is Role.VIEWER
    assert provider.asked == ["rt1", "rt2"]


# A provider that hangs


@pytest.fixture
def hanging(provider):
    """Let refreshes hang until the test is over."""
    over = threading.Event()

    def goes(token, subject):
        over.wait(30)
        raise UnreachableError("no answer within 5 s")

    provider.goes = goes
    yield provider
    over.set()


def test_at_most_some_refreshes_are_under_way_at_once(entrance, hanging, world):
    secrets = [arrive(entrance, token=f"rt{number}").secret for number in range(MOST_AT_ONCE + 2)]
    world.time += 601
    threads = [threading.Thread(target=holds, args=(entrance, one)) for one in secrets[:MOST_AT_ONCE]]
    for one in threads:
        one.start()
    harness.wait_until(lambda: len(hanging.asked) == MOST_AT_ONCE, 10, "the refreshes hang")

    assert all(holds(entrance, one) for one in secrets[MOST_AT_ONCE:])  # they go on with what they have
    assert len(hanging.asked) == MOST_AT_ONCE


class Stuck:
    """A door at which whoever brings something waits."""

    def __init__(self):
        self.over, self.inside = threading.Event(), []

    def actor(self, brought):
        if not brought.nothing:
            self.inside.append(brought)
            self.over.wait(30)
        raise SignOnError("Sign on first.")


async def answered(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def asking(path, *headers):
    fields = {"type": "http", "method": "GET", "path": path, "query_string": b"", "scheme": "http"}
    return {
        **fields,
        "headers": [(b"host", b"127.0.0.1"), *headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 1),
    }


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/healthz", [(b"cookie", b"celeriac=x")]),
        ("/static/app.css", [(b"cookie", b"celeriac=x")]),
        ("/login", []),
        ("/api/v1/workers", []),
    ],
)
def test_what_needs_nobodys_name_is_answered_while_the_door_is_stuck(path, headers):
    door = Stuck()
    gate = sign_on.SignOn(answered, door, answered)

    async def send(message):
        """Take it."""

    async def all_wait():
        bearer = (b"authorization", b"Bearer x")
        waiting = [asyncio.create_task(gate(asking("/apps", bearer), None, send)) for _ in range(sign_on.THREADS + 8)]
        try:
            await asyncio.to_thread(
                harness.wait_until, lambda: len(door.inside) == sign_on.THREADS, 10, "all threads wait"
            )
            await asyncio.wait_for(gate(asking(path, *headers), None, send), 5)
            # What else goes through asyncio's own threads is not held up either.
            await asyncio.wait_for(asyncio.to_thread(int), 5)
        finally:
            door.over.set()
            await asyncio.gather(*waiting)

    asyncio.run(asyncio.wait_for(all_wait(), 25))


# Streams


@pytest.mark.parametrize(("after", "ends"), [(Grant(Role.VIEWER, ("billing",)), True), (Grant(Role.ADMIN), False)])
def test_a_stream_ends_when_its_reader_may_do_other_things_than_at_its_start(entrance, monkeypatch, after, ends):
    monkeypatch.setattr(sign_on, "ASKED_EACH_S", 0.0)
    entrance.people.grants["ada"] = Grant(Role.ADMIN)
    secret = entrance.desk.open(by_password("ada"), Means.PASSWORD, HERE).secret
    sent = []

    async def stream(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        entrance.people.grants["ada"] = after
        await send({"type": "http.response.body", "body": b"second", "more_body": True})

    async def send(message):
        sent.append(message.get("body"))

    gate = sign_on.SignOn(stream, entrance.signing_on.door, stream)
    asyncio.run(gate(asking("/api/v1/stream", (b"cookie", f"celeriac={secret}".encode())), None, send))

    assert sent == [None, b"first", b"" if ends else b"second"]
