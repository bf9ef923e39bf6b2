"""Logging in: each grant, renewal before the end, refusals in one sentence, and secrets that show nowhere."""

import logging
import traceback
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Barrier

import pytest

from adapters.faulty_foundation import SILENCE, TOKEN, TOKENS, Answer
from celeriac.adapters.cloudfoundry import CloudFoundry, Credentials, recent
from celeriac.core.errors import PortError, RefusedError, UnreachableError
from celeriac.emulator import TokenConfig

ADA = Credentials("platform.cf", username="ada", password="secret")
ROBOT = Credentials("platform.cf", client_id="robot", client_secret="r2d2-secret")
APPS = "/v3/apps"
LOCKED = Answer(
    401,
    {
        "error": "unauthorized",
        "error_description": "Your account has been locked because of too many failed attempts to login.",
    },
)
EMPTY = {"resources": [], "pagination": {"next": None}}
REFUSED = Answer(401, {"error": "invalid_token", "error_description": "The token expired"})


@pytest.fixture
def emulator(launch):
    return launch()


@pytest.fixture
def grants(emulator):
    """Record the grant of each login that the emulator is asked for."""
    asked, answer = [], emulator.foundation.uaa.token

    def recorded(form, authorization):
        asked.append(form["grant_type"])
        return answer(form, authorization)

    emulator.foundation.uaa.token = recorded
    return asked


def names(session):
    return [one["name"] for one in session.pages(APPS)]


def forms(foundation):
    return [one.form for one in foundation.asked(TOKEN)]


def test_a_user_logs_in_once_with_the_password(emulator, grants, connect):
    """The first request logs in; the token serves all later ones."""
    session = connect(emulator.url, ADA)

    assert [names(session), names(session)] == [["shop"], ["shop"]]
    assert grants == ["password"]


def test_a_client_logs_in_with_its_secret(emulator, grants, connect, clock):
    """A UAA client uses client_credentials, and again when its token ends, as it gets no refresh token."""
    session = connect(emulator.url, ROBOT, monotonic=clock)

    session.log_in()
    clock.now += 50_000
    assert names(session) == ["shop"]
    assert grants == ["client_credentials", "client_credentials"]


def test_log_in_proves_the_credentials(emulator, grants, connect):
    """`log_in` asks UAA at once."""
    connect(emulator.url, ADA).log_in()

    assert grants == ["password"]


def test_a_token_is_renewed_a_minute_before_it_ends(launch, connect, clock):
    """A token that lives 61 s serves for 1 s; then the refresh token gets the next one."""
    emulator = launch(tokens=TokenConfig(access_seconds=62))  # UAA tells one second less
    issued, answer = [], emulator.foundation.uaa.token
    emulator.foundation.uaa.token = lambda form, basic: issued.append(form["grant_type"]) or answer(form, basic)
    session = connect(emulator.url, ADA, monotonic=clock)

    assert names(session) == ["shop"]
    clock.now += 0.9
    assert names(session) == ["shop"]
    assert issued == ["password"]
    clock.now += 0.2
    assert names(session) == ["shop"]
    assert issued == ["password", "refresh_token"]


def test_the_newest_refresh_token_is_used(foundation, connect, clock):
    """UAA may give a new refresh token with each answer; an old one is never sent again."""
    foundation.script(APPS, EMPTY)
    foundation.script(
        TOKEN, *(TOKENS | {"access_token": f"access-{n}", "refresh_token": f"refresh-{n}"} for n in (1, 2, 3))
    )
    session = connect(foundation.url, ADA, monotonic=clock)

    for _ in range(3):
        session.get(APPS)
        clock.now += 1200

    assert forms(foundation) == [
        {"grant_type": "password", "username": "ada", "password": "secret"},
        {"grant_type": "refresh_token", "refresh_token": "refresh-1"},
        {"grant_type": "refresh_token", "refresh_token": "refresh-2"},
    ]
    assert [one.headers["Authorization"] for one in foundation.asked(APPS)] == [f"bearer access-{n}" for n in (1, 2, 3)]


