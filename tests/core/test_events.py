"""Decoding the bodies of Celery's event messages."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from celeriac.core import events

HEARTBEAT = {"type": "worker-heartbeat", "hostname": "celery@a", "timestamp": 1790000000.5, "pid": 7, "clock": 3}
STARTED = {"type": "task-started", "hostname": "celery@a", "timestamp": 1790000000.7, "pid": 7, "uuid": "t1"}


def decode(*parts: object, single: bool = False):
    return events.decode([json.dumps(parts[0] if single else parts).encode()])


def test_a_message_with_one_event():
    """A message body that is an object is one event, with its fields typed."""
    found, malformed = decode({**HEARTBEAT, "freq": 2, "active": 1, "processed": 9}, single=True)

    assert malformed == 0
    assert found == [
        events.Event(
            type="worker-heartbeat",
            hostname="celery@a",
            timestamp=1790000000.5,
            pid=7,
            clock=3,
            freq=2.0,
            active=1,
            processed=9,
        )
    ]


def test_a_message_with_several_events():
    """A message with routing key `task.multi` holds a list, whose order is kept."""
    found, malformed = decode(STARTED, HEARTBEAT)

    assert ([one.type for one in found], malformed) == (["task-started", "worker-heartbeat"], 0)


def test_an_empty_list_is_no_event_and_no_fault():
    """An empty list holds nothing; older Celery sends one after each full buffer."""
    assert events.decode([b"[]"]) == ([], 0)
    assert events.decode([b"[]", json.dumps([STARTED]).encode(), b"[]"])[1] == 0


def test_blanks_before_the_list_do_not_matter():
    """JSON may begin with blanks."""
    assert events.decode([b"\n " + json.dumps([STARTED]).encode()])[0][0].uuid == "t1"


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
        {"timestamp": 0},
        {"timestamp": 2**32},
        {"processed": 2**60},
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
    """A time that is no time, or a count that is none, would stop the store: its event is counted and left out."""
    assert decode({**HEARTBEAT, **impossible}) == ([], 1)


@pytest.mark.parametrize("body", [b"", b"{", b"[", b"[1,", b"nonsense", b"\xff\xfe\x00", b'"text"', b"12", b"null"])
def test_what_is_no_json_or_no_object_is_one_malformed_part(body):
    """A body that is no event at all counts once, alone and among others."""
    good = json.dumps([STARTED, HEARTBEAT]).encode()

    assert events.decode([body]) == ([], 1)
    assert [one.type for one in events.decode([good, body, good])[0]] == ["task-started", "worker-heartbeat"] * 2
    assert events.decode([good, body, body, good])[1] == 2


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
    found, malformed = events.decode([body])

    assert (found, malformed > 0) == ([], True)


def test_messages_are_read_as_one_and_in_order():
    """Single events and lists, as they came."""
    bodies = [json.dumps(one).encode() for one in (HEARTBEAT, [STARTED, HEARTBEAT], STARTED)]
    found, malformed = events.decode(bodies)

    assert [one.type for one in found] == ["worker-heartbeat", "task-started", "worker-heartbeat", "task-started"]
    assert malformed == 0


def test_no_messages_hold_no_events():
    assert events.decode([]) == ([], 0)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("caf\udce9", "caf\ufffd"),
        ("\ud800", "\ufffd"),
        ("\udc00\ud800 \ud83d\ude00", "\ufffd\ufffd \U0001f600"),
        ("back\\ud800slash \ud800", "back\\ud800slash \ufffd"),
        ("a\0b", "a\0b"),
    ],
    ids=ascii,
)
def test_half_a_character_takes_no_event_with_it(sent, read):
    """A file name that is no UTF-8 stands in many a traceback; the failure it tells of must not be missed."""
    failed = {**STARTED, "type": "task-failed", "exception": "E()", "traceback": sent}

    for bodies in ([failed], [[HEARTBEAT, failed]], [HEARTBEAT, failed, [HEARTBEAT]]):
        found, malformed = events.decode([json.dumps(body).encode() for body in bodies])
        assert ([one.traceback for one in found if one.traceback], malformed) == ([read], 0)
    read.encode()


def test_texts_of_any_length_are_cut():
    """A statement of ten megabytes in an exception, times a hundred thousand failures, must not fill the memory."""
    long = "x" * (events.LONGEST + 1)
    found, malformed = decode(HEARTBEAT, {**STARTED, "type": "task-failed", "exception": long, "traceback": "short"})

    assert malformed == 0
    assert found[1].exception == long[:-1] + "..."
    assert (found[1].traceback, found[1].uuid, found[0].type) == ("short", "t1", "worker-heartbeat")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
FIELD = st.sampled_from(events.Event.__struct_fields__)
NEARLY = st.dictionaries(FIELD, JSON).map(lambda fields: {**HEARTBEAT, **fields})


BODY = (
    st.binary().filter(bytes.strip)
    | st.lists(NEARLY | JSON, max_size=4).map(lambda parts: json.dumps(parts).encode())
    | NEARLY.map(lambda part: json.dumps(part).encode())
)
GOOD = json.dumps([{**STARTED, "uuid": "the good one"}]).encode()


@given(st.lists(BODY, max_size=4))
@example([b'[{"type":"task-sent","hostname":"a","timestamp":"nan","uuid":"u"}]'])
def test_no_body_makes_decoding_fail(bodies):
    """Whatever bytes come, each part is an event or is counted; nothing raises, and all that is read can be stored."""
    found, malformed = events.decode(bodies)

    assert malformed >= 0
    assert all(1 <= one.timestamp < 2**32 for one in found)
    assert all(one.uuid for one in found if one.type.startswith("task-"))
    assert all(len(text) <= events.LONGEST + 3 for one in found for text in texts(one))
    for text in (text for one in found for text in texts(one)):
        text.encode()


def texts(event):
    return [text for name in event.__struct_fields__ if isinstance(text := getattr(event, name), str)]


@given(st.lists(BODY, max_size=4), st.integers(0, 4))
def test_what_cannot_be_read_harms_no_other_message(bodies, place):
    """A good message among bad ones gives its event, and the others give what they give without it."""
    alone, malformed = events.decode(bodies)
    found, counted = events.decode([*bodies[:place], GOOD, *bodies[place:]])

    assert [one.uuid for one in found].count("the good one") == 1
    assert (len(found), counted) == (len(alone) + 1, malformed)


def test_a_plugins_event_with_fields_of_its_own_types_is_read():
    """`active` is a number in Celery's heartbeat and a list in a plugin's: only Celery's own must keep to Celery's types."""
    expected = ("worker-pulse", HEARTBEAT["hostname"], HEARTBEAT["timestamp"], HEARTBEAT.get("pid", 0))
    found, malformed = decode(
        *({**HEARTBEAT, "type": kind, "active": ["id"]} for kind in ("worker-pulse", "worker-heartbeat"))
    )

    assert [(one.type, one.hostname, one.timestamp, one.pid) for one in found] == [expected]
    assert malformed == 1
