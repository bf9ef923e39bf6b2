"""The broker's URL: what the libraries behind it would take passes, and the rest is one sentence without a secret."""

import pytest
from kombu.transport import TRANSPORT_ALIASES

from celeriac.core.errors import SettingsError
from celeriac.settings import read
from celeriac.settings.urls import OTHERS, RABBITMQ, REDIS, SENTINEL

SECRET = "hunter2"

RIGHT = {
    "redis://h": "redis",
    "redis://h/": "redis",
    "redis://[::1]:6379/0": "redis",
    "redis://:pw@h:6379/2": "redis",
    "redis://user:p%3Fw%40@h:6379/2": "redis",
    "rediss://h/0?ssl_cert_reqs=none": "redis",
    "rediss://h/0?ssl_cert_reqs=required&ssl_ca_certs=/etc/ca.pem": "redis",
    "rediss://h/0?ssl_cert_reqs=CERT_REQUIRED&ssl_check_hostname=false": "redis",
    "sentinel://h?master_name=m": "redis",
    "sentinel://:pw@h:26379/2?master_name=m": "redis",
    "sentinel://h:26379;sentinel://h2:26379/0?master_name=m": "redis",
    "sentinel://a/1;sentinel://b/1;sentinel://c:26380/1?ssl_cert_reqs=none&master_name=my%20master": "redis",
    "amqp://h": "rabbitmq",
    "amqp://guest:guest@h:5672//": "rabbitmq",
    "pyamqp://user:p%2Fw@h/vhost": "rabbitmq",
    "amqps://user:pw@h:5671/a%2Fb?ssl_ca_certs=/etc/ca.pem&ssl_cert_reqs=required": "rabbitmq",
    "memory://": "kombu",
    "filesystem://": "kombu",
    "sqs://key:secret@": "kombu",
    "SQS://": "kombu",
    "sqla+postgresql://user:pw@h/db": "kombu",
    "librabbitmq://h//": "kombu",
}
WRONG = {
    "redis://h:6399/abc": "must end with the number of a database",
    f"redis://:{SECRET}@h:6399/abc": "must end with the number of a database",
    f"redis://:{SECRET}@h/0/1": "must end with the number of a database",
    f"redis://:{SECRET}@h?foo=bar": "has the option foo, which is not known here",
    f"redis://:{SECRET}@h/0?socket_timeout=abc": "has the option socket_timeout, which is not known here",
    f"redis://:{SECRET}@h/0?password={SECRET}": "has the option password, which is not known here",
    f"redis://:{SECRET}@h/0?ssl_cert_reqs=none": "has the option ssl_cert_reqs, which is for rediss:// and amqps://",
    f"rediss://:{SECRET}@h/0?ssl_cert_reqs=nope": "has an ssl_cert_reqs that is not none, optional or required",
    f"rediss://:{SECRET}@h/0?ssl_cert_reqs=": "has an ssl_cert_reqs that is not none, optional or required",
    f"rediss://:{SECRET}@h/0?ssl_check_hostname=maybe": "has an ssl_check_hostname that is not true or false",
    f"redis://:{SECRET}@h:port/0": "is not a URL that can be used here",
    f"redis://:{SECRET}@/0": "is not a URL that can be used here",
    f"{SECRET}": "is not a URL that can be used here",
    # What is not escaped in a password ends the host: without care the rest of it is taken for something else.
    f"redis://user:12?{SECRET}@h:6379/0": "has an @ after its host",
    f"redis://user:12?{SECRET}=1@h:6379/0": "has an @ after its host",
    f"redis://user:12#{SECRET}@h:6379/0": "has an @ after its host",
    f"redis://user:12/{SECRET}@h:6379/0": "has an @ after its host",
    f"sentinel://:{SECRET}@h:26379/0": "must end with the master's name, like sentinel://host:26379",
    f"sentinel://:{SECRET}@h:26379/0?master_name=": "must end with the master's name",
    f"sentinel://:{SECRET}@h/0?master_name=m&password={SECRET}": "has the option password, which is not known here",
    f"sentinel://:{SECRET}@h/x?master_name=m": "must end with the number of a database",
    f"sentinel://:{SECRET}@h;redis://h/0?master_name=m": "is not a URL that can be used here",
    f"sentinel://:{SECRET}@h;h2:26379/0?master_name=m": "is not a URL that can be used here",
    f"sentinel://:{SECRET}@h:port/0?master_name=m": "is not a URL that can be used here",
    # Kombu connects to the first one's database.
    f"sentinel://:{SECRET}@h;sentinel://:{SECRET}@h2/1?master_name=m": "must name the same database in every address",
    f"sentinel://user:12?{SECRET}@h:26379/0?master_name=m": "has an @ after its host",
    f"sentinel://user:12/{SECRET}@h:26379/0?master_name=m": "has an @ after its host",
    f"amqp://user:{SECRET}@/vhost": "is not a URL that can be used here; it looks like amqp://",
    f"amqp://user:{SECRET}@h:port/vhost": "is not a URL that can be used here",
    f"amqp://user:{SECRET}@h;amqp://user:{SECRET}@h2": "names several brokers; name one of them",
    f"amqp://user:12/{SECRET}@h//": "has an @ after its host",
    f"amqp://user:12#{SECRET}@h//": "has an @ after its host",
    f"amqps://user:{SECRET}@h//?heartbeat=5": "has the option heartbeat, which is not known here; there are: ssl_ca_certs",
    f"amqp://user:{SECRET}@h//?ssl_cert_reqs=none": "has the option ssl_cert_reqs, which is for rediss:// and amqps://",
    f"http://user:{SECRET}@h/0": "names a transport that is not known here; there are: amqp, amqps, azureservicebus",
    f"redis+socket://:{SECRET}@/tmp/redis.sock": "names a transport that is not known here",
    f"{SECRET}://h": "names a transport that is not known here",
}


@pytest.fixture
def broker(tmp_path):
    """Read the settings of a cluster with such a broker, and return the cluster."""

    def of(url):
        path = tmp_path / "celeriac.toml"
        path.write_text(f'[[cluster]]\nname = "orders"\nbroker = "{url}"\n')
        return read(path, {}, {}).cluster[0]

    return of


@pytest.mark.parametrize(("url", "kind"), RIGHT.items(), ids=RIGHT)
def test_a_broker_that_the_libraries_take_passes(broker, url, kind):
    """It is kept as it was written, and its scheme tells who reads it."""
    cluster = broker(url)

    assert cluster.broker.get_secret_value() == url
    assert cluster.broker_kind == kind


def test_every_transport_of_kombu_is_known_and_no_other():
    """A new version of Kombu may bring some, and take some away."""
    assert {*REDIS, SENTINEL, *RABBITMQ, *OTHERS} == {name.lower() for name in TRANSPORT_ALIASES}


@pytest.mark.parametrize(("url", "said"), WRONG.items(), ids=WRONG)
def test_a_broker_that_they_would_fail_on_is_one_sentence(broker, url, said):
    """The setting is named, and neither the URL nor its password is shown."""
    with pytest.raises(SettingsError) as caught:
        broker(url)
    sentence = str(caught.value)

    assert sentence.startswith(f"The setting cluster.orders.broker: {said}")
    assert "\n" not in sentence
    assert sentence.endswith(".")
    assert SECRET not in sentence
    assert url not in sentence
    assert "6399" not in sentence