def test_a_refused_refresh_falls_back_to_the_password(launch, connect, clock):
    """A refresh token that UAA does not take any more costs one request, not the session."""
    emulator = launch()
    issued, answer = [], emulator.foundation.uaa.token
    emulator.foundation.uaa.token = lambda form, basic: issued.append(form["grant_type"]) or answer(form, basic)
    session = connect(emulator.url, ADA, monotonic=clock)
    session.log_in()
    emulator.foundation.uaa._refresh.clear()
    clock.now += 1200

    assert names(session) == ["shop"]
    assert issued == ["password", "refresh_token", "password"]


def test_a_foundation_that_forgot_our_token_is_logged_in_to_again(launch, connect, free_port):
    """After a restart with another signing key the API refuses token and refresh token; the password still works."""
    port = free_port()
    first = launch(port=port)
    session = connect(first.url, ADA)
    assert names(session) == ["shop"]
    first.stop()
    launch(port=port)

    assert names(session) == ["shop"]


def test_eight_threads_that_find_the_token_expired_log_in_once(emulator, grants, connect, clock):
    """Threads wait for the one that renews the token."""
    session, together = connect(emulator.url, ADA, monotonic=clock), Barrier(8)
    session.log_in()
    clock.now += 1200

    def ask(_):
        together.wait(10)
        return names(session)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(8))) == [["shop"]] * 8
    assert grants == ["password", "refresh_token"]


def test_eight_threads_whose_token_was_refused_log_in_once(foundation, connect):
    """A 401 that several threads get for the same token leads to one new login."""
    together, session = Barrier(8), connect(foundation.url, ADA)
    foundation.script(TOKEN, TOKENS, TOKENS | {"access_token": "access-2"})
    fresh = {"bearer access-2"}
    foundation.script(APPS, lambda asked: Answer(200 if asked.headers["Authorization"] in fresh else 401, EMPTY))
    session.log_in()

    def ask(_):
        together.wait(10)
        return session.get(APPS)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(8))) == [EMPTY] * 8
    assert len(foundation.asked(TOKEN)) == 2


def test_a_refused_token_is_replaced_once(foundation, connect):
    """A 401 leads to one new login and one repetition."""
    foundation.script(APPS, Answer(401, {"errors": [{"detail": "Invalid Auth Token"}]}), EMPTY)
    foundation.script(TOKEN, TOKENS, TOKENS | {"access_token": "access-2"})

    assert connect(foundation.url, ADA).get(APPS) == EMPTY
    assert [one.headers["Authorization"] for one in foundation.asked(APPS)] == ["bearer access-1", "bearer access-2"]


def test_a_second_refusal_is_an_error(foundation, connect):
    """A foundation that refuses the fresh token too is not asked for ever."""
    foundation.script(APPS, Answer(401, {"errors": [{"detail": "Invalid Auth Token"}]}))

    with pytest.raises(RefusedError, match=r"^Invalid Auth Token \(401\)$"):
        connect(foundation.url, ADA).get(APPS)
    assert [len(foundation.asked(path)) for path in (TOKEN, APPS)] == [2, 2]


def test_an_order_that_was_refused_for_its_token_is_sent_again(foundation, connect):
    """With a 401 nothing happened, so here even an order may be repeated."""
    path = "/v3/apps/a/actions/restart"
    foundation.script(path, Answer(401), Answer(200, {"guid": "a"}))

    assert connect(foundation.url, ADA).order("POST", path).status_code == 200
    assert len(foundation.asked(path)) == 2


