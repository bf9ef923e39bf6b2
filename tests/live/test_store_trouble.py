"""The store takes nothing for a while: the observer says so, keeps what it hears to a bound, and stores it afterwards."""

import contextlib
import resource
import shutil
import sqlite3
import time
import uuid
from collections.abc import Iterator

import pytest
import redis
from celery.events.event import get_exchange
from kombu import Connection

import harness
from celeriac.adapters.sql import SqlStore
from celeriac.core.fold import ClusterState
from celeriac.processes import Child, running
from live_observer import Watched, publish

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

MOST = ClusterState().max_tasks
"""How many tasks gather in memory."""

BATCH = 500


@pytest.fixture
def watched(tmp_path, redis_server):
    return Watched(tmp_path, redis_server.url)


@pytest.fixture
def observer(watched):
    with running(watched.start()) as child:
        yield child


@pytest.fixture
def client(redis_server):
    with redis.Redis(port=redis_server.port) as one:
        yield one


@contextlib.contextmanager
def full(watched: Watched, observer: Child) -> Iterator[None]:
    """Let no file of the writer grow beyond what the longest holds.

    To a disk that is really full one must be root, or be allowed a file system of one's own. A limit of the kernel on that
    one process needs neither: each write beyond it fails in the same call of the same code (EFBIG in place of ENOSPC),
    in the middle of a transaction as well as in a checkpoint. `PRAGMA max_page_count` would end no write at all.
    """
    writer = watched.writer(observer)
    room = max(path.stat().st_size for path in watched.history.parent.glob(f"{watched.history.name}*"))
    soft, hard = resource.prlimit(writer, resource.RLIMIT_FSIZE)
    resource.prlimit(writer, resource.RLIMIT_FSIZE, (room, hard))
    yield
    resource.prlimit(writer, resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def locked(watched: Watched, observer: Child) -> Iterator[None]:
    """Let another program hold the write lock."""
    with contextlib.closing(sqlite3.connect(watched.history)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@contextlib.contextmanager
def away(watched: Watched, observer: Child) -> Iterator[None]:
    """Take the directory away, as a volume that is not mounted, and bring it back as it was."""
    directory = watched.history.parent
    elsewhere = directory.rename(directory.with_name("elsewhere"))
    yield
    elsewhere.rename(directory)


TROUBLE = {"full": (full, "disk"), "locked": (locked, "database is locked"), "away": (away, "it is not there")}


def has_heard(watched: Watched, events: int) -> None:
    """Wait until the observer has taken so many events, and is none behind."""
    harness.wait_until(lambda: watched.last()["events_seen"] >= events, 60, f"{events} are heard", dump=watched.end)


@pytest.mark.parametrize("kind", TROUBLE)
def test_while_the_store_takes_nothing_it_is_said_and_then_everything_is_stored(watched, observer, client, kind):
    """By the same two processes, each task once: what came before, meanwhile and after."""
    trouble, why = TROUBLE[kind]
    publish(client, range(500))
    watched.is_stored({"SUCCESS": 500})
    writer = watched.writer(observer)

    with trouble(watched, observer):
        publish(client, range(3000))
        has_heard(watched, 3 * 3500)
        watched.says(why)
        assert str(watched.history) in watched.last()["store_error"]
    publish(client, range(500))
    watched.is_stored({"SUCCESS": 4000})
    watched.says(None)

    assert watched.rows() == 4000
    assert watched.rolled_up() == {"RECEIVED": 4000, "STARTED": 4000, "SUCCESS": 4000}
    assert watched.last()["dropped"] == 0
    assert (observer.poll(), watched.writer(observer)) == (None, writer), "nobody was started again"
    assert watched.log.read_text().count("the store takes everything again") == 1


def arrive(url: str, number: int) -> None:
    """Publish so many tasks of one event each, so that what is dropped is a whole task; as a worker's buffer does."""
    with Connection(url) as connection, connection.Producer() as sender:
        exchange = get_exchange(connection)
        for _ in range(number // BATCH):
            tasks = [received() for _ in range(BATCH)]
            sender.publish(tasks, exchange=exchange, declare=[exchange], routing_key="task.multi")


def received() -> dict:
    return {
        "type": "task-received",
        "hostname": "celery@a",
        "pid": 7,
        "clock": 1,
        "uuid": str(uuid.uuid4()),
        "timestamp": time.time(),
    }


def test_what_finds_no_room_is_counted_and_every_other_task_is_stored(watched, observer):
    """A full disk for so long that memory is full too; when there is room again the next task is stored as ever."""
    with full(watched, observer):
        arrive(watched.broker, MOST + 20_000)
        has_heard(watched, MOST + 20_000)
        harness.wait_until(lambda: watched.last()["dropped"], 20, "it says what is dropped", dump=watched.end)
        arrive(watched.broker, 5000)
        has_heard(watched, MOST + 25_000)
    watched.says(None)
    harness.wait_until(lambda: watched.last()["rows_written"] >= MOST, 40, "memory is free again", dump=watched.end)
    dropped = watched.last()["dropped"]
    arrive(watched.broker, 1000)

    watched.is_stored({"RECEIVED": MOST + 26_000 - dropped})
    assert 5000 <= dropped <= 25_000
    assert {name: watched.last()[name] for name in ("dropped", "cuts")} == {"dropped": dropped, "cuts": 0}


def test_a_store_that_is_deleted_is_not_made_anew_behind_ones_back(watched, observer, client):
    """It may be a volume that is not mounted. Once there is one again, what was heard meanwhile is stored there."""
    publish(client, range(500))
    watched.is_stored({"SUCCESS": 500})
    shutil.rmtree(watched.history.parent)

    publish(client, range(2000))
    has_heard(watched, 3 * 2500)
    watched.says("it is not there")
    assert not watched.history.parent.exists()
    with SqlStore(watched.history.parent, ("default",)).opened() as store:
        store.migrate()  # as `celeriac migrate` does

    watched.is_stored({"SUCCESS": 2000})
    assert watched.rolled_up()["SUCCESS"] == 2000
    assert watched.last()["dropped"] == 0
