"""No secret reaches the store: what redaction masks, what it leaves, and the laws that hold for any text.

Payloads come as `repr` (exceptions) or Celery's `saferepr` (arguments, results), whole or cut at any place.
"""

import json
from dataclasses import dataclass, make_dataclass
from datetime import UTC, datetime
from enum import Enum

import pytest
from celery.utils.saferepr import saferepr
from hypothesis import assume, example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from celeriac.core.redact import NOT_STORED, Payloads, Redaction
from celeriac.core.tasks import Task

MARKER = "Q7ZJX9WK"
LENGTH = 1024
"""Celery's own limit of `argsrepr`, `kwargsrepr` and results."""

redaction = Redaction()


@dataclass
class Config:
    """A value whose `repr` names its fields."""

    password: object
    port: object = 1


def redacted(text: str) -> str:
    once = redaction.text(text)
    assert once is not None
    assert redaction.text(once) == once, "redacting twice gives the same as once"
    return once


def leaks(text: str) -> bool:
    """Tell whether four characters of the marker or more are left."""
    return any(MARKER[at : at + 4] in text for at in range(len(MARKER) - 3))


# What is masked ------------------------------------------------------------------------------------------------------


class Field(Enum):
    """Keys may be anything that has a `repr`."""

    PASSWORD = "password"


MASKED = {
    "a dict": (repr({"a": 1, "password": "x", "b": "y"}), "{'a': 1, 'password': '***', 'b': 'y'}"),
    "whatever the key is called around it": (
        repr({"DB_PASSWORD": "x", "x-api-key": "y", "apiKey": "z"}),
        "{'DB_PASSWORD': '***', 'x-api-key': '***', 'apiKey': '***'}",
    ),
    "a short word at the end of a part": (
        repr({"DB_PASS": "x", "smtp-pass": "y", "pass": "z", "passenger": "ann"}),
        "{'DB_PASS': '***', 'smtp-pass': '***', 'pass': '***', 'passenger': 'ann'}",
    ),
    "a private key": (
        repr(("-----BEGIN RSA PRIVATE KEY-----\nx\ny\n-----END RSA PRIVATE KEY-----\n", 1)),
        r"('-----BEGIN RSA PRIVATE KEY-----***\n', 1)",
    ),
    "a private key that is cut": (repr("-----BEGIN PRIVATE KEY-----\nxy")[:-1] + "...", None),
    "a number, None, bytes": (
        repr({"token": 12, "secret": None, "cookie": b"x"}),
        "{'token': '***', 'secret': '***', 'cookie': '***'}",
    ),
    "all of a container": (repr({"credentials": {"user": ("x", ["y"])}, "b": 1}), "{'credentials': '***', 'b': 1}"),
    "an object": ("{'session': <Session id=3 key='x'>, 'b': 1}", "{'session': '***', 'b': 1}"),
    "an argument by keyword": (repr(Config("x", 2)), "Config(password='***', port=2)"),
    "deep inside": (repr([({"a": [Config("x")]},)]), "[({'a': [Config(password='***', port=1)]},)]"),
    "a key that is an object": (repr({Field.PASSWORD: "x"}), "{<Field.PASSWORD: '***'>: '***'}"),
    "a pair": (repr(([("X-Token", "x"), ("b", "y")],)), "([('X-Token', '***'), ('b', 'y')],)"),
    "a pair of an older OrderedDict": (
        "OrderedDict([('token', 'x'), ('b', 1)])",
        "OrderedDict([('token', '***'), ('b', 1)])",
    ),
    "a command's option": (repr(["mysql", "--password", "x", "db"]), "['mysql', '--password', '***', 'db']"),
    "an option in a string": (repr("mysql --password x"), "'mysql --password ***'"),
    "JSON in a string": (repr('{"token": "x", "b": [2]}'), """'{"token": "***", "b": [2]}'"""),
    "JSON with quotes in it": (repr('{"token": "x\\"y", "b": 2}'), """'{"token": "***", "b": 2}'"""),
    "JSON in JSON": (repr(json.dumps({"a": json.dumps({"token": "x", "b": 2})})), None),
    "a repr in a string": (saferepr(repr({"token": "x", "b": 2})), r"'{\'token\': \'***\', \'b\': 2}'"),
    "a query": (repr("a=1&api_key=x&b=2"), "'a=1&api_key=***&b=2'"),
    "a connection string": (repr("host=db password=x dbname=y"), "'host=db password=*** dbname=y'"),
    "a header": (repr("Host: h\r\nCookie: a=x; b=x\r\nAccept: y"), r"'Host: h\r\nCookie: ***\r\nAccept: y'"),
    "an Authorization header": (repr("Authorization: Bearer x"), "'Authorization: ***'"),
    "a Bearer token": (repr({"h": "Bearer x.y-z"}), "{'h': 'Bearer ***'}"),
    "Basic credentials": (repr({"h": "Basic dTpw"}), "{'h': 'Basic ***'}"),
    "a URL's password": (repr("redis://user:x@host/0"), "'redis://user:***@host/0'"),
    "a URL's password without a user": (repr("redis://:x@host/0"), "'redis://:***@host/0'"),
    "a password with what a URL cannot hold": (repr("pg://u:x/y?z#x@host/db"), "'pg://u:***@host/db'"),
    "text that is no repr": ("token=x", "token=***"),
    "an exception's message": (repr(ValueError("bad token: x")), "ValueError('bad token: ***')"),
}


