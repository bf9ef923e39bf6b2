"""The URL of RabbitMQ's management API: what can be asked passes, and the rest is one sentence without a secret."""

import pytest

from celeriac.bootstrap.brokers import broker
from celeriac.core.errors import SettingsError
from celeriac.settings import read

SECRET = "hunter2"
RIGHT = ("http://h:15672", "http://h:15672/", "https://user:p%2Fw@h", "http://[::1]:15672/rabbit")
WRONG = {
    f"amqp://user:{SECRET}@h": "is not a URL that can be used here; it looks like http://user:password@host:15672",
    f"http://user:{SECRET}@:15672": "is not a URL that can be used here",
    f"http://user:{SECRET}@h:port": "is not a URL that can be used here",
    f"http://user:12/{SECRET}@h:15672": "has an @ after its host",
    f"http://user:{SECRET}@h:15672/api": "ends with the port, or with the management.path_prefix",
    f"http://user:{SECRET}@h:15672/#/queues": "ends with the port, or with the management.path_prefix",
    f"http://h:15672?password={SECRET}": "ends with the port, or with the management.path_prefix",
    SECRET: "is not a URL that can be used here",
}


@pytest.fixture
def cluster(tmp_path):
    """Read the settings of a cluster, and return it."""

    def of(management, broker="amqp://guest:guest@h//", environ=None):
        path = tmp_path / "celeriac.toml"
        line = f'management = "{management}"\n' if management else ""
        path.write_text(f'[[cluster]]\nname = "orders"\nbroker = "{broker}"\n{line}')
        return read(path, {}, environ or {}).cluster[0]

    return of


def refusal(call, *given):
    with pytest.raises(SettingsError) as caught:
        call(*given)
    assert SECRET not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("url", RIGHT)
def test_a_url_that_can_be_asked_passes(cluster, url):
    """It is a secret, as it may hold a password."""
    found = cluster(url)

    assert found.management.get_secret_value() == url
    assert url not in repr(found)


@pytest.mark.parametrize(("url", "said"), WRONG.items(), ids=range(len(WRONG)))
def test_one_that_cannot_is_one_sentence(cluster, url, said):
    """The setting is named, and neither the URL nor its password is shown."""
    sentence = refusal(cluster, url)

    assert sentence.startswith(f"The setting cluster.orders.management: {said}")
    assert sentence.endswith(".")


@pytest.mark.parametrize("other", ["redis://h", "sqs://"])
def test_it_is_for_rabbitmq_alone(cluster, other):
    """Another broker has none."""
    sentence = refusal(cluster, f"http://user:{SECRET}@h:15672", other)

    assert sentence == (
        "The setting cluster.orders: management is the URL of RabbitMQ's management API, and this broker is no RabbitMQ; "
        "leave it out."
    )


def test_secrets_belong_in_the_environment(cluster):
    """As the broker's URL does."""
    found = cluster("", environ={"CELERIAC_CLUSTER__ORDERS__MANAGEMENT": f"http://user:{SECRET}@h:15672"})

    assert found.management.get_secret_value() == f"http://user:{SECRET}@h:15672"


@pytest.mark.parametrize("management", ["", "http://h:15672"])
def test_the_broker_is_asked_so_only_where_it_is_given(cluster, management):
    """Without it AMQP is all there is."""
    found = broker(cluster(management))

    assert (found._management is not None) == bool(management)
    found.close()
