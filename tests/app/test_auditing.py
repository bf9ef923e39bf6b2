"""The audit trail as it is told: stored first, one line of JSON each, and no secret in it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from celeriac.app.auditing import LONGEST, TEXTS, ToldAudit, line, redacted
from celeriac.core.errors import UnreachableError
from celeriac.ports import AuditEntry, AuditFilter, Outcome

ENTRY = AuditEntry(1_795_000_000.25, "ada", "restart", "orders/0", "it hangs — é", "shop", Outcome.ORDERED, token="t1")
JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.c2ln"
HASH = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2g"


class Store:
    def __init__(self, error=None):
        self.rows, self.error = [], error

    def note(self, entry):
        if self.error:
            raise self.error
        self.rows.append(entry)

    def entries(self, which):
        return self.rows[: which.limit]


class Lines(list):
    def tell(self, one):
        self.append(one)


def test_a_row_is_stored_and_told():
    store, lines = Store(), Lines()
    audit = ToldAudit(store, lines)
    audit.note(replace(ENTRY, detail="broker redis://:hunter2@host/0"))

    assert store.rows == audit.entries(AuditFilter(9)) == [replace(ENTRY, detail="broker redis://:***@host/0")]
    assert lines == [line(store.rows[0])]


def test_what_could_not_be_stored_is_not_told():
    lines = Lines()
    with pytest.raises(UnreachableError):
        ToldAudit(Store(UnreachableError("the store is away")), lines).note(ENTRY)
    assert lines == []


def test_a_line_is_json_with_the_names_of_the_fields():
    assert json.loads(line(replace(ENTRY, detail="two\nlines", cluster=None))) == {
        "log": "celeriac.audit",
        "at": "2026-11-18T11:06:40.250000Z",
        "actor": "ada",
        "action": "restart",
        "target": "orders/0",
        "detail": "two\nlines",
        "cluster": None,
        "outcome": "ordered",
        "role": "",
        "address": "",
        "token": "t1",
        "before": "",
        "after": "",
        "why": "",
    }
    assert b"\n" not in line(replace(ENTRY, detail="two\nlines"))


@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("amqp://bo:hunter2@rabbit/vh is away", "hunter2"),
        ("password=hunter2 was wrong", "hunter2"),
        ('{"client_secret": "hunter2"}', "hunter2"),
        ("Authorization: Bearer hunter2abc", "hunter2"),
        (f"was sent {JWT} by mistake", JWT),
        (f"hash {HASH}", "aGFzaGhhc2g"),
        (f"{'x' * 1990} password=hunter2", "hunter"),
    ],
)
def test_no_secret_is_in_any_text(field, text, secret):
    clean = redacted(replace(ENTRY, **{field: text}))

    assert secret not in line(clean).decode()
    assert getattr(clean, field).split()[0] == text.split()[0][:LONGEST] or "***" in getattr(clean, field)


@pytest.mark.parametrize(
    "text", ["API token ci was revoked", "no session of ada stands", "worker@a#7", "it passes", "é — 5"]
)
def test_what_is_no_secret_stays(text):
    assert redacted(replace(ENTRY, why=text)).why == text


def test_a_text_has_a_bounded_length():
    assert redacted(replace(ENTRY, why="x" * 5000)).why == "x" * 1997 + "..."
    assert redacted(replace(ENTRY, why="x" * 2000)).why == "x" * 2000


@given(st.text())
def test_any_text_can_be_told_and_doing_it_twice_changes_nothing(text):
    clean = redacted(replace(ENTRY, actor=text, why=f"{text}\ud800"))

    assert redacted(clean) == clean
    assert json.loads(line(clean))["actor"] == clean.actor
