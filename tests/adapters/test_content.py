"""Contents of every type that Kombu knows become JSON, and what is hostile costs itself only."""

import bz2
import json
import pickle
import zlib
from itertools import pairwise

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from kombu import compression, serialization

from celeriac.adapters import content
from celeriac.adapters.content import Content

EVENT = {
    "type": "task-sent",
    "hostname": "gen1@h",
    "timestamp": 1_795_000_000.5,
    "uuid": "u",
    "retries": 0,
    "eta": None,
}
YAML, PICKLE = "application/x-yaml", "application/x-python-serialize"
BOMB = "a: &a [x, x]\n" + "".join(
    f"{after}: &{after} [*{before}, *{before}]\n" for before, after in pairwise("abcdefghi")
)


def readable(body, kind, *more, allow_pickle=False):
    return json.loads(Content(allow_pickle=allow_pickle).as_json(body, kind, *more))


@pytest.mark.parametrize("events", [EVENT, [EVENT, EVENT | {"uuid": "v"}]], ids=["one", "a list"])
@pytest.mark.parametrize("serializer", ["json", "yaml", "pickle"])
def test_what_a_sender_serializes_becomes_json(serializer, events):
    """A dispatcher with another `event_serializer` is understood, one event or many."""
    kind, encoding, body = serialization.dumps(events, serializer=serializer)
    body = body.encode() if isinstance(body, str) else body

    assert readable(body, kind, encoding, allow_pickle=True) == events


def test_json_passes_as_it_is():
    """Who folds the events decodes it, and counts what is malformed; here nothing is looked at."""
    assert Content().as_json(b"{ not JSON", "application/json", "utf-8") == b"{ not JSON"


def test_pickle_is_refused_and_counted_unless_it_is_allowed():
    """Reading it runs what the sender says."""
    body, strict, lax = pickle.dumps(EVENT), Content(), Content(allow_pickle=True)

    assert (strict.as_json(body, PICKLE, "binary"), strict.refused) == (b"", 1)
    assert (json.loads(lax.as_json(body, PICKLE, "binary")), lax.refused) == (EVENT, 0)


@pytest.mark.parametrize("kind", ["text/plain", "application/data", "application/x-unheard-of", ""])
def test_a_type_that_is_not_accepted_is_counted(kind):
    reader = Content()

    assert (reader.as_json(b"{}", kind, "utf-8"), reader.refused) == (b"", 1)


def test_msgpack_is_accepted_and_unreadable_where_it_is_not_installed():
    """That the library is missing is no refusal of ours."""
    reader = Content()

    assert reader.as_json(b"\xc1", "application/x-msgpack", "binary") == b""
    assert reader.refused == 0


@pytest.mark.parametrize("method", ["gzip", "bzip2"])
def test_a_compressed_message_is_unpacked(method):
    body, kind = compression.compress(json.dumps(EVENT), method)

    assert readable(body, "application/json", "utf-8", kind) == EVENT


@pytest.mark.parametrize(
    ("pack", "kind"),
    [(zlib.compress, "application/x-gzip"), (bz2.compress, "application/x-bz2")],
)
def test_what_unpacks_to_too_much_or_is_cut_short_is_unreadable(pack, kind, monkeypatch):
    """A few hundred bytes can stand for gigabytes: no more is unpacked than the bound."""
    monkeypatch.setattr(content, "MOST_BYTES", 1000)
    reader = Content()

    assert reader.as_json(pack(b"[" + b" " * 998 + b"]"), "application/json", None, kind) != b""
    for body in (pack(b" " * 1_000_000), pack(b"{}")[:-4], b"{}"):
        assert reader.as_json(body, "application/json", None, kind) == b""


@pytest.mark.parametrize(
    "body",
    [BOMB, "a: &a [*a]", "{", "a: 1\n  b: 2", "? {}\n: 1", "!!python/object:os.system x", "[" * 100_000, "- " * 10_000],
    ids=range(8),
)
def test_yaml_that_is_none_or_refers_to_itself_is_unreadable(body):
    """Aliases are refused before anything is built of them; Celery's senders write none."""
    assert Content().as_json(body.encode(), YAML, "utf-8") == b""


def test_yaml_with_signs_that_only_look_like_aliases_is_read():
    event = EVENT | {"args": "(*args, &x)", "kwargs": "{'a': '*b'}"}

    assert readable(yaml.safe_dump(event).encode(), YAML, "utf-8") == event


def test_pickled_things_that_json_has_no_form_for_are_unreadable():
    assert Content(allow_pickle=True).as_json(pickle.dumps({"a": object}), PICKLE, "binary") == b""


@given(
    st.binary(max_size=200), st.sampled_from(["application/x-gzip", "application/x-bz2", "application/x-lzma", "zip"])
)
def test_nothing_packed_raises(body, kind):
    Content().as_json(body, "application/json", None, kind)


@given(
    st.one_of(st.binary(max_size=100), st.text(max_size=100).map(str.encode)),
    st.sampled_from([None, "", "utf-16", "no"]),
)
def test_nothing_in_yaml_raises(body, encoding):
    Content().as_json(body, YAML, encoding)
