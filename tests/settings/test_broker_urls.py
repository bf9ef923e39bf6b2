"""The broker's URL: what Kombu and redis-py would both take passes, and the rest is one sentence without a secret."""

import pytest

from celeriac.core.errors import SettingsError
from celeriac.settings import read

SECRET = "hunter2"

RIGHT = [
    "redis://h",
    "redis://h/",
    "redis://[::1]:6379/0",
    "redis://:pw@h:6379/2",
    "redis://user:p%3Fw%40@h:6379/2",
    "rediss://h/0?ssl_cert_reqs=none",
    "rediss://h/0?ssl_cert_reqs=required&ssl_ca_certs=/etc/ca.pem",
]
WRONG = {
    "redis://h:6399/abc": "must end with the number of a database",
    f"redis://:{SECRET}@h:6399/abc": "must end with the number of a database",
    f"redis://:{SECRET}@h/0/1": "must end with the number of a database",
    f"redis://:{SECRET}@h?foo=bar": "has the option foo, which is not known here",
    f"redis://:{SECRET}@h/0?socket_timeout=abc": "has the option socket_timeout, which is not known here",
    f"redis://:{SECRET}@h/0?password={SECRET}": "has the option password, which is not known here",
    f"rediss://:{SECRET}@h/0?ssl_cert_reqs=nope": "has an ssl_cert_reqs that is not none, optional or required",
    f"rediss://:{SECRET}@h/0?ssl_cert_reqs=": "has an ssl_cert_reqs that is not none, optional or required",
    f"redis://:{SECRET}@h:port/0": "is not a URL that can be used here",
    f"redis://:{SECRET}@/0": "is not a URL that can be used here",
    f"{SECRET}": "is not a URL that can be used here",
    # What is not escaped in a password ends the host: without care the rest of it is taken for something else.
    f"redis://user:12?{SECRET}@h:6379/0": "has an @ after its host",
    f"redis://user:12?{SECRET}=1@h:6379/0": "has an @ after its host",
    f"redis://user:12#{SECRET}@h:6379/0": "has an @ after its host",
    f"redis://user:12/{SECRET}@h:6379/0": "has an @ after its host",
}


@pytest.fixture
def broker(tmp_path):
    """Read the settings of a cluster with such a broker, and return the broker."""

    def of(url):
        path = tmp_path / "celeriac.toml"
        path.write_text(f'[[cluster]]\nname = "orders"\nbroker = "{url}"\n')
        return read(path, {}, {}).cluster[0].broker.get_secret_value()

    return of


@pytest.mark.parametrize("url", RIGHT)
def test_a_broker_that_the_libraries_take_passes(broker, url):
    """It is kept as it was written."""
    assert broker(url) == url


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
