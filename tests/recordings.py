"""Recordings of real workers (`fixtures/recordings/README.md`): their events as they came, and what was done to them."""

from functools import cache
from pathlib import Path

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

FOLDER = Path(__file__).parent / "fixtures" / "recordings"
NAMES = sorted(path.stem for path in FOLDER.glob("*.jsonl"))


class Line(Struct):
    """One line of a recording; what it holds depends on its `kind`."""

    t: float
    wall: float
    kind: str
    event: Raw | UnsetType = UNSET
    what: str = ""
    id: str = ""
    status: str = ""


class Recording:
    """A recording read; messages are pairs of receive time (seconds since the epoch) and body."""

    def __init__(self, name: str) -> None:
        decode = msgspec.json.Decoder(Line).decode
        lines = [decode(line) for line in (FOLDER / f"{name}.jsonl").read_bytes().splitlines()]
        self.messages = [(line.wall, bytes(line.event)) for line in lines if line.event]
        self.bodies = [body for _, body in self.messages]
        self.marks = [(line.wall, line) for line in lines if line.kind == "mark"]

    def until(self, at: float) -> list[bytes]:
        """Return the bodies that had come by then."""
        return [body for came, body in self.messages if came <= at]


@cache
def recording(name: str) -> Recording:
    """Read a recording, once."""
    return Recording(name)