@pytest.mark.parametrize(
    ("credentials", "sentence"),
    [
        (
            Credentials("platform.cf", username="ada", password="pa55-wrong"),
            "Cloud Foundry refuses the login of user ada: Bad credentials; check platform.cf.password",
        ),
        (
            Credentials("platform.cf", client_id="robot", client_secret="s3cr3t-wrong"),
            "Cloud Foundry refuses the login of client robot: Bad credentials; check platform.cf.client_secret",
        ),
    ],
)
def test_wrong_credentials_are_one_sentence_with_the_setting(emulator, grants, connect, credentials, sentence):
    """A refused login names who and which setting to check, and is not repeated."""
    with pytest.raises(RefusedError) as caught:
        connect(emulator.url, credentials).get(APPS)

    assert str(caught.value) == sentence
    assert not caught.value.retryable
    assert len(grants) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(503, "<html>"), "UAA answered 503"),
        (Answer(302, "", {"Location": "https://elsewhere.example"}), "UAA answered 302"),
        (Answer(200, "<html>Welcome to the hotel</html>"), "answered with text/html where JSON is due"),
        (Answer(200, ["no", "dict"]), "answer about the login cannot be read"),
        (Answer(200, {"token_type": "bearer"}), r"cannot be read \(KeyError: 'access_token'\)"),
        (Answer(200, {"access_token": "x", "expires_in": "soon"}), "answer about the login cannot be read"),
        (Answer(200, {"access_token": None, "expires_in": 10}), "UAA gave no access token"),
        (Answer(401, "<html>no</html>"), "refuses the login of user ada: status 401; check platform.cf.password"),
        (Answer(401, ["no", "dict"]), "refuses the login of user ada: status 401; check platform.cf.password"),
    ],
)
def test_an_answer_that_is_no_token_is_a_port_error(foundation, connect, answer, said):
    """Whatever UAA or something before it answers, callers get a port error with a sentence."""
    foundation.script(TOKEN, answer)

    with pytest.raises(PortError, match=said):
        connect(foundation.url, ADA).log_in()


def test_a_login_that_failed_halfway_leaves_no_half_login(foundation, connect):
    """After a page in place of a token the next request logs in properly."""
    foundation.script(APPS, EMPTY)
    foundation.script(TOKEN, Answer(200, "<html>"), TOKENS)
    session = connect(foundation.url, ADA)

    with pytest.raises(UnreachableError):
        session.log_in()
    assert session.get(APPS) == EMPTY


def test_a_silent_uaa_is_given_up_after_the_time_limit(foundation, connect):
    """A login waits no longer than any other request."""
    foundation.script(TOKEN, SILENCE)

    with pytest.raises(UnreachableError, match="UAA at http"):
        connect(foundation.url, ADA, timeout=0.2).log_in()


def test_a_uaa_that_asks_to_wait_is_left_in_peace(foundation, connect, clock):
    """Nothing is sent to UAA or API until the wait that UAA asked for is over."""
    foundation.script(APPS, EMPTY)
    foundation.script(TOKEN, Answer(429, "slow down", {"Retry-After": "20"}), TOKENS)
    session = connect(foundation.url, ADA, monotonic=clock)

    for _ in range(2):
        with pytest.raises(UnreachableError, match="asked to wait"):
            session.get(APPS)
    assert foundation.lines() == ["GET /", f"POST {TOKEN}"]
    clock.now += 20.1
    assert session.get(APPS) == EMPTY


def test_a_refused_login_is_not_sent_again_for_a_minute(foundation, connect, clock):
    """UAA locks an account after a few failures: until a minute has passed the same sentence is said from memory."""
    foundation.script(APPS, EMPTY)
    foundation.script(TOKEN, Answer(401, {"error": "unauthorized", "error_description": "Bad credentials"}), TOKENS)
    session, said = connect(foundation.url, ADA, monotonic=clock), set()

    for wait in (0, 0.1, 30, 29.8):
        clock.now += wait
        with pytest.raises(RefusedError) as caught:
            session.get(APPS)
        said.add(str(caught.value))
    assert said == {"Cloud Foundry refuses the login of user ada: Bad credentials; check platform.cf.password"}
    assert len(foundation.asked(TOKEN)) == 1

    clock.now += 0.2
    assert session.get(APPS) == EMPTY
    assert len(foundation.asked(TOKEN)) == 2


