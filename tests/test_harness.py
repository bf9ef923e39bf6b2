"""The ground that other tests stand on."""

import os
import sys

import pytest

import harness
from celeriac.processes import running, spawn


def test_waiting_returns_the_first_true_answer():
    answers = iter([0, "", "ready"])

    assert harness.wait_until(lambda: next(answers), 5, "an answer") == "ready"


def test_waiting_in_vain_says_why_and_shows_the_dump():
    with pytest.raises(AssertionError, match=r"still not: the moon is full\nwaning"):
        harness.wait_until(lambda: False, 0, "the moon is full", dump=lambda: "waning")


def test_a_missing_server_skips_at_home(monkeypatch):
    monkeypatch.setattr(harness, "IN_CI", False)

    with pytest.raises(pytest.skip.Exception):
        harness.need("no-such-server")


def test_a_missing_server_fails_in_ci(monkeypatch):
    monkeypatch.setattr(harness, "IN_CI", True)

    with pytest.raises(pytest.fail.Exception, match="no-such-server"):
        harness.need("no-such-server")


def test_a_redis_server_answers_on_a_port_of_its_own(start_redis):
    first, second = start_redis(), start_redis()

    assert first.port != second.port
    assert first.child.poll() is None
    assert second.child.poll() is None


def test_a_redis_server_ends_with_its_block(tmp_path):
    with harness.redis_running(tmp_path) as server:
        pid = server.child.pid

    assert not harness.alive(pid)


def test_a_rabbitmq_server_ends_with_its_block_and_so_does_its_port_mapper(tmp_path):
    before = harness.descendants(os.getpid())
    with harness.rabbitmq_running(tmp_path / "node") as server:
        assert server.evaluate("rabbit:is_running().") == "true"
        assert {server.fresh_vhost(), server.fresh_vhost()} == {"test-1", "test-2"}

    harness.wait_until(lambda: harness.descendants(os.getpid()).keys() <= before.keys(), 5, "nothing of it is left")


def test_a_living_child_is_found_below_the_session():
    with running(spawn([sys.executable, "-c", "import signal; signal.pause()"])) as child:
        assert child.pid in harness.descendants(os.getpid())
