"""One flush: what an observer has taken from its state and does not know to be stored; it is handed over in parts."""

from collections.abc import Sequence

from msgspec import Struct

from celeriac.core.model import Incarnation
from celeriac.core.occupancy import Load
from celeriac.core.queues import QueueSample
from celeriac.core.snapshot import Stream
from celeriac.core.tasks import Task
from celeriac.ports import Batch

BATCH_ROWS = 50_000
"""More rows are not handed over at once: also a batch that the recorder is slow with is stored in time."""


class Flush(Struct):
    """`mark` is the stream's mark of the last message that is in it, `stored` how many of its tasks are known to be."""

    mark: int
    tasks: Sequence[Task]
    incarnations: Sequence[Incarnation]
    queues: Sequence[QueueSample]
    loads: Sequence[Load]
    stored: int = 0
    under_way: int = 0

    @property
    def done(self) -> bool:
        return self.stored >= len(self.tasks)

    def part(self, stream: Stream) -> Batch:
        """Return what is to be stored next, under way from now on."""
        tasks = self.tasks[self.stored : self.stored + BATCH_ROWS]
        self.under_way = len(tasks)
        return Batch(stream, tasks, self.incarnations, self.queues, self.loads)

    def store(self) -> None:
        """Note that what was under way is stored."""
        self.stored += self.under_way
        self.under_way = 0
