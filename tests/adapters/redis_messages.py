"""Messages as Kombu publishes them on Redis, as Redis pushes them, and such as are no event."""

import base64
import json

from adapters.broker_talk import echo

CHANNEL = "/0.celeryev/task.multi"


def pushed(payload, channel=b"/0.celeryev/x"):
    """Return a message as Redis sends it to a subscriber."""
    return b"*4\r\n$8\r\npmessage\r\n$13\r\n/0.celeryev/*\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (
        len(channel), channel, len(payload), payload,
    )  # fmt: skip


def envelope(**changes):
    """Return an echo as Kombu publishes it, but for these parts; `...` leaves one out."""
    parts = {
        "body": base64.b64encode(json.dumps(echo(5)).encode()).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {},
        "properties": {
            "body_encoding": "base64",
            "delivery_tag": "t",
            "delivery_info": {"exchange": "celeryev", "routing_key": "x"},
        },
    }
    return json.dumps({key: value for key, value in (parts | changes).items() if value is not ...})


NO_EVENT = {
    "a list": "[]",
    "null": "null",
    "a number": "5",
    "another table": '{"a":1}',
    "no JSON": "{cut sh",
    "no text": b"\xff\xfe",
    "a null body": envelope(body=None),
    "a number for a body": envelope(body=5),
    "no properties": envelope(properties=None),
    "no base64": envelope(body="x"),
}
