"""The fault matrix judges rightly: its rows cover pairs, what is not right is wrong, and its table says so."""

import contextlib
import datetime as dt
import socket
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from celeriac.client import Incident, Step

ROOT = Path(__file__).parent.parent
FAULT_AT = 1_795_000_000.0


@pytest.fixture(autouse=True)
def faults(monkeypatch):
    """Let the test import what breaks workers; it is no part of the package."""
    monkeypatch.syspath_prepend(str(ROOT))


def look(after, worker, verdict, *notes, guid="one"):
    from faults.watch import Look

    return Look(FAULT_AT + after, worker, verdict, False, notes, guid)


def incident(worker, verdict, state="resolved", remedy="none", steps=("opened", "acted", "resolved"), after=40, end=60):
    at, over = (dt.datetime.fromtimestamp(FAULT_AT + one, dt.UTC) for one in (after, end))
    told = [Step(at, kind, f"it was {kind}") for kind in steps]
    over = over if state == "resolved" else None
    return Incident(worker, "matrix", worker, worker, verdict, state, None, at, over, [], told, remedy)


def story(*looks, incidents=(), restarts=(), last=None, ill=("orders/0",), approved=(), beats=()):
    from faults.judging import Story

    last = last or {"orders/0": "healthy", "orders/1": "healthy"}
    first = {guid: FAULT_AT + after for guid, after in beats}
    return Story(FAULT_AT, frozenset(ill), looks, tuple(incidents), tuple(restarts), last, frozenset(approved), first)


def judged(mode, seen, broker="redis", pool="prefork", celery="5.7.0"):
    from faults.expected import expected
    from faults.judging import judge
    from faults.rows import Row

    return judge(expected(Row(mode, broker, pool, celery)), seen)


RESTARTED = (incident("orders/0", "hung", remedy="restart_instance"),)


def test_few_rows_cover_every_pair_and_at_most_eighty_cover_nine_tenths():
    from faults.rows import chosen, covered, possible

    every = possible()
    whole, few = chosen(every, most=1000), chosen(every)
    missing, all_pairs = covered(whole, every)

    assert missing == all_pairs
    assert len(whole) < len(every) / 5
    assert len(few) <= 80
    assert covered(few, every)[0] > 0.9 * all_pairs
    assert chosen(every) == few


def test_every_mode_has_its_hands_and_its_right_verdict():
    from faults.expected import TABLE
    from faults.injections import INJECTIONS
    from faults.rows import CI, MODES, possible

    made = [mode.id for mode in MODES if not mode.absent]
    assert [mode.id for mode in MODES] == [f"F{number}" for number in range(1, 22)]
    assert list(TABLE) == made
    assert list(INJECTIONS) == made
    assert set(CI) <= {row.id for row in possible()}


def test_a_hung_worker_that_was_restarted_once_and_proven_back_is_right():
    found = judged("F3", story(look(35, "orders/0", "hung"), incidents=RESTARTED, restarts=[("orders/0", "celeriac")]))

    assert found.wrong == ()
    assert (found.verdict, found.after_s, found.remedy) == ("hung", 35.0, "restart_instance")


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        ({}, "never hung"),
        ({"looks": [look(35, "orders/0", "hung")]}, "no remedy (no incident)"),
        (
            {
                "looks": [look(35, "orders/0", "hung")],
                "incidents": [incident("orders/0", "hung", "escalated", "restart_instance")],
            },
            "the remedy is not proven",
        ),
        ({"looks": [look(35, "orders/0", "deaf")]}, "called deaf"),
        ({"looks": [look(9, "orders/1", "hung")]}, "sibling orders/1 called hung"),
        ({"restarts": [("orders/1", "celeriac")]}, "sibling orders/1 restarted by celeriac"),
        ({"incidents": [incident("orders/1", "crashed")]}, "an incident about sibling orders/1 (crashed)"),
        ({"last": {"orders/0": "healthy", "orders/1": "busy"}}, "at the end: orders/1 busy"),
    ],
)
def test_whatever_is_not_as_it_must_be_is_wrong(seen, why):
    assert why in judged("F3", story(*seen.pop("looks", ()), **seen)).wrong


