"""The commands by which people decide themselves, over HTTP: they ask, wait for the keeper, and say how it ended."""

import msgspec
import pytest
from click.testing import CliRunner

from celeriac.__main__ import main as run
from celeriac.cli import handle
from celeriac.cli import main as root
from celeriac.core.incident import HeldReason, WordState
from web import samples
from web.test_handling import PASSED, judged_by


class Keeper:
    """Stands in for the keeper: what becomes of a word as soon as it is stored."""

    def __init__(self, world, monkeypatch):
        self.order = {"state": WordState.DONE}
        say = world.requests.say
        monkeypatch.setattr(world.requests, "say", lambda word: say(msgspec.structs.replace(word, **self.order)))


@pytest.fixture
def keeper(world, monkeypatch):
    monkeypatch.setattr(handle, "LOOK_EVERY_S", 0.02)
    return Keeper(world, monkeypatch)


@pytest.fixture
def celeriac(console, monkeypatch):
    monkeypatch.setenv("CELERIAC_URL", console.url)

    def running(*arguments, typed=""):
        return CliRunner().invoke(root, arguments, input=typed)

    return running


def said(result):
    assert result.exit_code == 0, result.output
    return result.stdout


def test_an_incident_is_held(celeriac, world, keeper):
    text = said(celeriac("hold", "inc-hung", "--reason", "I look into it"))

    (word,) = world.requests.said.values()
    assert (word.why, word.deed) == ("I look into it", "hold")
    assert text.endswith("Held.\n")


def test_a_hold_needs_a_reason(celeriac, world):
    assert celeriac("hold", "inc-hung").exit_code == 2
    assert world.requests.said == {}


def test_what_is_held_is_released(celeriac, world, keeper):
    held = msgspec.structs.replace(world.hung, held_by="ana", held_why="x", held_reason=HeldReason.HELD_BY_USER)
    world.journal.stories["inc-hung"] = held

    assert "celeriac release inc-hung" in said(celeriac("incidents", "inc-hung"))
    assert said(celeriac("release", "inc-hung")).endswith("Released.\n")


def test_closing_asks_first(celeriac, world, keeper):
    no = celeriac("close", "inc-hung", typed="n\n")
    assert (no.exit_code, world.requests.said) == (1, {})
    assert "orders-worker/2 in orders is hung, held." in no.stdout

    assert said(celeriac("close", "inc-hung", "--yes")).endswith("Closed.\n")


def test_a_word_that_lapses_says_why(celeriac, keeper):
    keeper.order = {"state": WordState.LAPSED, "note": "the incident is over"}
    result = celeriac("hold", "inc-hung", "--reason", "x")

    assert result.exit_code == 1
    assert result.stdout.endswith("Nothing was done: the incident is over.\n")


def test_it_need_not_wait_for_the_keeper(celeriac, world):
    """No keeper is at work: the word is stored all the same."""
    text = said(celeriac("hold", "inc-hung", "--reason", "x", "--no-wait"))

    assert text.startswith("Ordered: ")
    assert len(world.requests.said) == 1


def test_everything_is_paused_and_resumed(celeriac, world):
    paused = said(celeriac("pause", "--reason", "we move", "--for", "2h", "--yes"))
    line = "Paused: all clusters, we move (by someone on this machine, until 2026-09-21 16:13 UTC).\n"
    assert paused == line

    resumed = said(celeriac("resume", typed="y\n"))
    assert resumed.startswith(line)
    assert resumed.endswith("Resumed: all clusters.\n")
    assert world.pauses.standing(samples.NOW) == ()


def test_one_cluster_is_paused(celeriac, world):
    said(celeriac("pause", "--reason", "x", "--for", "30m", "--cluster", "billing", "--yes"))

    (one,) = world.pauses.standing(samples.NOW)
    assert (one.cluster, one.until - one.at) == ("billing", 1800)
    assert celeriac("resume", "--cluster", "orders", "--yes").exit_code != 0
    said(celeriac("resume", "--cluster", "billing", "--yes"))


@pytest.mark.parametrize(
    "verb", [("workers",), ("incidents",), ("workers", "orders-worker/2"), ("incidents", "--json")]
)
def test_whoever_looks_is_told_of_a_pause(celeriac, verb):
    """On standard error, so that JSON stays JSON."""
    said(celeriac("pause", "--reason", "we move", "--for", "2h", "--cluster", "orders", "--yes"))
    result = celeriac(*verb)

    assert result.stderr == "orders is paused: we move (by someone on this machine, until 2026-09-21 16:13 UTC)\n"
    assert "paused" not in result.stdout
    assert celeriac(*verb, "--cluster", "billing").stderr == "" or len(verb) > 1


@pytest.mark.parametrize("verb", [("workers",), ("incidents", "--json")])
def test_and_of_a_note_of_the_cluster(celeriac, world, verb):
    board = world.journal.boards["orders"]
    world.journal.boards["orders"] = msgspec.structs.replace(board, notes=("no shop.tick since 14:02:10 UTC",))

    assert celeriac(*verb).stderr == "orders: no shop.tick since 14:02:10 UTC\n"
    assert celeriac(*verb, "--cluster", "billing").stderr == ""


def test_a_no_pauses_nothing(celeriac, world):
    result = celeriac("pause", "--reason", "x", "--for", "1d", typed="n\n")

    assert (result.exit_code, world.pauses.all) == (1, {})


def test_what_a_resume_does_not_end_is_told(celeriac, world):
    """The file PAUSE still holds, as the keeper said last."""
    board = world.journal.boards["orders"]
    world.journal.boards["orders"] = msgspec.structs.replace(board, paused="the file PAUSE is in the data directory")
    said(celeriac("pause", "--reason", "x", "--for", "1d", "--yes"))

    text = said(celeriac("resume", "--yes"))
    assert "Still paused, as the keeper said last: orders: the file PAUSE is in the data directory." in text


@pytest.mark.parametrize("verb", [("approve", "inc-hung"), ("restart", "orders-worker/2")])
def test_what_an_order_passes_is_shown_before(celeriac, world, verb):
    judged_by(world, maintenance="backup")
    result = celeriac(*verb, typed="n\n")

    assert "This passes what holds the keeper now:\n" + "".join(f"  {one}\n" for one in PASSED) in result.stdout
    assert result.stdout.index("This passes") < result.stdout.index("[y/N]")
    assert world.requests.asked == {}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("pause", "--reason", "x", "--for", "soon", "--yes"), "'soon' is no span of time; write 30m, 2h or 1d."),
        (("pause", "--reason", "x", "--for", "0h", "--yes"), "'0h' is no span of time"),
        (("pause", "--reason", "x", "--for", "99d", "--yes"), "for_s: input should be less than or equal to"),
        (("resume",), "Error: Nothing is paused here"),
        (("release", "inc-hung"), "Error: The incident of orders-worker/2 cannot be released: nobody holds it."),
        (("close", "nope", "--yes"), "Error: No incident 'nope' is known."),
    ],
)
def test_what_goes_wrong_is_one_sentence_and_code_2(celeriac, capsys, arguments, words):
    assert run(list(arguments)) == 2
    assert words in capsys.readouterr().err
