"""Decoding the bodies of Celery's event messages."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from celeriac.core import events

HEARTBEAT = {"type": "worker-heartbeat", "hostname": "celery@a", "timestamp": 1790000000.5, "pid": 7, "clock": 3}
STARTED = {"type": "task-started", "hostname": "celery@a", "timestamp": 1790000000.7, "pid": 7, "uuid": "t1"}


def decode(*parts: object, single: bool = False):
    return events.decode(json.dumps(parts[0] if single else parts).encode())


def test_a_message_with_one_event():
    """A message body that is an object is one event, with its fields typed."""
    found, malformed = decode({**HEARTBEAT, "freq": 2, "active": 1, "processed": 9}, single=True)

    assert malformed == 0
    assert found == [events.Event("worker-heartbeat", "celery@a", 1790000000.5, 7, 3, freq=2.0, active=1, processed=9)]


def test_a_message_with_several_events():
    """A message with routing key `task.multi` holds a list, whose order is kept."""
    found, malformed = decode(STARTED, HEARTBEAT)

    assert ([one.type for one in found], malformed) == (["task-started", "worker-heartbeat"], 0)


def test_an_empty_list_is_no_event_and_no_fault():
    """An empty list holds nothing."""
    assert events.decode(b"[]") == ([], 0)


def test_blanks_before_the_list_do_not_matter():
    """JSON may begin with blanks."""
    assert events.decode(b"\n " + json.dumps([STARTED]).encode())[0][0].uuid == "t1"


def test_unknown_fields_are_ignored():
    """A plugin's own fields, and those of a later Celery, leave the event readable."""
    found, malformed = decode({**HEARTBEAT, "loadavg": [0.1, 0.2, 0.3], "sw_sys": "Linux", "brand_new": {"a": [1]}})

    assert (len(found), malformed) == (1, 0)


@pytest.mark.parametrize(
    "part",
    [
        {**STARTED, "uuid": None},
        {**STARTED, "uuid": ""},
        {key: value for key, value in STARTED.items() if key != "uuid"},
        {**HEARTBEAT, "timestamp": "yesterday"},
        {**HEARTBEAT, "timestamp": None},
        {**HEARTBEAT, "pid": "seven"},
        {**HEARTBEAT, "hostname": 5},
        {"hostname": "celery@a", "timestamp": 1.0},
        "text",
        17,
        None,
        [HEARTBEAT],
    ],
    ids=str,
)
def test_a_malformed_part_is_counted_and_the_rest_of_its_message_is_kept(part):
    """One part that cannot be read takes no other part with it."""
    found, malformed = decode(HEARTBEAT, part, STARTED)

    assert ([one.type for one in found], malformed) == (["worker-heartbeat", "task-started"], 1)


@pytest.mark.parametrize(
    "impossible",
    [
        {"timestamp": "nan"},
        {"timestamp": "inf"},
        {"timestamp": "-inf"},
        {"timestamp": 1e300},
        {"timestamp": -1},
        {"pid": 10**30},
        {"clock": 2**70},
        {"retries": -(10**20), "type": "task-received", "uuid": "t"},
        {"freq": "nan"},
        {"freq": 1e300},
        {"freq": -2},
        {"runtime": "nan", "type": "task-succeeded", "uuid": "t"},
    ],
    ids=str,
)
def test_numbers_that_cannot_be_stored_are_malformed(impossible):
    """A time that is no time, or a number beyond 64 bits, would stop the store: its event is counted and left out."""
    assert decode({**HEARTBEAT, **impossible}) == ([], 1)


@pytest.mark.parametrize("body", [b"", b"{", b"[", b"[1,", b"nonsense", b"\xff\xfe\x00", b'"text"', b"12", b"null"])
def test_what_is_no_json_or_no_object_is_one_malformed_part(body):
    """A body that is no event at all counts once."""
    assert events.decode(body) == ([], 1)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 50_000 + b"]" * 50_000,
        json.dumps(HEARTBEAT).encode()[:-1] + b',"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    ],
    ids=["open lists", "open objects", "closed lists", "in an unknown field"],
)
def test_deep_nesting_is_malformed(body):
    """A body nested deeper than the decoder goes is counted like any other that cannot be read."""
    found, malformed = events.decode(body)

    assert (found, malformed > 0) == ([], True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
FIELD = st.sampled_from(events.Event.__struct_fields__)
NEARLY = st.dictionaries(FIELD, JSON).map(lambda fields: {**HEARTBEAT, **fields})


@given(st.binary() | st.lists(NEARLY | JSON, max_size=4).map(lambda parts: json.dumps(parts).encode()))
@example(b'[{"type":"task-sent","hostname":"a","timestamp":"nan","uuid":"u"}]')
def test_no_body_makes_decoding_fail(body):
    """Whatever bytes come, each part is an event or is counted; nothing raises, and every time is a number."""
    found, malformed = events.decode(body)

    assert malformed >= 0
    assert all(0 <= one.timestamp < 1e11 for one in found)
    assert all(one.uuid for one in found if one.type.startswith("task-"))