def test_the_restart_of_an_app_may_be_proposed_where_all_of_it_is_ill_and_only_there():
    three = [f"orders/{index}" for index in range(3)]
    deaf = [incident(name, "deaf", remedy="restart_instance") for name in three]
    offer = incident("orders", "deaf", steps=("opened", "held", "resolved"))
    seen = [look(95, name, "deaf") for name in three]
    last = dict.fromkeys(three, "healthy")

    assert judged("F5", story(*seen, incidents=[*deaf, offer], ill=three, last=last)).wrong == ()
    assert judged("F5", story(seen[0], incidents=[deaf[0], offer])).wrong == (
        "an incident about sibling orders (deaf)",
    )


def test_a_remedy_that_nobody_wants_is_wrong():
    found = judged(
        "F8", story(look(35, "orders/0", "busy"), incidents=RESTARTED, restarts=[("orders/0", "celeriac")]), pool="solo"
    )

    assert "remedy restart_instance, which is not wanted" in found.wrong
    assert "restarted orders/0" in found.wrong


def test_a_crash_that_passes_between_two_looks_is_known_by_its_incident():
    found = judged(
        "F1",
        story(
            look(3, "orders/0", "healthy"),
            incidents=[incident("orders/0", "crashed", steps=("opened", "resolved"), after=7)],
        ),
    )

    assert found.wrong == ()
    assert (found.verdict, found.after_s, found.remedy) == ("crashed", 7.0, "none")


def test_a_proof_is_timed_from_the_first_heartbeat_of_the_process_that_is_proven():
    looks = (
        look(35, "orders/0", "hung"),
        look(50, "orders/0", "starting", guid="two"),
        look(70, "orders/0", "healthy"),
    )
    beats = [("one", -300), ("two", 52)]

    assert judged("F3", story(*looks, incidents=RESTARTED, beats=beats)).proven_s == 8
    assert judged("F3", story(*looks[:1], incidents=RESTARTED, beats=beats)).proven_s is None
    assert (
        judged("F3", story(*looks, incidents=[incident("orders/0", "hung", "escalated")], beats=beats)).proven_s is None
    )


def test_figures_tell_how_fast_each_kind_of_row_was():
    from faults.figures import table

    def result(mode, verdict, after, proven=None, pool="prefork"):
        return {"row": {"mode": mode, "pool": pool}, "verdict": verdict, "after_s": after, "proven_s": proven}

    crashes = [result("F1", "crashed", after, 7) for after in range(1, 41)]
    others = [result("F3", "hung", 37), result("F3", "hung", 61, pool="solo"), result("F5", "healthy", None)]

    assert table(crashes + others).splitlines()[2:] == [
        "| a crash found (F1), from the kill | 40 | 20 s | 38 s | 40 s |",
        "| a hang found, prefork (F3, F4, F12) | 1 | 37 s | 37 s | 37 s |",
        "| a hang found, other pools with `may_block = 60` | 1 | 61 s | 61 s | 61 s |",
        "| a remedy proven, from the first heartbeat of the new process | 40 | 7 s | 7 s | 7 s |",
    ]


def test_a_mode_that_wants_a_note_is_wrong_without_it():
    assert judged("F15", story(look(3, "orders/0", "healthy"))).wrong == (
        "no note that says 'processes use the node name'",
    )
    assert judged("F15", story(look(3, "orders/0", "healthy", "2 processes use the node name w0@one"))).wrong == ()


def test_a_stopped_beat_is_noted_of_the_cluster_and_of_nothing_else():
    note = "no sample.tick since 14:02:10 UTC: it used to come every 6 s (beat may have stopped)"
    quiet, shown = story(ill=()), look(3, "orders/0", "healthy")

    assert judged("F19", quiet).wrong == ("no note of the cluster that says 'no sample.tick since'",)
    found = judged("F19", replace(quiet, looks=(shown,), notes=(note,)))
    assert (found.wrong, found.verdict, found.remedy) == ((), "healthy", "none")
    assert "sibling orders/0 called hung" in judged("F19", replace(quiet, looks=(look(3, "orders/0", "hung"),))).wrong
    assert judged("F2", replace(story(shown), notes=(note,))).wrong == (f"a note of the cluster: {note}",)


