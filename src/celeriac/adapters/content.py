"""A message's content as JSON, whatever serializer its sender uses (`event_serializer` in Celery's settings).

Kombu's own serializers decode what is no JSON. JSON passes as it is: who folds the events decodes it, once.
"""

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
        if kind == YAML:
            _forbid_aliases(body)
        return serialization.loads(body, kind, encoding, accept=self._accepted)


def _unpacked(body: bytes, compression: str) -> bytes:
    unpacker = _unpacker(compression)
    plain: bytes = unpacker.decompress(body, MOST_BYTES)
    if not unpacker.eof:
        msg = "the message is cut short or too large"
        raise ValueError(msg)
    return plain


def _unpacker(compression: str) -> Any:
    match compression:
        case "application/x-gzip":
            return zlib.decompressobj()
        case "application/x-bz2":
            import bz2  # some builds of Python lack it

            return bz2.BZ2Decompressor()
        case "application/x-lzma":
            import lzma

            return lzma.LZMADecompressor()
    msg = f"{compression} is not known here"
    raise ValueError(msg)


def _forbid_aliases(body: bytes) -> None:
    """Refuse YAML that refers to parts of itself: a few hundred bytes of it can stand for gigabytes."""
    import yaml  # type: ignore[import-untyped]

    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(body, Loader=yaml.SafeLoader)):
            msg = "refers to parts of itself"
            raise ValueError(msg)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
