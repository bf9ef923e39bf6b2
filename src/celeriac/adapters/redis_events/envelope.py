"""Kombu's envelope around a message on Redis, read and written (fields read in kombu 5.7: `kombu.transport.virtual`)."""

import base64
import binascii
import uuid
from typing import Literal

import msgspec
from msgspec import Struct

from celeriac.adapters.content import JSON, Content

EXCHANGE = "celeryev"
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class _PlainProperties(Struct, gc=False):
    body_encoding: Literal["base64"]


class _PlainHeaders(Struct, gc=False):
    compression: None = None


class _Plain(Struct, gc=False, rename="kebab"):
    """What Celery sends unless told otherwise; msgspec takes the base64 off by itself."""

    body: bytes
    content_type: Literal["application/json"]
    content_encoding: Literal["utf-8"]
    properties: _PlainProperties
    headers: _PlainHeaders


class _Properties(Struct):
    body_encoding: str | None = None


class _Headers(Struct):
    compression: str | None = None


class _Any(Struct, rename="kebab"):
    body: str
    content_type: str
    content_encoding: str | None
    properties: _Properties
    headers: _Headers | None = None


# One call for each message: one for a whole array of them is no quicker, since taking off the base64 is most of the work.
_plain = msgspec.json.Decoder(_Plain).decode
_any = msgspec.json.Decoder(_Any).decode


def opened(payloads: list[bytes], content: Content) -> list[bytes]:
    """Return the body (JSON) of each envelope; b"" stands for one that cannot be read."""
    bodies = []
    for payload in payloads:
        try:
            bodies.append(_plain(payload).body)
        except UNREADABLE:
            bodies.append(_opened_with_care(payload, content))
    return bodies


def _opened_with_care(payload: bytes, content: Content) -> bytes:
    try:
        envelope = _any(payload)
        body = _decoded(envelope.body, envelope.properties.body_encoding)
    except (*UNREADABLE, binascii.Error):
        return b""
    compression = envelope.headers.compression if envelope.headers else None
    return content.as_json(body, envelope.content_type, envelope.content_encoding, compression)


def _decoded(body: str, encoding: str | None) -> bytes:
    return base64.b64decode(body, validate=True) if encoding == "base64" else body.encode()


def sealed(event: dict[str, object], routing_key: str) -> bytes:
    """Return the event as Celery's own dispatcher would publish it."""
    envelope = {
        "body": msgspec.json.encode(event),  # bytes become base64
        "content-encoding": "utf-8",
        "content-type": JSON,
        "headers": {"hostname": event.get("hostname")},
        "properties": {
            "delivery_mode": 1,
            "delivery_info": {"exchange": EXCHANGE, "routing_key": routing_key},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
        },
    }
    return msgspec.json.encode(envelope)
