"""Frames of AMQP taken apart: whatever the cuts and whatever comes in between, the same messages come out."""

import itertools
import struct

import pytest
from amqp import Message
from hypothesis import given
from hypothesis import strategies as some

from celeriac.adapters.amqp_events import frames
from celeriac.adapters.amqp_events.bodies import MOST_KNOWN, Bodies
from celeriac.adapters.amqp_events.frames import BrokenFrameError, Frames, Method
from celeriac.adapters.content import Content

CHANNEL = 1
MOST = 131_072
METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
DELIVER = (60, 60)


def frame(kind, payload, channel=CHANNEL):
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


def method(signature, arguments=b"", channel=CHANNEL):
    return frame(METHOD, struct.pack(">HH", *signature) + arguments, channel)


def short(text):
    return bytes([len(text)]) + text.encode()


def properties(**told):
    return Message(
        b"", **({"content_type": "application/json", "content_encoding": "utf-8"} | told)
    )._serialize_properties()


PLAIN = properties(application_headers={"hostname": "worker@g"}, delivery_mode=1, priority=0)


def delivered(body, tag, *, told=PLAIN, parts=None, channel=CHANNEL):
    """Return the frames of one message; `parts` are the lengths of its body frames but the last."""
    arguments = short("celeriac") + struct.pack(">QB", tag, 0) + short("celeryev") + short("worker.heartbeat")
    found = [method(DELIVER, arguments, channel), frame(HEADER, struct.pack(">HHQ", 60, 0, len(body)) + told, channel)]
    for length in parts or []:
        piece, body = body[:length], body[length:]
        found += [frame(BODY, piece, channel)] if piece else []
    return [*found, frame(BODY, body, channel)] if body else found


def reader(**options):
    bodies = Bodies(Content(**options))
    return Frames(CHANNEL, MOST, bodies.plain, bodies.as_json)


def cut(stream, places):
    places = sorted({place % (len(stream) + 1) for place in places} | {0, len(stream)})
    return [stream[start:end] for start, end in itertools.pairwise(places)]


class Everything:
    """A stream of frames as a broker may send it, and what must come of it."""

    def __init__(self, messages, between):
        self.bodies, self.methods, self.tag, found = [], [], 0, []
        for tag, (body, parts, gaps) in enumerate(messages, 1):
            self.bodies.append(body)
            self.tag = tag
            for one in delivered(body, tag, parts=parts):
                found.append(one)
                found += [self.other(between[which]) for which in gaps]
        self.stream = b"".join(found)

    def other(self, one):
        if isinstance(one, Method):
            self.methods.append(one)
            return method(one.signature, one.arguments, channel=0)
        return one


BETWEEN = [
    frame(HEARTBEAT, b"", channel=0),
    Method((10, 60), short("low on memory")),
    Method((10, 61), b""),
    frame(HEADER, struct.pack(">HHQ", 60, 0, 3) + PLAIN, channel=2),
    frame(BODY, b"abc", channel=2),
]
MESSAGES = some.lists(
    some.tuples(
        some.binary(max_size=40),
        some.lists(some.integers(1, 9), max_size=4),
        some.lists(some.integers(0, 4), max_size=2),
    ),
    max_size=8,
)


@given(messages=MESSAGES, places=some.lists(some.integers(0, 5000), max_size=12))
def test_whatever_the_cuts_the_same_messages_come_out(messages, places):
    """Bodies in any number of frames, other frames in between, and reads that end anywhere."""
    sent, read = Everything(messages, BETWEEN), reader()
    found = [body for data in cut(sent.stream, places) for body in read.take(data)]

    assert found == sent.bodies
    assert read.tag == sent.tag
    assert read.methods == sent.methods


def test_a_stream_cut_at_every_byte_is_the_same_stream():
    """Each message is handed out with the last byte of it, not later."""
    stream = b"".join(b"".join(delivered(body, tag)) for tag, body in enumerate([b"one", b"", b"x"], 1))
    read, tags = reader(), []
    found = [(body, tags.append(read.tag)) for at in range(len(stream)) for body in read.take(stream[at : at + 1])]

    assert [body for body, _ in found] == [b"one", b"", b"x"]
    assert tags == [1, 2, 3]
    assert read.take(b"") == []


def test_every_message_is_handed_out_as_soon_as_it_is_whole():
    """What is left of a read is less than a message, so nothing waits for the next one."""
    read = reader()
    first, second = (b"".join(delivered(body, tag)) for tag, body in enumerate([b"first", b"second"], 1))

    assert read.take(first + second[:-1]) == [b"first"]
    assert read.tag == 1
    assert read.take(second[-1:]) == [b"second"]
    assert read.tag == 2


