"""What a user of a real RabbitMQ may not do is named, with the command that allows it; and nothing stays behind."""

import contextlib

import pytest

import harness
from adapters.rabbitmq_worker import HEARTBEAT_S, worker_running
from celeriac.adapters.amqp_client import connect
from celeriac.adapters.rabbitmq_broker import Management, RabbitTrial, requests_for
from celeriac.adapters.rabbitmq_broker.trial import OURS
from celeriac.core.checkup.facts import Purpose
from celeriac.core.errors import RefusedError, UnreachableError

QUEUES = "celeriac.events.orders."


def access(url):
    return {one.purpose: one for one in RabbitTrial(url, QUEUES, timeout=2).access()}


@pytest.fixture
def exchanges(rabbitmq_vhost):
    """Declare what the first worker declares."""
    with contextlib.closing(connect(rabbitmq_vhost, timeout=5, name="test")) as connection:
        channel = connection.channel()
        channel.exchange_declare("celeryev", "topic", durable=True, auto_delete=False)
        channel.exchange_declare("celery.pidbox", "fanout", durable=False, auto_delete=False)
        channel.exchange_declare("reply.celery.pidbox", "direct", durable=False, auto_delete=False)


@pytest.fixture
def may(rabbitmq_server, rabbitmq_vhost, exchanges):
    """Try what a user with these three patterns may do."""
    vhost = rabbitmq_vhost.rpartition("/")[2]
    user = f"seer-{vhost}"
    rabbitmq_server.evaluate(f'rabbit_auth_backend_internal:add_user(<<"{user}">>, <<"x">>, <<"test">>).')

    def tried(*patterns):
        parts = ", ".join(f'<<"{one}">>' for one in (user, vhost, *patterns, "test")).replace("\\", "\\\\")
        rabbitmq_server.evaluate(f"rabbit_auth_backend_internal:set_permissions({parts}).")
        return access(rabbitmq_vhost.replace("guest:guest", f"{user}:x"))

    return tried


def test_who_may_everything_lacks_nothing_and_nothing_stays(rabbitmq_server, rabbitmq_vhost, exchanges) -> None:
    found = access(rabbitmq_vhost)

    assert list(found) == [Purpose.EVENTS, Purpose.CONTROL]
    assert not any(one.refused or one.unsure or one.fix for one in found.values())
    vhost = rabbitmq_vhost.rpartition("/")[2]
    names = f'[Name || {{resource, _, queue, Name}} <- rabbit_amqqueue:list_names(<<"{vhost}">>)].'
    harness.wait_until(lambda: rabbitmq_server.evaluate(names) == "[]", 5, "the trial's queues are gone")


def test_listeners_hear_nothing_of_it(rabbitmq_vhost, exchanges) -> None:
    """To write is tried with a message that RabbitMQ does not take."""
    with contextlib.closing(connect(rabbitmq_vhost, timeout=5, name="test")) as connection:
        channel = connection.channel()
        queue = channel.queue_declare("", exclusive=True).queue
        for exchange in ("celeryev", "celery.pidbox"):
            channel.queue_bind(queue, exchange, "#")
        access(rabbitmq_vhost)
        assert channel.queue_declare(queue, passive=True).message_count == 0


@pytest.mark.parametrize(
    ("patterns", "events", "control"),
    [
        (
            ("", ".*", ".*"),
            ("configure on celeriac.events.orders.*", "configure on celeryev"),
            ("configure on *.reply.celery.pidbox", "configure on reply.celery.pidbox", "configure on celery.pidbox"),
        ),
        (
            (".*", "", ".*"),
            ("write on celeriac.events.orders.*", "write on celeryev"),
            ("write on *.reply.celery.pidbox", "write on celery.pidbox"),
        ),
        (
            (".*", ".*", "celery"),
            (),
            (),
        ),
        (
            (".*", ".*", "^celeriac"),
            ("read on celeryev",),
            ("read on reply.celery.pidbox", "read on *.reply.celery.pidbox"),
        ),
    ],
    ids=["configure", "write", "read all of it", "read our queue only"],
)
def test_what_is_missing_is_named(may, patterns, events, control) -> None:
    found = may(*patterns)
    if patterns[2] == "celery":
        events = ("read on celeriac.events.orders.*",)

    assert found[Purpose.EVENTS].refused == events
    assert found[Purpose.CONTROL].refused == control
    assert f"'{OURS}'" in found[Purpose.EVENTS].fix


def test_the_command_that_is_told_mends_it(may) -> None:
    assert not any(one.refused or one.unsure for one in may(OURS, OURS, OURS).values())


def test_before_the_first_worker_not_all_can_be_tried(rabbitmq_vhost) -> None:
    found = access(rabbitmq_vhost)
    assert "celeryev" in found[Purpose.EVENTS].unsure


def test_a_virtual_host_that_is_closed_and_a_broker_that_is_away(rabbitmq_server, rabbitmq_vhost, free_port) -> None:
    with pytest.raises(RefusedError):
        access(rabbitmq_vhost.replace("guest:guest", "guest:no"))
    with pytest.raises(RefusedError, match=r"vhost|virtual"):
        access(rabbitmq_server.url("nowhere"))
    with pytest.raises(UnreachableError):
        access(f"amqp://guest:guest@127.0.0.1:{free_port()}//")


def test_the_heartbeats_that_workers_have_agreed_on(rabbitmq_server, rabbitmq_vhost, tmp_path) -> None:
    management = Management(requests_for(rabbitmq_server.management_url(), rabbitmq_vhost))
    trial = RabbitTrial(rabbitmq_vhost, QUEUES, management=management)
    assert RabbitTrial(rabbitmq_vhost, QUEUES).heartbeats() is None
    with contextlib.closing(management), worker_running(tmp_path, rabbitmq_vhost, "beating") as (node, _):
        harness.wait_until(lambda: trial.heartbeats() == {node: HEARTBEAT_S}, 15, "RabbitMQ lists the connection")
