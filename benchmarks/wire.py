"""How Kombu 5.7 puts an event message on the wire, as the bytes that a publisher writes to its socket."""

import struct
from binascii import b2a_base64
from random import Random
from typing import Protocol

from benchmarks.lives import make_uuid

EXCHANGE = "celeryev"


class Wire(Protocol):
    """One broker's way to publish."""

    def encode(self, routing_key: str, node: str, body: str) -> bytes:
        """Return the bytes that publish this body, sent by this node."""


class RedisWire:
    """`PUBLISH /<db>.celeryev/<routing key>` of Kombu's envelope, whose body is base64."""

    def __init__(self, db: int = 0, seed: int = 0) -> None:
        self._prefix = f"/{db}.{EXCHANGE}/"
        self._chance = Random(seed)  # noqa: S311 (no secret is drawn)

    def encode(self, routing_key: str, node: str, body: str) -> bytes:
        envelope = (
            f'{{"body": "{b2a_base64(body.encode(), newline=False).decode()}", "content-encoding": "utf-8", '
            f'"content-type": "application/json", "headers": {{"hostname": "{node}"}}, "properties": '
            f'{{"delivery_mode": 1, "delivery_info": {{"exchange": "{EXCHANGE}", "routing_key": "{routing_key}"}}, '
            f'"priority": 0, "body_encoding": "base64", "delivery_tag": "{make_uuid(self._chance)}"}}}}'
        ).encode()
        channel = (self._prefix + routing_key).encode()
        return b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(channel), channel, len(envelope), envelope)


class AmqpWire:
    """AMQP 0-9-1 `basic.publish` on channel 1: method, header and one body frame."""

    PROPERTIES = 0b1111_1000_0000_0000  # content type, content encoding, headers, delivery mode, priority
    FRAME_END = b"\xce"

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[bytes, bytes]] = {}

    def encode(self, routing_key: str, node: str, body: str) -> bytes:
        data = body.encode()
        before, properties = self._known.get((routing_key, node)) or self._prepare(routing_key, node)
        size = struct.pack(">Q", len(data)) + properties
        return b"%b%b\x03\x00\x01%b%b\xce" % (before, size, struct.pack(">I", len(data)), data)

    def _prepare(self, routing_key: str, node: str) -> tuple[bytes, bytes]:
        publish = struct.pack(">HHH", 60, 40, 0) + _short(EXCHANGE) + _short(routing_key) + b"\0"
        headers = _short("hostname") + b"S" + struct.pack(">I", len(node)) + node.encode()
        properties = (
            struct.pack(">H", self.PROPERTIES)
            + _short("application/json")
            + _short("utf-8")
            + struct.pack(">I", len(headers))
            + headers
            + b"\x01\x00"
        )
        method = b"\x01\x00\x01" + struct.pack(">I", len(publish)) + publish + self.FRAME_END
        header = b"\x02\x00\x01" + struct.pack(">I", 12 + len(properties)) + struct.pack(">HH", 60, 0)
        self._known[routing_key, node] = (method + header, properties + self.FRAME_END)
        return self._known[routing_key, node]


def _short(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()