def rests(session, foundation, clock):
    """Return for how long a session's next refusals keep it from asking again, in minutes, up to half a day."""
    found, asked = [], len(foundation.asked(TOKEN))
    for minute in range(12 * 60):
        with pytest.raises(RefusedError):
            session.log_in()
        if len(foundation.asked(TOKEN)) > asked:
            asked, last = len(foundation.asked(TOKEN)), minute
            found.append(last)
        clock.now += 60
    return [after - before for before, after in pairwise(found)]


def test_a_login_that_is_refused_again_rests_twice_as_long(foundation, connect, clock):
    """From a minute to an hour; an account that is locked rests for an hour at once, and a success begins anew."""
    foundation.script(TOKEN, REFUSED)
    session = connect(foundation.url, ADA, monotonic=clock)
    assert rests(session, foundation, clock)[:8] == [1, 2, 4, 8, 16, 32, 60, 60]

    foundation.script(TOKEN, TOKENS)
    clock.now += 3600
    session.log_in()
    foundation.script(TOKEN, REFUSED, REFUSED, LOCKED)
    clock.now += 1200
    assert rests(session, foundation, clock)[:4] == [1, 60, 60, 60]


def test_secrets_are_in_no_repr():
    """Credentials show who logs in and nothing else."""
    shown = [form(one) for one in (ADA, ROBOT) for form in (repr, str, "{!r}".format)]

    assert shown == ["Credentials(user ada)"] * 3 + ["Credentials(client robot)"] * 3


@pytest.mark.parametrize("credentials", [ADA, ROBOT])
@pytest.mark.parametrize("right", [True, False])
def test_secrets_are_in_no_log_record_of_a_session(emulator, connect, caplog, credentials, right):
    """At the most talkative level no record holds a password, a client secret or a token: not even httpx2's own."""
    if not right:
        credentials = Credentials("platform.cf", username="ada", password="pa55-wrong")
    issued, answer = [], emulator.foundation.uaa.token
    emulator.foundation.uaa.token = lambda *asked: issued.append(answer(*asked)) or issued[-1]

    with caplog.at_level(logging.DEBUG):
        session = connect(emulator.url, credentials)
        cloud = CloudFoundry("cf", session, org="demo", space="dev", selectors=["shop"])
        try:
            recent(session, cloud.apps()[0].guid)
        except RefusedError as error:
            logging.getLogger("test").warning("".join(traceback.format_exception(error)))

    assert "oauth/token" in caplog.text  # the client library did log
    secrets = [credentials.password, credentials.client_secret]
    secrets += [one[name] for one in issued for name in ("access_token", "refresh_token") if name in one]
    assert [secret for secret in secrets if secret and _said(secret, caplog)] == []


def _said(secret, caplog):
    everything = [caplog.text, *(repr(record.args) for record in caplog.records)]
    return any(secret in text for text in everything)


@pytest.mark.parametrize("answer", [SILENCE, REFUSED, Answer(500, "<html>"), Answer(200, "<html>"), Answer(200, {})])
@pytest.mark.parametrize("path", [TOKEN, APPS])
def test_secrets_are_in_no_error(foundation, connect, answer, path):
    """Neither the error nor anything that it was raised from shows a secret or a token."""
    foundation.script(APPS, EMPTY)
    foundation.script(path, answer)
    session = connect(foundation.url, Credentials("platform.cf", username="ada", password="pa55"), timeout=0.2)

    with pytest.raises(PortError) as caught:
        list(session.pages(APPS))

    chain, error = [], caught.value
    while error is not None:
        chain += [repr(error), str(error)]
        error = error.__cause__ or error.__context__
    text = "\n".join([*chain, *traceback.format_exception(caught.value)])
    assert [secret for secret in ("pa55", "access-1", "refresh-1") if secret in text] == []
