"""Whom Redis lets in, and by which way: passwords, restricted users, TLS, Sentinel."""

import redis

import harness
from adapters.broker_talk import bodies, clocks, echo, failing
from adapters.redis_events.inside import LIMIT, drains
from adapters.redis_guarded import MASTER, sentinel_running, tls_redis_running
from celeriac.adapters.redis_events import RedisEvents
from celeriac.core.errors import RefusedError


def test_a_wrong_password_is_refused_and_not_shown(redis_server, look):
    """It is an answer, so asking again does not help."""
    look.config_set("requirepass", "right-secret")

    for password, wanted in (("wrong-secret", "invalid username-password pair"), ("", "Authentication required")):
        stream = RedisEvents(f"redis://:{password}@127.0.0.1:{redis_server.port}/0", timeout=LIMIT)
        for call in (lambda stream=stream: stream.receive(0.1), lambda stream=stream: stream.send(echo(1))):
            took, said = failing(call, RefusedError)
            assert took < 1
            assert wanted in said
            assert "secret" not in said


def test_a_restricted_user_needs_the_channels_only(redis_server, listen, look):
    """These commands are all that is used; without the channels the sentence says what is missing."""
    channels = "/0.celeryev/*"
    rights = {"enabled": True, "passwords": ["+x"], "commands": ["+psubscribe", "+publish", "+ping", "+client|setname"]}
    look.acl_setuser("observer", channels=[channels], **rights)
    look.acl_setuser("deaf", reset_channels=True, **rights)
    address = f"x@127.0.0.1:{redis_server.port}/0"
    stream = listen(f"redis://observer:{address}")
    stream.send(echo(1))
    assert clocks(bodies(stream, 1)) == [1]

    _, said = failing(lambda: RedisEvents(f"redis://deaf:{address}", timeout=LIMIT).receive(1), RefusedError)
    assert "channel" in said
    assert len(drains()) == 1


def test_tls_is_spoken_and_the_certificate_checked(tmp_path, listen):
    """One whose authority is not known is unreachable, unless checking is turned off as Celery spells it."""
    with tls_redis_running(tmp_path) as url:
        stream = listen(url)
        for number in range(300):
            stream.send(echo(number, args="x" * 1000))
        assert clocks(bodies(stream, 300)) == list(range(300))
        assert stream.receive(3 * LIMIT) == []  # a PING over TLS

        bare = url.partition("?")[0]
        _, said = failing(lambda: RedisEvents(bare, timeout=LIMIT).receive(0.1))
        assert "certificate verify failed" in said
        listen(f"{bare}?ssl_cert_reqs=CERT_NONE")


def test_a_sentinel_tells_where_redis_is(redis_server, listen, look, tmp_path):
    """The user, the password and the database are the master's; a Sentinel that is gone is passed over."""
    look.config_set("requirepass", "secret")
    with sentinel_running(tmp_path, redis_server) as guard, redis.Redis(port=guard.port) as sentinel:
        sentinel.sentinel_set(MASTER, "auth-pass", "secret")
        before = {one["id"] for one in sentinel.client_list()}
        address, gone = f"sentinel://:secret@127.0.0.1:{guard.port}/3", f"127.0.0.1:{harness.free_port()}"
        stream = listen(f"{address};sentinel://{gone}/3?master_name={MASTER}")
        other = listen(f"sentinel://:secret@{gone}/3;{address}?master_name={MASTER}")
        other.send(echo(1))
        assert clocks(bodies(stream, 1)) == [1]
        wrong = RedisEvents(f"{address}?master_name=nobody", timeout=LIMIT)
        _, said = failing(lambda: wrong.receive(0.1))
        assert "No master found for 'nobody'" in said
        assert "secret" not in said
        for one in (stream, other, wrong):
            one.close()
        harness.wait_until(
            lambda: {one["id"] for one in sentinel.client_list()} <= before, 5, "no connection to the Sentinel is left"
        )
