"""AMQP 0-9-1 frames taken apart: bytes in, messages and methods out; no socket, no clock.

A frame is its kind, its channel, the size of its payload, the payload, and an end byte. A message comes as three sorts of
frames on one channel: the method `basic.deliver` with its delivery tag, a header with the size of the body and the
properties, and the body in as many frames as the negotiated size of a frame asks for. Frames of other channels may come
in between.
"""

import struct
from collections.abc import Callable

from msgspec import Struct

METHOD, HEADER, BODY = 1, 2, 3
END = 0xCE
DELIVER = 60 << 16 | 60
"""Class and method in one number."""

MOST_BYTES = 64 << 20
"""A longer body is not kept: it counts as one that cannot be read."""

_FRAME = struct.Struct(">BHI")
_SIGNATURE = struct.Struct(">I")
_CONTENT = struct.Struct(">4xQ")
_TAG = struct.Struct(">Q")

# The same with what the quick way compares: kind and channel as three bytes, and the first fields of the payload.
_FRAME_OF_METHOD = struct.Struct(">3sII").unpack_from
_FRAME_OF_HEADER = struct.Struct(">3sI4xQ").unpack_from
_FRAME_OF_BODY = struct.Struct(">3sI").unpack_from
_BEFORE_TAG = 12
_BEFORE_PROPERTIES = 19


class BrokenFrameError(Exception):
    """These bytes are no AMQP: nothing that follows can be understood."""


class Method(Struct, frozen=True):
    """What the broker tells or asks beside messages; the arguments are those of the class's definition, not read."""

    signature: tuple[int, int]
    arguments: bytes


class _Message(Struct):
    """A message whose body is not complete yet."""

    tag: int
    properties: bytes = b""
    size: int = 0
    received: int = 0
    parts: list[bytes] = []

    @property
    def body(self) -> bytes:
        return b"".join(self.parts) if self.size <= MOST_BYTES else b""


class Frames:
    """Takes apart what one connection receives, however it is cut into reads.

    Messages are those of one channel; each body is handed out as `read(properties, body)` returns it, or as it is when
    `plain` holds its properties. `tag` is the last delivery tag handed out, `methods` what came beside messages and is
    for the caller to take.
    """

    def __init__(self, channel: int, most_bytes: int, plain: set[bytes], read: Callable[[bytes, bytes], bytes]) -> None:
        self._channel, self._most_bytes, self._plain, self._read = channel, most_bytes, plain, read
        self._method, self._header, self._body = (
            bytes([kind, *channel.to_bytes(2)]) for kind in (METHOD, HEADER, BODY)
        )
        self._rest = b""
        self._message: _Message | None = None
        self.tag = 0
        self.methods: list[Method] = []

    def take(self, data: bytes) -> list[bytes]:
        """Return the bodies that are complete with these bytes; raises BrokenFrameError."""
        data = self._rest + data if self._rest else data
        bodies: list[bytes] = []
        at = self._messages(data, 0, bodies)
        try:
            while (end := self._frame(data, at, bodies)) > at:
                at = self._messages(data, end, bodies)
        except (struct.error, IndexError) as error:
            raise BrokenFrameError("a frame is too short for what it should hold") from error
        self._rest = data[at:]
        return bodies

    def _messages(self, data: bytes, at: int, bodies: list[bytes]) -> int:
        """Take whole messages with one body frame each, as long as they follow one another, and return where they end.

        Nearly all that ever comes is taken here, so nothing is called for a message that need not be.
        """
        method, header, body = self._method, self._header, self._body
        plain, read = self._plain, self._read
        last = -1
        try:
            while True:
                kind, size, signature = _FRAME_OF_METHOD(data, at)
                if signature != DELIVER or kind != method:
                    break
                second = at + size + 8
                kind, size, length = _FRAME_OF_HEADER(data, second)
                third = second + size + 8
                if kind != header:
                    break
                kind, size = _FRAME_OF_BODY(data, third)
                end = third + size + 7
                if kind != body or size != length or data[end] != END:
                    break
                properties = data[second + _BEFORE_PROPERTIES : third - 1]
                content = data[third + 7 : end]
                bodies.append(content if properties in plain else read(properties, content))
                last, at = at, end + 1
        except (struct.error, IndexError):
            pass  # the rest is not here yet
        if last >= 0:
            (self.tag,) = _TAG.unpack_from(data, last + _BEFORE_TAG + data[last + _BEFORE_TAG - 1])
        return at

    def _frame(self, data: bytes, at: int, bodies: list[bytes]) -> int:
        """Take one whole frame of any kind, and return where it ends; `at` if it is not whole."""
        if len(data) - at < _FRAME.size:
            return at
        kind, channel, size = _FRAME.unpack_from(data, at)
        start = at + _FRAME.size
        end: int = start + size
        if size > self._most_bytes:
            raise BrokenFrameError(f"a frame of {size} bytes, but at most {self._most_bytes} were agreed on")
        if end >= len(data):
            return at
        if data[end] != END:
            raise BrokenFrameError("a frame does not end where it should")
        payload = data[start:end]
        if kind == METHOD:
            self._begin(channel, payload)
        elif channel == self._channel and self._message is not None:
            self._continue(kind, payload, self._message, bodies)
        return end + 1

    def _begin(self, channel: int, payload: bytes) -> None:
        (signature,) = _SIGNATURE.unpack_from(payload)
        if channel == self._channel and signature == DELIVER:
            (tag,) = _TAG.unpack_from(payload, 5 + payload[4])
            self._message = _Message(tag)
        else:
            self.methods.append(Method((signature >> 16, signature & 0xFFFF), payload[4:]))

    def _continue(self, kind: int, payload: bytes, message: _Message, bodies: list[bytes]) -> None:
        if kind == HEADER:
            (message.size,) = _CONTENT.unpack_from(payload)
            message.properties = payload[_CONTENT.size :]
        elif kind == BODY:
            message.received += len(payload)
            if message.size <= MOST_BYTES:
                message.parts.append(payload)
        if message.received >= message.size:
            self._message = None
            self.tag = message.tag
            bodies.append(self._read(message.properties, message.body))