@pytest.mark.parametrize("kind", MASKED)
def test_secret_values_are_masked(kind):
    """The rest of the text stays readable."""
    text, expected = MASKED[kind]

    assert redacted(text) == (expected or redacted(text))
    assert '"x' not in redacted(text)


UNCHANGED = [
    "()",
    "{}",
    "None",
    "(1, 'two', [3.0])",
    "{'to': 'ann@example.com', 'at': '2026-01-01T10:00:00', 'note': 'a=1; b: 2'}",
    "'https://example.com:8080/a?b=c@d'",
    "'git://git@example.com/x.git'",
    "('reset_password', 'session of today', {'kind': 'token'})",
    "{'note': 'a basic plan for all', 'author': 'x', 'keyboard': 1}",
    "<Session object at 0x7f00>",
    "AttributeError(\"'Token' object isn't 'Session'\")",
]


@pytest.mark.parametrize("text", UNCHANGED)
def test_text_without_a_secret_stays_as_it_is(text):
    """A word that is no key hides nothing."""
    assert redacted(text) == text


# Text that is cut ----------------------------------------------------------------------------------------------------

CUT = {
    "in a secret value": ("{'a': 1, 'password': 'hun...", "{'a': 1, 'password': '***'..."),
    "in a secret container": ("{'token': {'a': ('b',...", "{'token': '***'..."),
    "in a harmless value": ("{'password': 'x', 'a': 'bcd...", "{'password': '***', 'a': 'bcd..."),
    "between key and value": ("{'password': ...", "{'password': ..."),
    "in JSON": ("""('{"a": 1, "token": "x...""", """('{"a": 1, "token": "***..."""),
    "in a URL": ("('redis://user:pass...", "('redis://user:***..."),
    "in a token": ("{'a': 'Bearer abc...", "{'a': 'Bearer ***..."),
    "by Celery": ("({'password': 'x...', 'a': [1, ...]}, ...)", "({'password': '***', 'a': [1, ...]}, ...)"),
    "by Celery in JSON": ("""('{"token": "x...', 1)""", """('{"token": "***...', 1)"""),
}


@pytest.mark.parametrize("place", CUT)
def test_cut_text_keeps_what_can_be_read(place):
    text, expected = CUT[place]

    assert redacted(text) == expected


UNCLEAR = {
    "a path that ends in a backslash": r"{'path': 'C:\', 'password': 'x'}",
    "an apostrophe outside of strings": "<Error: can't read token 'x'>",
    "a string without an end": "{'password': 'x}",
    "quotes that nobody escaped": "Config(name='O'Neil', password='x')",
    "an object that was cut within": "[Config(password='abc..., {'b': 1}]",
}


@pytest.mark.parametrize("kind", UNCLEAR)
def test_unclear_text_that_mentions_a_secret_is_not_stored(kind):
    """It is dropped whole, and says so."""
    assert redacted(UNCLEAR[kind]) == NOT_STORED


def test_unclear_text_without_a_secret_is_stored():
    assert redacted("<Error: can't read 'x'>") == "<Error: can't read 'x'>"


# Any value, any text -------------------------------------------------------------------------------------------------