def test_a_body_over_several_frames_is_one_body():
    """As large ones come: the size of a frame is agreed on at the beginning."""
    body = bytes(range(256)) * 2000
    parts = [MOST - 8] * 3

    assert reader().take(b"".join(delivered(body, 1, parts=parts))) == [body]


def test_a_body_beyond_all_measure_cannot_be_read_and_is_not_kept(monkeypatch):
    """What follows it is read as ever."""
    monkeypatch.setattr(frames, "MOST_BYTES", 10)
    read, large = reader(), delivered(b"x" * 30, 1, parts=[8, 8])
    assert read.take(b"".join(large[:-1])) == []
    assert read._message.parts == []

    assert read.take(b"".join([large[-1], *delivered(b"small", 2)])) == [b"", b"small"]


BROKEN = {
    "an end byte": (frame(HEARTBEAT, b"")[:-1] + b"\x00" + frame(HEARTBEAT, b""), "does not end where it should"),
    "a size": (struct.pack(">BHI", BODY, CHANNEL, 1 << 30) + b"\x00", "at most 131072 were agreed on"),
    "a method": (frame(METHOD, b"\x00"), "too short"),
    "a delivery": (method(DELIVER, b"\x08celer"), "too short"),
    "a header": (delivered(b"x", 1)[0] + frame(HEADER, b"\x00"), "too short"),
}


@pytest.mark.parametrize(("broken", "said"), BROKEN.values(), ids=BROKEN)
def test_what_is_no_amqp_is_an_error(broken, said):
    """Nothing after it could be understood, so the connection is of no use any more."""
    with pytest.raises(BrokenFrameError, match=said):
        reader().take(broken)


def test_the_frames_of_another_channel_are_none_of_ours():
    """Neither its messages nor its tags count."""
    read = reader()
    mixed = [
        one for pair in zip(delivered(b"ours", 7), delivered(b"theirs", 9, channel=2), strict=True) for one in pair
    ]

    assert read.take(b"".join(mixed)) == [b"ours"]
    assert read.tag == 7


def test_a_returned_message_is_no_delivery():
    """`basic.return` brings a body too."""
    returned = [method((60, 50), struct.pack(">H", 312) + short("NO_ROUTE") + short("x") + short("y"))]
    returned += delivered(b"came back", 1)[1:]

    assert reader().take(b"".join([*returned, *delivered(b"event", 1)])) == [b"event"]


# Properties


def test_json_passes_as_it_is_and_its_properties_are_read_once():
    """A worker's events all carry the same ones."""
    asked = []
    bodies = Bodies(Content())
    read = Frames(CHANNEL, MOST, bodies.plain, lambda told, body: asked.append(told) or bodies.as_json(told, body))
    stream = b"".join(b"".join(delivered(b"{bad", tag)) for tag in range(1, 6))

    assert read.take(stream) == [b"{bad"] * 5
    assert asked == [PLAIN]


@given(headers=some.dictionaries(some.text(max_size=8), some.text(max_size=20) | some.integers(-9, 9), max_size=3))
def test_headers_may_hold_anything(headers):
    """Only `compression` means something to us."""
    headers.pop("compression", None)
    told = properties(application_headers=headers)

    assert reader().take(b"".join(delivered(b"[]", 1, told=told))) == [b"[]"]


@given(told=some.binary(max_size=60))
def test_properties_that_cannot_be_read_cost_their_message_only(told):
    """Any bytes in their place end nothing."""
    stream = b"".join([*delivered(b"[1]", 1, told=told), *delivered(b"[2]", 2)])

    assert reader().take(stream)[1:] == [b"[2]"]


def test_what_says_nothing_of_itself_is_refused():
    """A message without a content type is none of Celery's."""
    content = Content()
    bodies = Bodies(content)

    assert bodies.as_json(b"\x00\x00", b"[]") == b""
    assert content.refused == 1


def test_properties_of_their_own_for_each_message_fill_no_memory():
    """Some thousands are kept at most, and no large ones."""
    bodies = Bodies(Content())
    for number in range(MOST_KNOWN + 10):
        assert bodies.as_json(properties(message_id=str(number)), b"[]") == b"[]"
    assert bodies.as_json(properties(application_headers={"long": "x" * 2000}), b"[]") == b"[]"

    assert 0 < len(bodies.plain) <= MOST_KNOWN
    assert max(map(len, bodies.plain)) < 2000