def test_modes_that_come_last_change_no_other_rows():
    from faults.rows import BY_ID, chosen, possible

    every = possible()
    others = [row for row in every if not BY_ID[row.mode].last]
    last = [row for row in chosen(every) if BY_ID[row.mode].last]

    assert {(row.mode, row.broker) for row in last} == {("F19", "redis"), ("F19", "rabbitmq")}
    assert {row.pool for row in last} == {"prefork", "solo"}
    assert [row for row in chosen(every) if row not in last] == chosen(others, most=80 - len(last))


def test_the_table_has_a_line_for_each_row_and_tells_wrong_from_not_run():
    from faults.page import counts, table
    from faults.rows import Row

    rows = [
        Row("F1", "redis", "prefork", "5.7.0"),
        Row("F3", "redis", "solo", "5.3.6"),
        Row("F4", "redis", "solo", "5.3.6"),
    ]
    good = {"verdict": "crashed", "after_s": 7.6, "remedy": "none", "proof": "verified: a|b", "wrong": []}
    results = [good, good | {"wrong": ["never hung"]}, {"missing": "no gevent"}]
    lines = table(rows, results).splitlines()

    assert (
        lines[2]
        == "| F1 | the main process killed (SIGKILL) | redis | prefork | 5.7.0 / 5.7.0 | crashed | 8 s | none | verified: a/b | right |"
    )
    assert lines[3].startswith("| F3 | ")
    assert lines[3].endswith("| wrong: never hung |")
    assert lines[4].endswith("| not run: no gevent |")
    assert counts(results) == (1, 1, 1)


def test_a_result_counts_until_the_code_changes(tmp_path):
    from faults.results import Results
    from faults.rows import Row

    row, other = Row("F1", "redis", "prefork", "5.7.0"), Row("F3", "redis", "prefork", "5.7.0")
    path = tmp_path / "results.jsonl"
    Results(path).add({"id": row.id, "digest": "today"})
    Results(path).add({"id": other.id, "digest": "today", "missing": "no time"})
    known = Results(path)

    assert known.done(row, "today")
    assert not known.done(row, "tomorrow")
    assert not known.done(other, "today")


def test_each_restart_is_matched_with_one_fault_and_the_rest_is_false():
    from faults.ledger import Made, Wanted, account

    wanted = [Wanted("orders/0", 1000.5, "frozen"), Wanted("orders/1", 1200.0, "blocked")]
    made = [Made("orders/0", 1040), Made("orders/0", 1700), Made("orders/2", 1050)]
    found = account(wanted, made, ["orders/0: hung, escalated"])

    assert found.words == "restarts wanted 2, made 3, false 2, unverified 1, missed 1"
    assert [one.worker for one in found.false] == ["orders/2", "orders/0"]
    assert [one.worker for one in found.missed] == ["orders/1"]


def test_a_restart_within_the_second_of_its_fault_is_wanted():
    """The platform records whole seconds."""
    from faults.ledger import Made, Wanted, account

    assert account([Wanted("orders/0", 1000.9, "frozen")], [Made("orders/0", 1000)], []).false == ()


@pytest.fixture
def echo():
    """Give the port of a server that says back what it hears."""
    server = socket.create_server(("127.0.0.1", 0))

    def answer(connection):
        with contextlib.suppress(OSError), connection:
            while data := connection.recv(100):
                connection.sendall(data)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(5)


def said_back(connection, word, within=10):
    connection.settimeout(within)
    connection.sendall(word)
    try:
        return connection.recv(100)
    except TimeoutError:
        return None


def test_a_proxy_turns_what_is_open_half_open_and_lets_what_is_new_pass(echo):
    from faults.proxy import Proxy

    proxy = Proxy(echo)
    with contextlib.closing(proxy), socket.create_connection(("127.0.0.1", proxy.port)) as before:
        assert said_back(before, b"one") == b"one"
        assert proxy.silence(lambda connection: connection.last_sent == b"other") == 0
        assert said_back(before, b"two") == b"two"
        assert proxy.silence() == 1
        assert said_back(before, b"three", within=0.5) is None
        with socket.create_connection(("127.0.0.1", proxy.port)) as after:
            assert said_back(after, b"four") == b"four"
            proxy.cut()
            assert after.recv(100) == b""