AWKWARD = st.text("ab9 'ü\"\\{}[]()<>,:;=&.\n@/%-", max_size=12)
SECRET_KEYS = st.sampled_from(
    ["password", "db_password", "API-Key", "apiKey", "user[token]", "my secret (new)", "user's cookie", "тайна-token"]
)
HARMLESS_KEYS = st.sampled_from(["name", "a b", "it's", 'a "b"', "ключ", "x=y"]) | st.integers(0, 9)
MARKED = st.builds(lambda before, after: f"{before}{MARKER}{after}", AWKWARD, AWKWARD)
HARMLESS = (
    st.none()
    | st.booleans()
    | st.integers()
    | AWKWARD
    | st.binary(max_size=8)
    | st.sets(st.integers(0, 9), max_size=3)
    | st.just(datetime(2026, 1, 1, tzinfo=UTC))
    | st.builds(make_dataclass("Point", ["x", "name"]), st.integers(), AWKWARD)
)
SECRET = st.recursive(
    MARKED | st.builds(str.encode, st.just(MARKER)),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(HARMLESS_KEYS, inner, max_size=2) | st.tuples(inner),
    max_leaves=3,
)


def holding(leaf):
    """Draw dicts with a secret or two, in whatever else a task may carry."""
    secret = st.tuples(st.dictionaries(HARMLESS_KEYS, leaf, max_size=2), SECRET_KEYS, SECRET, leaf).map(
        lambda parts: {**parts[0], parts[1]: parts[2], "last": parts[3]}
    )
    return (
        secret | st.builds(Config, SECRET, leaf) | st.tuples(leaf, secret) | st.builds(lambda *of: [*of], secret, leaf)
    )


VALUES = holding(st.recursive(HARMLESS, holding, max_leaves=4))


@given(VALUES)
def test_no_secret_is_left_in_a_repr(value):
    """Whatever stands around it, and whatever quotes and escapes are in it."""
    assert not leaks(redacted(repr(value)))


@given(VALUES, st.sampled_from([40, 100, LENGTH]), st.sampled_from([3, 9]))
def test_no_secret_is_left_in_what_celery_sends(value, longest, levels):
    """`saferepr` escapes no backslash, shortens strings, and leaves out what is too much or too deep."""
    assert not leaks(redacted(saferepr(value, longest, levels)))


@given(VALUES, st.sampled_from([repr, saferepr]), st.data())
def test_no_part_of_a_secret_is_left_wherever_the_text_is_cut(value, form, data):
    text = form(value)
    cut = text[: data.draw(st.integers(0, len(text)))] + "..."

    assert not leaks(redacted(cut))


@given(st.dictionaries(st.sampled_from(["name", "ключ", "a b"]), HARMLESS), MARKED)
def test_values_under_harmless_keys_stay(harmless, secret):
    """Beside a secret, everything else reads as before."""
    text = repr({**harmless, "password": secret, "last": 1})
    assume("\\\\'" not in text and '\\\\"' not in text)

    assert redacted(text) == repr({**harmless, "password": "***", "last": 1})


@given(st.dictionaries(SECRET_KEYS, MARKED, min_size=1), st.integers(0, 3), st.sampled_from([repr, saferepr]))
def test_no_secret_is_left_in_json_within_a_string(value, depth, form):
    """JSON in JSON in a repr: each level escapes the quotes of the one below."""
    for _ in range(depth + 1):
        value = {"body": json.dumps(value)}

    assert not leaks(redacted(form(value)))


@given(st.text() | st.text("pasword=:'\"\\{}[]()<>,. ") | AWKWARD.map(lambda text: f"token{text}"))
@example("token:x>:" * 2000)
@example("('token', (" * 2000)
@example("{'token': " + "[" * 5000)
@example("token: " + " " * 50_000 + "x")
@example("token: x" + "\\" * 100_000 + "'")
@example("token" * 20_000)
@example("İtoken=x")
@example("ſecret=x")
def test_any_text_can_be_redacted_and_twice_is_once(text):
    redacted(text)


LINES = (
    st.sampled_from(
        ['  File "session.py", line 3, in token', "    token = Session(", "    ^^^^^", "ValueError: {", "token='"]
    )
    | AWKWARD.map(lambda text: f"    token={text}")
    | AWKWARD
)


@given(st.lists(LINES))
def test_any_traceback_can_be_redacted_and_twice_is_once(lines):
    task = Task("t1", traceback="\n".join(lines))
    redaction.task(task)
    again = replace(task)
    redaction.task(again)

    assert again == task


@given(VALUES, st.booleans())
def test_no_secret_is_left_in_a_traceback(value, wrapped):
    """The last line of a traceback is the exception's text, and that may hold a repr."""
    message = repr(str(value)) if wrapped else str(value)
    task = Task(
        "t1",
        traceback=f'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g(\nKeyError: {message}\n',
    )
    redaction.task(task)

    assert task.traceback is not None
    assert not leaks(task.traceback)
    assert task.traceback.startswith(
        'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g(\nKeyError: '
    )


