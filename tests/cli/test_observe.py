"""The line that `celeriac observe` prints."""

import json

import httpx2
import pytest

from celeriac.cli.observe import Lines
from web import samples


@pytest.mark.parametrize("error", [None, "Connection refused \x9b2J"])
def test_an_observers_line_says_what_the_api_says_of_it(world, console, capsys, error):
    heard = samples.heard(10_422, lost_events=1_203, lost_tasks=2, error=error, rows=17)
    world.histories["billing"].heard = heard
    world.time = heard.observed_at

    Lines(every=0.0)(heard)

    word, _, line = capsys.readouterr().out.partition(" ")
    (told,) = httpx2.get(f"{console.url}/api/v1/observation?cluster=billing").json()["items"]
    assert word == "observation"
    assert line.isascii()
    assert json.loads(line) == {
        name: value for name, value in told.items() if name not in {"cluster", "troubles", "coverage"}
    }
    assert (told["tasks_lost"], told["error"], told["rows_written"]) == (2, error, 17)
