"""Whom RabbitMQ lets in, and over TLS."""

import json

import pytest

from adapters.amqp_events.inside import LIMIT, QUEUE, refused
from adapters.broker_talk import bodies, echo
from celeriac.adapters.amqp_events import AmqpEvents
from celeriac.core.errors import RefusedError, UnreachableError


def test_an_address_where_nobody_listens_is_unreachable_at_once(free_port):
    """No second try, and no pause before it: the observer has its own back-off."""
    assert "refused" in refused(
        lambda: AmqpEvents(f"amqp://guest:guest@127.0.0.1:{free_port()}//", QUEUE, timeout=LIMIT).receive(5),
        UnreachableError,
    )


def test_a_wrong_login_says_so_and_shows_no_secret(rabbitmq_server, rabbitmq_vhost):
    """Neither a wrong password nor a missing virtual host is helped by another try."""
    wrong = rabbitmq_vhost.replace("guest:guest", "guest:wrong-secret")
    said = refused(lambda: AmqpEvents(wrong, QUEUE, timeout=LIMIT).receive(0.1), RefusedError)
    assert "Login was refused" in said
    assert "secret" not in said

    missing = rabbitmq_server.url("nowhere")
    assert "nowhere" in refused(lambda: AmqpEvents(missing, QUEUE, timeout=LIMIT).receive(0.1), RefusedError)


def test_events_come_over_tls(rabbitmq_server, listen):
    """The certificate is checked against the authority that the URL names; large bodies cross many records."""
    stream = listen(rabbitmq_server.tls_url(rabbitmq_server.fresh_vhost()))
    assert stream.receive(0.2) == []
    stream.send({"type": "large", "text": "x" * 100_000})
    stream.send(echo(1))
    large, small = bodies(stream, 2)

    assert len(large) > 100_000
    assert json.loads(small) == echo(1)
    stream.settle(stream.mark())
    stream.close()
    assert stream.receive(0.3) == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_certificate_that_does_not_fit_is_refused(rabbitmq_server, listen, host):
    """By its authority, and by the name in it; the URL may ask for less."""
    fits = rabbitmq_server.tls_url(host=host)
    wrong = fits.partition("?")[0] if host == "localhost" else fits
    said = refused(lambda: AmqpEvents(wrong, QUEUE, timeout=LIMIT).receive(0.1))
    assert "certificate verify failed" in said

    less = "?ssl_cert_reqs=none" if host == "localhost" else "&ssl_check_hostname=false"
    listen(wrong + less, "celeriac.events.lenient.1")
