"""What settings take from the environment of a Cloud Foundry app, and what they refuse there."""

import json

import pytest

from celeriac.core.errors import SettingsError
from celeriac.settings import check_store, read, unused_services

SECRET = "hunter2"
FILE = '[[cluster]]\nname = "shop"\nservice = "broker"\n'
REDIS = {"host": "10.0.0.1", "port": 6379, "password": SECRET}


@pytest.fixture
def settings(tmp_path):
    def of(text, environ, **flags):
        path = tmp_path / "celeriac.toml"
        path.write_text(text)
        return read(path, flags, environ)

    return of


def bound(credentials, label="user-provided", name="broker", tags=()):
    entry = {"name": name, "label": label, "tags": list(tags), "credentials": credentials}
    return {"VCAP_APPLICATION": "{}", "VCAP_SERVICES": json.dumps({label: [entry]})}


@pytest.mark.parametrize(
    ("label", "credentials", "url"),
    [
        ("p.redis", REDIS, f"redis://:{SECRET}@10.0.0.1:6379/0"),
        ("p-redis", {**REDIS, "password": "a/b@c"}, "redis://:a%2Fb%40c@10.0.0.1:6379/0"),
        ("p.redis", {**REDIS, "tls_port": 16379}, f"redis://:{SECRET}@10.0.0.1:6379/0"),
        ("p.redis", {**REDIS, "port": 0, "tls_port": 16379}, f"rediss://:{SECRET}@10.0.0.1:16379/0"),
        ("aiven", {"uri": "rediss://u:p@r.example:25061/0"}, "rediss://u:p@r.example:25061/0"),
        ("user-provided", {"uri": "redis://r:6379/0"}, "redis://r:6379/0"),
        ("p.rabbitmq", {"uris": ["amqps://u:p@a/v", "amqps://u:p@b/v"], "uri": None}, "amqps://u:p@a/v"),
        ("p.rabbitmq", {"dashboard_url": "https://d", "protocols": {"management": {"uri": "https://m"}, "amqp+ssl": {"uri": "amqps://u:p@h:5671/v"}}}, "amqps://u:p@h:5671/v"),
        ("p.rabbitmq", {"hostnames": ["h1", "h2"], "username": "u", "password": SECRET, "vhost": "a/b", "port": 5672}, f"amqp://u:{SECRET}@h1:5672/a%2Fb"),
        ("p.rabbitmq", {"protocols": {"amqp": {"host": "h", "port": 5671, "username": "u", "password": "p", "vhost": "v", "ssl": True}}}, "amqps://u:p@h:5671/v"),
    ],
)  # fmt: skip
def test_a_cluster_takes_the_broker_of_the_service_that_it_names(settings, label, credentials, url):
    found = settings(FILE, bound(credentials, label))

    assert found.cluster[0].broker.get_secret_value() == url
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    ("text", "environ", "sentence"),
    [
        (FILE, {}, "The setting cluster.shop.service names 'broker', which is not bound to this app; none is bound."),
        (FILE, bound(REDIS, "p.redis", "other"), "which is not bound to this app; bound are: other."),
        (FILE + 'broker = "redis://x"\n', bound(REDIS, "p.redis"), "stands in place of broker: give one of the two."),
        (FILE, bound({"word": SECRET}), "whose credentials hold no address of a Redis or RabbitMQ; give broker."),
        (
            FILE,
            bound({"uri": f"postgres://u:{SECRET}@h/db"}),
            "whose credentials hold no address of a Redis or RabbitMQ",
        ),
        (FILE, {"VCAP_SERVICES": f"[{SECRET}"}, "The variable VCAP_SERVICES does not have the form"),
    ],
)
def test_a_service_that_is_no_broker_is_refused_in_one_sentence(settings, text, environ, sentence):
    with pytest.raises(SettingsError) as error:
        settings(text, environ)

    assert sentence in str(error.value)
    assert SECRET not in str(error.value)
    assert "\n" not in str(error.value)


def test_the_port_is_the_platforms_where_nobody_gives_one(settings):
    here = {**bound(REDIS, "p.redis"), "PORT": "8080"}

    assert settings(FILE, here).console.port == 8080
    assert settings(FILE, here).console.host == "127.0.0.1"
    assert settings("[console]\nport = 7000\n" + FILE, here).console.port == 7000
    assert settings(FILE, here, console__port=7001).console.port == 7001
    assert settings(FILE, {**here, "CELERIAC_PORT": "7002"}).console.port == 7002


def test_a_port_in_the_environment_means_nothing_elsewhere(settings):
    elsewhere = '[[cluster]]\nname = "shop"\nbroker = "redis://x"\n'

    assert settings(elsewhere, {"PORT": "8080"}).console.port == 5555


def test_services_that_are_bound_and_not_used_are_named(settings):
    environ = {
        "VCAP_SERVICES": json.dumps(
            {
                "p.redis": [
                    {"name": "broker", "credentials": REDIS},
                    {"name": "cache", "credentials": REDIS},
                ],
                "user-provided": [{"name": "db", "credentials": {"uri": f"postgresql://u:{SECRET}@h/db"}}],
                "hashicorp-vault": [
                    {"name": "keys", "credentials": {"address": "https://v", "auth": {"token": SECRET}}}
                ],
                "mail": [{"name": "post", "credentials": {"host": "m"}}],
            }
        )
    }

    assert unused_services(settings(FILE, environ), environ) == [
        "The bound service cache (Redis) is not used: no [[cluster]] names it as service.",
        "The bound service db (PostgreSQL) is not used: that comes with a later release.",
        "The bound service keys (Vault) is not used: that comes with a later release.",
    ]


def test_a_store_that_does_not_last_must_be_accepted(settings):
    here = bound(REDIS, "p.redis")

    with pytest.raises(SettingsError, match="are lost each time, start with --ephemeral-store"):
        check_store(settings(FILE, here), here)
    check_store(settings(FILE, here, ephemeral_store=True), here)
    check_store(settings("ephemeral_store = true\n" + FILE, here), here)
    check_store(settings(FILE, here), {})
