"""What an ACL of a real Redis takes away is named, with the command that gives it; and all that we send is tried."""

import contextlib
import threading

import pytest
import redis

from celeriac.adapters.control import CeleryControl
from celeriac.adapters.redis_broker import RedisBroker, RedisTrial
from celeriac.adapters.redis_events import RedisEvents
from celeriac.core.checkup.facts import Purpose
from celeriac.core.errors import RefusedError, UnreachableError

LOGGING_IN = {"client|setname", "client|setinfo", "hello", "select", "auth"}
OURS_TO_ASK_WITH = {"multi", "exec", "discard", "info", "config|resetstat", "punsubscribe"}


@pytest.fixture
def admin(redis_server):
    with redis.Redis(port=redis_server.port) as client:
        yield client


@pytest.fixture
def may(redis_server, admin):
    """Try the rights of a user with these."""

    def tried(**rights):
        given = {"commands": ["+@all"], "keys": ["*"], "channels": ["*"], **rights}
        admin.acl_setuser("seer", enabled=True, passwords=["+x"], reset=True, **given)
        found = RedisTrial(f"redis://seer:x@127.0.0.1:{redis_server.port}/0", timeout=2).access()
        return {one.purpose: one for one in found}

    return tried


def test_who_may_everything_lacks_nothing_and_nothing_is_done(redis_server, admin) -> None:
    admin.config_resetstat()
    found = RedisTrial(redis_server.url, timeout=2).access()

    assert [one.purpose for one in found] == list(Purpose)
    assert not any(one.refused or one.fix or one.unsure for one in found)
    done = {name.removeprefix("cmdstat_") for name in admin.info("commandstats")}
    assert done - LOGGING_IN == {"multi", "discard", "config|resetstat"}
    assert admin.keys("*") == []


@pytest.mark.parametrize(
    ("lacking", "purpose", "refused", "fix"),
    [
        ({"commands": ["+@all", "-client|list"]}, Purpose.CLIENTS, "CLIENT LIST", "+client|list"),
        ({"commands": ["+@all", "-hscan"]}, Purpose.MESSAGES, "HSCAN", "+hscan"),
        ({"commands": ["+@all", "-scan"]}, Purpose.QUEUES, "SCAN", "+scan"),
        ({"commands": ["+@all", "-evalsha"]}, Purpose.CONTROL, "EVALSHA", "+evalsha"),
        ({"commands": ["+@all", "-psubscribe"]}, Purpose.EVENTS, "PSUBSCRIBE", "+psubscribe"),
        ({"channels": ["/0.celery.pidbox"]}, Purpose.EVENTS, "PSUBSCRIBE on /0.celeryev/*", "&/0.celeryev/*"),
        ({"channels": ["/0.celeryev/*"]}, Purpose.CONTROL, "PUBLISH on /0.celery.pidbox", "&/0.celery.pidbox"),
        ({"keys": ["celery", "_kombu*", "*pidbox", "unacked_*"]}, Purpose.MESSAGES, "HLEN on unacked*", "~unacked*"),
    ],
)
def test_what_is_missing_is_named(may, lacking, purpose, refused, fix) -> None:
    found = may(**lacking)

    assert refused in found[purpose].refused
    assert found[purpose].fix.startswith("ACL SETUSER seer ")
    assert fix in found[purpose].fix.split()
    assert [one.purpose for one in found.values() if one.refused] == [purpose]


def test_the_command_that_is_told_mends_it(redis_server, admin) -> None:
    """All that is told, given as it is, leaves nothing to want."""
    rights = ["+multi", "+discard", "+client|setname"]
    told = set()

    def tried():
        admin.execute_command("ACL", "SETUSER", "seer", "reset", "on", ">x", "resetchannels", *rights)
        return RedisTrial(f"redis://seer:x@127.0.0.1:{redis_server.port}/0", timeout=2).access()

    while any(one.refused for one in tried()):
        # As an operator would, one line after the other; a command's own right is asked before that on its key.
        command = next(one.fix for one in tried() if one.refused)
        assert command not in told
        told.add(command)
        rights += command.split()[3:]


def test_where_no_transaction_is_allowed_nothing_can_be_told(may) -> None:
    found = may(commands=["+@all", "-multi"])

    assert all("'multi'" in one.unsure and "+multi" in one.fix for one in found.values())


def test_a_wrong_password_and_a_redis_that_is_away(redis_server, free_port) -> None:
    with pytest.raises(RefusedError, match="password"):
        RedisTrial(f"redis://seer:no@127.0.0.1:{redis_server.port}/0", timeout=2).access()
    with pytest.raises(UnreachableError):
        RedisTrial(f"redis://127.0.0.1:{free_port()}/0", timeout=2).access()


def test_every_command_that_our_adapters_send_is_tried(redis_server, admin) -> None:
    """Else a right could be missing at night that the checkup has not asked for."""
    tried = {
        name.lower().replace(" ", "|") for one in RedisTrial(redis_server.url, timeout=2).access() for name in one.tried
    }
    admin.sadd("_kombu.binding.celery", "celery\x06\x16\x06\x16celery")
    admin.config_resetstat()

    broker, events = RedisBroker(redis_server.url), RedisEvents(redis_server.url)
    with contextlib.closing(events):
        events.receive(0.0)
        events.send({"type": "celeriac-echo"})
    broker.clients([])
    broker.queues(["celery"])
    broker.holding(["some-task"], ["celery"])
    asking = threading.Thread(target=CeleryControl(redis_server.url, wait=0.2).ping, args=(["w@nowhere"],))
    asking.start()
    asking.join()

    sent = {name.removeprefix("cmdstat_") for name in admin.info("commandstats")}
    assert sent - LOGGING_IN - OURS_TO_ASK_WITH <= tried
