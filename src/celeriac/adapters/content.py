"""A message's content as JSON, whatever serializer its sender uses (`event_serializer` in Celery's settings).

Kombu's own serializers decode what is no JSON, but for YAML, which could refer to itself. JSON passes as it is: who folds the events decodes it, once.
"""

import functools
import zlib
from typing import Any

import msgspec
from kombu import serialization
from kombu.exceptions import KombuError

JSON = "application/json"
YAML = "application/x-yaml"

MOST_BYTES = 64 << 20
"""A compressed message that unpacks to more is not read."""

UNREADABLE = (KombuError, msgspec.MsgspecError, zlib.error, TypeError, ValueError, OSError, ImportError, RecursionError)


class Content:
    """Turns contents into JSON; `refused` counts those of a type that is not accepted.

    JSON, YAML and msgpack are accepted where their libraries are installed; pickle only with `allow_pickle`, because
    reading it runs what the sender says.
    """

    def __init__(self, *, allow_pickle: bool = False) -> None:
        names = ["json", "yaml", "msgpack", *(["pickle"] if allow_pickle else [])]
        self._accepted: set[str] = serialization.prepare_accept_content(names)
        self.refused = 0

    def as_json(self, body: bytes, kind: str, encoding: str | None = None, compression: str | None = None) -> bytes:
        """Return a body of this content type and encoding as JSON; b"" stands for one that cannot be read.

        `compression` is the content type that Kombu writes into the header of that name.
        """
        if kind not in self._accepted:
            self.refused += 1
            return b""
        try:
            plain = _unpacked(body, compression) if compression else body
            return plain if kind == JSON else msgspec.json.encode(self._loaded(plain, kind, encoding))
        except UNREADABLE:
            return b""

    def _loaded(self, body: bytes, kind: str, encoding: str | None) -> Any:
        return _loaded_yaml(body) if kind == YAML else serialization.loads(body, kind, encoding, accept=self._accepted)


def _unpacked(body: bytes, compression: str) -> bytes:
    unpacker = _unpacker(compression)
    plain: bytes = unpacker.decompress(body, MOST_BYTES)
    if not unpacker.eof:
        msg = "the message is cut short or too large"
        raise ValueError(msg)
    return plain


def _unpacker(compression: str) -> Any:
    if compression == "application/x-gzip":
        return zlib.decompressobj()
    if compression == "application/x-bz2":
        import bz2  # some builds of Python lack it

        return bz2.BZ2Decompressor()
    msg = f"{compression} is not known here"
    raise ValueError(msg)


def _loaded_yaml(body: bytes) -> Any:
    import yaml

    try:
        return yaml.load(body, Loader=_yaml_loader())  # noqa: S506 (a safe loader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


@functools.cache
def _yaml_loader() -> Any:
    """Return Kombu's safe loader without references: a few hundred bytes that refer to themselves can stand for gigabytes."""
    import yaml

    class WithoutReferences(yaml.SafeLoader):  # type: ignore[misc]
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                msg = "refers to a part of itself"
                raise ValueError(msg)
            return super().compose_node(parent, index)

    return WithoutReferences
