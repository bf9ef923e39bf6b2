"""`celeriac replay`: a recording judged again, one JSON line for each change."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from celeriac import __main__ as program
from celeriac.cli import main
from recordings import FOLDER


def test_each_change_of_a_verdict_is_one_line_of_json():
    done = CliRunner().invoke(main, ["replay", str(FOLDER / "sigkill_main.jsonl")], catch_exceptions=False)
    told = [json.loads(line) for line in done.output.splitlines()]

    assert done.exit_code == 0
    assert [(one["worker"], one["verdict"]) for one in told] == [
        ("w1@h2", "healthy"),
        ("w2@h2", "healthy"),
        ("w1@h2", "crashed"),
    ]
    assert list(told[-1]) == ["t", "worker", "verdict", "suspect", "notes", "remedy", "held", "evidence"]
    assert {"signal", "reading", "at"} <= set(told[-1]["evidence"][0])


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read: No such file or directory."), ("nonsense\n", "Line 1 of the recording cannot be read:")],
)
def test_what_is_no_recording_is_told_in_a_sentence(tmp_path: Path, capsys, content, said):
    path = tmp_path / "some.jsonl"
    if content is not None:
        path.write_text(content)

    assert program.main(["replay", str(path)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("Error: ")
    assert said in told
    assert told.count("\n") == 1