# A task --------------------------------------------------------------------------------------------------------------

TRACEBACK = """\
Traceback (most recent call last):
  File "/app/session.py", line 3, in get_token
    session = Session(
              ^^^^^^^^
  File "/app/login.py", line 9, in login
    raise LoginError("can't log in", password)
LoginError: no such user: {'password': 'x', 'user': 'ann'}

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/tasks.py", line 1, in run
    login(token="x")
ValueError: cannot reach redis://user:x@host/0
"""
READABLE = """\
Traceback (most recent call last):
  File "/app/session.py", line 3, in get_token
    session = ***...
              ^^^^^^^^
  File "/app/login.py", line 9, in login
    raise LoginError("can't log in", password)
LoginError: no such user: {'password': '***', 'user': 'ann'}

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/tasks.py", line 1, in run
    login(token="***")
ValueError: cannot reach redis://user:***@host/0
"""


def carrying() -> Task:
    return Task(
        "t1",
        name="shop.pay",
        args="('x', {'token': 'x'})",
        kwargs="{'password': 'x', 'user': 'ann'}",
        result="'cookie=x'",
        exception="ValueError(\"token='x'\")",
        traceback=TRACEBACK,
    )


def test_a_task_keeps_what_is_no_secret():
    task = carrying()
    redaction.task(task)

    assert task == Task(
        "t1",
        name="shop.pay",
        args="('x', {'token': '***'})",
        kwargs="{'password': '***', 'user': 'ann'}",
        result="'cookie=***'",
        exception="ValueError(\"token='***'\")",
        traceback=READABLE,
    )


@pytest.mark.parametrize("payloads", Payloads)
@pytest.mark.parametrize("carriers", [(), (0,), (5, 39), range(40)])
def test_many_tasks_keep_what_each_keeps(payloads, carriers):
    """Also where one of many holds a secret."""
    some = Redaction(payloads)
    many = [
        carrying() if place in carriers else Task(f"t{place}", args="(1,)", exception="E(2)") for place in range(40)
    ]
    alone = [replace(task) for task in many]
    some.tasks(many)
    for task in alone:
        some.task(task)

    assert many == alone


def test_half_a_character_hides_no_secret():
    """A program may hand one over; RE2 reads none."""
    assert redaction.text("('\ud800', {'token': 'x'})") == "('\ud800', {'token': '***'})"


def test_with_no_payloads_only_the_type_of_an_exception_is_kept():
    task = carrying()
    Redaction(Payloads.NONE).task(task)

    assert task == Task("t1", name="shop.pay", exception="ValueError")
    assert Redaction(Payloads.NONE).text("(1,)") is None


@pytest.mark.parametrize(
    ("exception", "kept"),
    [
        ("shop.errors.Refused('x')", "shop.errors.Refused"),
        ("ExceptionWithTraceback()", "ExceptionWithTraceback"),
        ("<HttpError 401: x>", None),
        ("something is wrong: x", None),
        ("", None),
        (None, None),
    ],
)
def test_what_is_no_type_is_not_kept_as_one(exception, kept):
    """Some exceptions write a sentence as their `repr`."""
    task = Task("t1", exception=exception)
    Redaction(Payloads.NONE).task(task)
    once = task.exception
    Redaction(Payloads.NONE).task(task)

    assert once == task.exception == kept


def test_with_full_payloads_nothing_changes():
    task = carrying()
    Redaction(Payloads.FULL).task(task)

    assert task == carrying()
    assert Redaction(Payloads.FULL).text("token=x") == "token=x"


def test_nothing_is_made_of_nothing():
    task = Task("t1")
    redaction.task(task)

    assert task == Task("t1")
    assert redaction.text(None) is None


# Words ---------------------------------------------------------------------------------------------------------------


def test_the_words_are_the_settings_own():
    """Other words hide other keys; credentials in URLs and headers are hidden whatever the words."""
    own = Redaction(words=["IBAN", "c++ key", "  "])

    assert (
        own.text("{'iban': 'x', 'C++-Key': 'x', 'password': 'x'}")
        == "{'iban': '***', 'C++-Key': '***', 'password': 'x'}"
    )
    assert (
        Redaction(words=[]).text("('a://u:x@h', 'Bearer x', 'token=x')") == "('a://u:***@h', 'Bearer ***', 'token=x')"
    )
