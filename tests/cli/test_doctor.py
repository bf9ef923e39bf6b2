"""`celeriac doctor` by this process alone: on real brokers, with a store and without one, while nothing runs."""

import contextlib
import json

import pytest
import redis
from click.testing import CliRunner

import harness
from adapters.rabbitmq_worker import worker_running
from celeriac.adapters.amqp_client import connect
from celeriac.cli import main


@pytest.fixture
def doctor(tmp_path):
    """Write settings with these tables, and return a way to have the doctor look."""

    def written(*tables):
        config = tmp_path / "celeriac.toml"
        config.write_text("\n".join([f'store = "{tmp_path / "store"}"', *tables]))

        def look(*more):
            told = CliRunner().invoke(main, ["doctor", "--config", str(config), "--json", *more])
            assert told.exit_code in {0, 1}, told.output
            found = json.loads(told.stdout)
            assert (told.exit_code == 1) == (found["counts"]["fail"] > 0)
            return {one["id"]: one for one in found["items"]}

        return look

    return written


def orders(broker, *more):
    return "\n".join(["[[cluster]]", 'name = "orders"', f'broker = "{broker}"', *more])


def test_before_the_first_start_on_redis(redis_server, doctor, tmp_path) -> None:
    """Nothing fails, nothing is made, and what needs an observer says so."""
    found = doctor(orders(redis_server.url, f'result_backend = "{redis_server.url}"'))()

    assert [one["id"] for one in found.values() if one["state"] == "fail"] == []
    for check in ("broker", "broker-events", "broker-control", "broker-clients", "results"):
        assert found[f"cluster/orders/{check}"]["state"] == "ok"
    assert "there is no store yet" in found["cluster/orders/observer"]["text"]
    assert "needs one" in found["cluster/orders/events"]["text"]
    assert found["store/schema"]["state"] == "warn"
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith("store")] == []
    assert redis.Redis(port=redis_server.port).keys("unacked*") == []


def test_a_user_of_redis_that_lacks_a_right(redis_server, doctor) -> None:
    with redis.Redis(port=redis_server.port) as admin:
        rights = {"commands": ["+@all", "-client|list"], "keys": ["*"], "channels": ["*"]}
        admin.acl_setuser("celeriac", enabled=True, passwords=["+x"], **rights)
    line = doctor(orders(f"redis://celeriac:x@127.0.0.1:{redis_server.port}/0"))()["cluster/orders/broker-clients"]

    assert (line["state"], line["text"]) == ("fail", "our account lacks CLIENT LIST")
    assert line["fix"] == "ACL SETUSER celeriac +client|list"


def test_a_wrong_password_is_one_failure_with_its_setting_and_no_secret(redis_server, doctor) -> None:
    found = doctor(orders(f"redis://celeriac:hunter2@127.0.0.1:{redis_server.port}/0"))()

    assert found["cluster/orders/broker"]["state"] == "fail"
    assert "[[cluster]] orders" in found["cluster/orders/broker"]["fix"]
    assert "hunter2" not in json.dumps(found)


def test_a_user_of_rabbitmq_without_configure(rabbitmq_server, rabbitmq_vhost, doctor) -> None:
    vhost = rabbitmq_vhost.rpartition("/")[2]
    user = f"reader-{vhost}"
    rabbitmq_server.evaluate(
        f'rabbit_auth_backend_internal:add_user(<<"{user}">>, <<"x">>, <<"test">>), '
        f'rabbit_auth_backend_internal:set_permissions(<<"{user}">>, <<"{vhost}">>, '
        '<<"">>, <<".*">>, <<".*">>, <<"test">>).'
    )
    with contextlib.closing(connect(rabbitmq_vhost, timeout=5, name="test")) as connection:
        connection.channel().exchange_declare("celeryev", "topic", durable=True, auto_delete=False)
    line = doctor(orders(rabbitmq_vhost.replace("guest:guest", f"{user}:x")))()["cluster/orders/broker-events"]

    assert line["state"] == "fail"
    assert line["text"] == "our account lacks configure on celeriac.events.orders.*, configure on celeryev"
    assert line["fix"].startswith(f"rabbitmqctl set_permissions -p '{vhost}' '{user}' ")


def test_a_real_worker_on_rabbitmq_is_found_without_an_observer(
    rabbitmq_server, rabbitmq_vhost, doctor, tmp_path
) -> None:
    look = doctor(orders(rabbitmq_vhost, f'management = "{rabbitmq_server.management_url()}"'))
    with worker_running(tmp_path, rabbitmq_vhost, "here"):
        found = harness.wait_until(
            lambda: (it := look())["cluster/orders/broker-heartbeat"]["state"] == "ok" and it,
            40,
            "the management API lists the worker",
        )

    assert found["cluster/orders/pools"]["text"] == "the pool of 1 worker is known: prefork"
    assert found["cluster/orders/management"]["state"] == "ok"
    assert "heartbeats come from worker@here" in found["cluster/orders/workers"]["text"]


def test_a_store_that_is_there_and_one_cluster_of_two(redis_server, doctor, tmp_path) -> None:
    look = doctor(orders(redis_server.url), orders("redis://127.0.0.1:1/0").replace("orders", "billing"))
    migrated = CliRunner().invoke(main, ["migrate", "--config", str(tmp_path / "celeriac.toml")])
    assert migrated.exit_code == 0, migrated.output
    found = look("--cluster", "orders")

    assert found["store/schema"]["state"] == found["store/writable"]["state"] == "ok"
    assert found["cluster/orders/observer"]["text"] == "no observer has stored anything yet"
    assert found["cluster/orders/mode"]["text"].startswith("mode approve")
    assert not any("billing" in id for id in found)

    (tmp_path / "store" / "PAUSE").write_text("a deploy")
    assert look("--cluster", "orders")["cluster/orders/mode"]["text"] == "paused: a deploy"
