"""What the typed client reads of apps, and how it follows a log."""

import threading
from collections.abc import Iterator

import pytest

import harness
from celeriac.client import Celeriac, ClientError, LogLine, Remark
from celeriac.core.errors import RefusedError, UnreachableError
from web import samples
from web.told import SECRET, line


@pytest.fixture
def client(console) -> Iterator[Celeriac]:
    with Celeriac(console.url) as connected:
        yield connected


class Follower(threading.Thread):
    """Follows a log and keeps what comes."""

    def __init__(self, client, **which):
        super().__init__(daemon=True)
        self.client, self.which = client, which
        self.found, self.error = [], None
        self.start()

    def run(self):
        try:
            for one in self.client.follow_logs("orders-worker", **self.which):
                self.found.append(one)
        except ClientError as error:
            self.error = error


def test_it_reads_all_that_there_is_of_an_app(client):
    app = client.app("orders-worker", "orders")
    assert app == client.apps()[0]
    assert (app.processes[0].wanted, app.instances[2].verdict) == (6, "hung")
    assert app.instances[2].since.utcoffset().total_seconds() == 0

    assert [one.level for one in client.logs("orders-worker", instance=2, limit=1)] == ["CRITICAL"]
    assert [one.kind for one in client.app_events(app.id)] == ["audit.app.process.crash", "audit.app.update"]
    env = client.environment(app.id)
    assert {one.name for one in env.items if one.value is None} == {"BROKER_URL", "PAYMENT_API_KEY", "RESULT_URL"}
    assert SECRET not in str((env, client.logs(app.id)))


def test_refusals_carry_the_platforms_reason(client, world):
    world.platform.fails = RefusedError("the role space_auditor may not do that")

    for ask in (client.logs, client.app_events, client.environment, lambda id: next(client.follow_logs(id))):
        with pytest.raises(ClientError, match="The platform cloudfoundry: the role space_auditor") as told:
            ask("orders-worker")
        assert told.value.status == 403


def test_a_log_is_followed_with_what_is_to_be_told_between(client, world):
    follower = Follower(client, since=samples.NOW, instance=1)
    harness.wait_until(lambda: world.platform.followers == 1, 5, "it follows")

    world.platform.write(line(samples.NOW + 1, "of another", 0), line(samples.NOW + 2, "the first", 1))
    harness.wait_until(lambda: follower.found, 5, "a line")
    world.platform.fail(UnreachableError("no answer (503)"))
    harness.wait_until(lambda: len(follower.found) == 2, 5, "the trouble")
    world.platform.fail(RefusedError("your role was taken"))

    follower.join(10)
    first, trouble, end = follower.found
    assert isinstance(first, LogLine)
    assert (first.text, first.index) == ("the first", 1)
    assert trouble == Remark("The platform cloudfoundry: no answer (503)")
    assert end == Remark("The platform cloudfoundry: your role was taken")
    assert follower.error is None
