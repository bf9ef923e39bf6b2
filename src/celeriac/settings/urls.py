"""URLs in the settings, checked before a library takes them apart and fails on them much later.

No sentence shows the URL itself: it may hold a password.
"""

import difflib
import re
from urllib.parse import SplitResult, parse_qs, urlsplit

REDIS = ("redis", "rediss")
SENTINEL = "sentinel"
RABBITMQ = ("amqp", "amqps", "pyamqp")
OTHERS = (
    "azureservicebus", "azurestoragequeues", "confluentkafka", "consul", "etcd", "filesystem", "gcpubsub", "kafka",
    "librabbitmq", "memory", "mongodb", "pgmq", "pyro", "qpid", "slmq", "sqla", "sqlalchemy", "sqs", "zookeeper",
)  # fmt: skip
"""What Kombu knows beside these (`kombu.transport.TRANSPORT_ALIASES`); it checks them itself."""

SQLITE = "sqlite:///"

WITH_TLS = ("rediss", "amqps", SENTINEL)
TLS_OPTIONS = frozenset({"ssl_cert_reqs", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname"})
MASTER = "master_name"

REDIS_EXAMPLE = "redis://host:6379/0"
SENTINEL_EXAMPLE = "sentinel://host:26379;sentinel://other:26379/0?master_name=mymaster"
RABBITMQ_EXAMPLE = "amqp://user:password@host:5672/vhost"
MANAGEMENT_EXAMPLE = "http://user:password@host:15672"


def checked_url(url: str, schemes: tuple[str, ...], example: str) -> str:
    """Return the URL; raises ValueError unless it has one of these schemes, a host, and a port that can be."""
    msg = f"is not a URL that can be used here; it looks like {example}"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in schemes and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        raise ValueError(msg) from None
    if not usable:
        raise ValueError(msg)
    return url


def store_directory(store: str) -> str:
    """Return the store's directory, also of `sqlite:///directory`; raises ValueError for every other URL."""
    directory = store.removeprefix(SQLITE)
    if not directory or "://" in directory:
        msg = f"must be a directory, also as {SQLITE}directory; there is no other kind of store"
        raise ValueError(msg)
    return directory


def broker_kind(url: str) -> str:
    """Return who reads this broker: `redis`, `rabbitmq`, or `kombu` for every other transport that Kombu has."""
    scheme = _scheme(url)
    if scheme in (*REDIS, SENTINEL):
        return "redis"
    return "rabbitmq" if scheme in RABBITMQ else "kombu"


def checked_broker(url: str) -> str:
    """Return the broker's URL; raises ValueError with one sentence for a reader who sees the setting's name before it."""
    scheme = _scheme(url)
    if scheme in REDIS:
        _check_redis(checked_url(url, REDIS, REDIS_EXAMPLE))
    elif scheme == SENTINEL:
        _check_sentinels(url)
    elif scheme in RABBITMQ:
        _check_rabbitmq(url)
    elif "://" not in url:
        msg = f"is not a URL that can be used here; it looks like {REDIS_EXAMPLE}"
        raise ValueError(msg)
    elif scheme.lower().partition("+")[0] not in OTHERS:  # sqla+postgresql:// is a transport and a URL of its own
        known = (*REDIS, SENTINEL, *RABBITMQ, *OTHERS)
        close = difflib.get_close_matches(scheme.lower(), known, n=1)
        hint = f"did you mean {close[0]}://?" if close else f"there are: {', '.join(sorted(known))}"
        msg = f"names a transport that is not known here; {hint}"
        raise ValueError(msg)
    return url


def checked_backend(url: str) -> str:
    """Return the result backend's URL; which kinds there are, and what each takes, Celery knows."""
    scheme = _scheme(url)
    if "://" not in url:
        msg = f"is not a URL that can be used here; it looks like {REDIS_EXAMPLE}"
        raise ValueError(msg)
    if scheme in (*RABBITMQ, "rpc"):
        msg = "names a backend whose results only their senders can read; leave it out"
        raise ValueError(msg)
    if scheme == SENTINEL:
        _check_sentinels(url)
    return url


def checked_management(url: str) -> str:
    """Return the URL of RabbitMQ's management API; raises ValueError as `checked_broker` does."""
    parts = urlsplit(checked_url(url, ("http", "https"), MANAGEMENT_EXAMPLE))
    _check_end_of_host(parts)
    if parts.query or parts.fragment or parts.path.rstrip("/").endswith("/api"):
        msg = f"ends with the port, or with the management.path_prefix of RabbitMQ, like {MANAGEMENT_EXAMPLE}"
        raise ValueError(msg)
    return url


def _scheme(url: str) -> str:
    return url.partition("://")[0]


def _check_redis(url: str) -> None:
    parts = urlsplit(url)
    _check_end_of_host(parts)
    _database(parts, REDIS_EXAMPLE)
    _check_options(parts.scheme, parts.query)


def _check_sentinels(url: str) -> None:
    addresses, _, query = url.partition("?")
    every = [urlsplit(checked_url(one, (SENTINEL,), SENTINEL_EXAMPLE)) for one in addresses.split(";")]
    for one in every:
        _check_end_of_host(one)
    _check_end_of_host(urlsplit(f"?{query}"))
    if len({_database(one, SENTINEL_EXAMPLE) for one in every}) > 1:
        msg = f"must name the same database in every address, or 0 in none, like {SENTINEL_EXAMPLE}"
        raise ValueError(msg)
    if not _check_options(SENTINEL, query, MASTER).get(MASTER, [""])[0]:
        msg = f"must end with the master's name, like {SENTINEL_EXAMPLE}"
        raise ValueError(msg)


def _check_rabbitmq(url: str) -> None:
    if ";" in url:
        msg = "names several brokers; name one of them (in a password write ; as %3B)"
        raise ValueError(msg)
    parts = urlsplit(checked_url(url, RABBITMQ, RABBITMQ_EXAMPLE))
    _check_end_of_host(parts)
    _check_options(parts.scheme, parts.query)


def _check_end_of_host(parts: SplitResult) -> None:
    """Refuse a password that ended the host: the rest of it would be taken for an option, and told."""
    if "@" in parts.path + parts.query + parts.fragment:
        msg = "has an @ after its host; in a password write / as %2F, ? as %3F and # as %23"
        raise ValueError(msg)


def _database(parts: SplitResult, example: str) -> int:
    if not re.fullmatch(r"/?\d*", parts.path):
        msg = f"must end with the number of a database, like {example}"
        raise ValueError(msg)
    return int(parts.path.strip("/") or 0)


def _check_options(scheme: str, query: str, *more: str) -> dict[str, list[str]]:
    options = parse_qs(query, keep_blank_values=True)
    known = (TLS_OPTIONS if scheme in WITH_TLS else frozenset()) | set(more)
    if unknown := set(options) - known:
        first = min(unknown)
        if first in TLS_OPTIONS:
            msg = f"has the option {first}, which is for {' and '.join(f'{one}://' for one in WITH_TLS)} only"
        else:
            there = f"; there are: {', '.join(sorted(known))}" if known else ""
            msg = f"has the option {first}, which is not known here{there}"
        raise ValueError(msg)
    _check_choice(options, "ssl_cert_reqs", ("none", "optional", "required"))
    _check_choice(options, "ssl_check_hostname", ("true", "false"))
    return options


def _check_choice(options: dict[str, list[str]], name: str, choices: tuple[str, ...]) -> None:
    if options.get(name, [choices[0]])[0].removeprefix("CERT_").lower() not in choices:
        msg = f"has an {name} that is not {', '.join(choices[:-1])} or {choices[-1]}"
        raise ValueError(msg)
