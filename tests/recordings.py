"""Recordings of real workers' event streams (`fixtures/recordings/README.md`), message by message as they came."""

from functools import cache
from pathlib import Path

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

FOLDER = Path(__file__).parent / "fixtures" / "recordings"
NAMES = sorted(path.stem for path in FOLDER.glob("*.jsonl"))


class Line(Struct):
    """One line of a recording; what it holds depends on its `kind`."""

    t: float
    kind: str
    body: Raw | UnsetType = UNSET
    began: float = 0.0
    what: str = ""
    worker: str = ""
    id: str = ""
    status: str = ""
    rc: int | None = None


class Recording:
    """A recording read; messages are pairs of receive time (seconds since the epoch) and body."""

    def __init__(self, name: str) -> None:
        decode = msgspec.json.Decoder(Line).decode
        lines = [decode(line) for line in (FOLDER / f"{name}.jsonl").read_bytes().splitlines()]
        began = lines[0].began
        self.messages = [(began + line.t, bytes(line.body)) for line in lines if line.body]
        self.bodies = [body for _, body in self.messages]
        self.marks = [(began + line.t, line) for line in lines if line.kind == "mark"]
        self.exits = {line.worker: line.rc for line in lines if line.kind == "exit"}

    def until(self, at: float) -> list[bytes]:
        """Return the bodies that had come by then."""
        return [body for came, body in self.messages if came <= at]


@cache
def recording(name: str) -> Recording:
    """Read a recording, once."""
    return Recording(name)
