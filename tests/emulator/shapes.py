"""Holding an answer to a published example: required keys and types."""

import json
from pathlib import Path

FIXTURES = Path(__file__).parent / "fixtures"
# The platform gives null where it has none; the examples show a value.
NULLABLE = {
    "cloud_controller_v2", "network_policy_v0", "network_policy_v1", "routing", "logging", "log_stream", "app_ssh",
    "revision", "external_tls_proxy_port", "internal_tls_proxy_port", "details", "general_limit",
    "reset_interval_in_minutes",
}  # fmt: skip


def published(name):
    return json.loads((FIXTURES / f"{name}.json").read_text())


def assert_shape(expected, actual, at=""):
    """Every key of `expected` is in `actual` with a value of its type; lists are held to their first example."""
    key = at.rpartition(".")[2]
    if expected is None or (actual is None and key in NULLABLE):
        return
    if isinstance(expected, bool) or not isinstance(expected, dict | list | int | float):
        assert type(actual) is type(expected), f"{at} is {actual!r}"
    elif isinstance(expected, int | float):
        assert isinstance(actual, int | float), f"{at} is {actual!r}"
        assert not isinstance(actual, bool), f"{at} is {actual!r}"
    elif isinstance(expected, dict):
        assert isinstance(actual, dict), f"{at} is {actual!r}"
        assert not expected.keys() - actual.keys(), f"{at} lacks {sorted(expected.keys() - actual.keys())}"
        for name, value in expected.items():
            assert_shape(value, actual[name], f"{at}.{name}")
    else:
        assert isinstance(actual, list), f"{at} is {actual!r}"
        for number, value in enumerate(actual):
            assert_shape(expected[0] if expected else None, value, f"{at}[{number}]")
