"""Bodies of messages as JSON, by what their properties say of them."""

import struct
from typing import Any

from amqp.exceptions import AMQPError
from amqp.serialization import decode_properties_basic

from celeriac.adapters.content import JSON, Content

NO_TYPE = "application/data"
"""What Kombu takes a message for that says nothing of itself."""

MOST_KNOWN = 4096
MOST_BYTES = 1024
UNREADABLE = (AMQPError, struct.error, IndexError, TypeError, ValueError, ArithmeticError, OSError, RecursionError)


class Bodies:
    """Reads bodies; `plain` holds the properties, as bytes, of those that are JSON already.

    A worker sends all its events with the same properties, so they are read once. Who gives each message its own gets
    them read each time, and no more of them is kept than some thousands.
    """

    def __init__(self, content: Content) -> None:
        self._content = content
        self.plain: set[bytes] = set()

    def as_json(self, properties: bytes, body: bytes) -> bytes:
        """Return the body as JSON; b"" stands for one that cannot be read."""
        try:
            told: dict[str, Any] = decode_properties_basic(properties, 0)[0]
            kind = told.get("content_type") or NO_TYPE
            compression = (told.get("application_headers") or {}).get("compression")
        except UNREADABLE:
            return b""
        if kind == JSON and not compression:
            self._remember(properties)
            return body
        return self._content.as_json(body, kind, told.get("content_encoding"), compression)

    def _remember(self, properties: bytes) -> None:
        if len(self.plain) >= MOST_KNOWN:
            self.plain.clear()
        if len(properties) <= MOST_BYTES:
            self.plain.add(properties)
