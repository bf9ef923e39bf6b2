"""The result backend's URL: Celery knows the kinds; what can never be read from here is one sentence without a secret."""

import pytest

from celeriac.core.errors import SettingsError
from celeriac.settings import read

SECRET = "hunter2"

RIGHT = [
    "redis://:pw@h:6379/1",
    "rediss://h/0?ssl_cert_reqs=required",
    "sentinel://h:26379/1;sentinel://h2:26379/1?master_name=m",
    "db+postgresql://user:pw@h/results",
    "mongodb://h/results",
    "cache+memcached://h:11211/",
]
WRONG = {
    SECRET: "is not a URL that can be used here; it looks like redis://",
    f"rpc://user:{SECRET}@h": "names a backend whose results only their senders can read; leave it out",
    f"amqp://user:{SECRET}@h//": "names a backend whose results only their senders can read",
    f"sentinel://:{SECRET}@h:26379/0": "must end with the master's name",
}


def cluster(tmp_path, url, environ=None):
    path = tmp_path / "celeriac.toml"
    path.write_text(f'[[cluster]]\nname = "orders"\nbroker = "redis://h"\nresult_backend = "{url}"\n')
    return read(path, {}, environ or {}).cluster[0]


@pytest.mark.parametrize("url", RIGHT)
def test_what_celery_takes_passes_and_does_not_show(tmp_path, url):
    found = cluster(tmp_path, url)

    assert found.result_backend.get_secret_value() == url
    assert url not in repr(found)


@pytest.mark.parametrize(("url", "said"), WRONG.items(), ids=WRONG)
def test_what_cannot_be_read_is_one_sentence(tmp_path, url, said):
    with pytest.raises(SettingsError) as caught:
        cluster(tmp_path, url)

    assert str(caught.value).startswith(f"The setting cluster.orders.result_backend: {said}")
    assert SECRET not in str(caught.value)


def test_it_may_stand_in_the_environment(tmp_path):
    found = cluster(tmp_path, "redis://h/1", {"CELERIAC_CLUSTER__ORDERS__RESULT_BACKEND": "redis://:pw@elsewhere/2"})

    assert found.result_backend.get_secret_value() == "redis://:pw@elsewhere/2"
