"""Another process at the same store: it says `ready`, starts when the file `gate` is unlocked, and prints its outcome."""

import fcntl
import os
import resource
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from celeriac.adapters.sql import SqlStore
from celeriac.adapters.sql.recorder import SqlRecorder
from celeriac.core.errors import PortError
from celeriac.core.memory import Board, Changes
from celeriac.core.redact import Redaction
from celeriac.core.snapshot import Stream
from celeriac.core.tasks import Task
from celeriac.ports import Batch, Journal


def recorder(store: SqlStore) -> SqlRecorder:
    return SqlRecorder(store._histories["a"], Redaction())


def lease(store: SqlStore, _: Path) -> object:
    return store.journal().hold_lease(str(os.getpid()), 1000.0, 10.0)


def migrate(_: SqlStore, directory: Path) -> object:
    """Make several stores in turn, each of them at the same time as the others do."""
    done = []
    for number in range(10):
        with SqlStore(directory / str(number), ("a",)).opened() as one:
            one.migrate()
            done.append(one.current())
    return all(done)


def write(store: SqlStore, _: Path) -> object:
    recorder(store).record(Batch(Stream(1.0), [Task("t", first_at=1.0)]))
    store.journal().commit(Changes(board=Board("a", 1.0, "well", "observe")))
    return True


def overfill(store: SqlStore, _: Path) -> object:
    """Write more than the process may: the file system is full, as far as it can tell."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
    recorder(store).record(Batch(Stream(1.0), [Task("t", args="x" * 1_000_000, first_at=1.0)]))
    return True


def first_reads(store: SqlStore, _: Path) -> object:
    """Read with eight threads what no thread of this process has read before."""
    sys.setswitchinterval(1e-6)
    readers = [store.journal() for _ in range(8)]
    start = threading.Barrier(8)

    def read(journal: Journal) -> bool:
        start.wait()
        return journal.board("a") is not None

    with ThreadPoolExecutor(8) as pool:
        return all(pool.map(read, readers))


def main(what: str, directory: Path) -> None:
    deeds = {"lease": lease, "migrate": migrate, "write": write, "overfill": overfill, "first_reads": first_reads}
    with SqlStore(directory, ("a",)).opened() as store:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        with directory.with_suffix(".gate").open() as gate:
            fcntl.flock(gate, fcntl.LOCK_SH)
        try:
            outcome = deeds[what](store, directory)
        except PortError as error:
            outcome = f"{type(error).__name__} {error}"
        sys.stdout.write(f"{outcome}\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
