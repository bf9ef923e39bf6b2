"""`celeriac plan`: one moment judged again, offline."""

import json
from pathlib import Path

from click.testing import CliRunner

from celeriac.cli import main
from celeriac.core.limits import Policy
from celeriac.core.model import Mode
from celeriac.core.offline import Moment, dump
from core.builders import seen, worker


def plan(path: Path, *more: str):
    return CliRunner().invoke(main, ["plan", "--snapshot", str(path), *more], catch_exceptions=False)


def moment(folder: Path, mode: Mode) -> Path:
    path = folder / "moment.json"
    path.write_bytes(dump(Moment(seen(worker(0), worker(1, silent=35)), policy=Policy(mode=mode))))
    return path


def test_a_moment_is_explained_with_its_evidence(tmp_path: Path) -> None:
    """Each worker's verdict, what it rests on, and what would be done."""
    told = plan(moment(tmp_path, Mode.AUTO))

    assert told.exit_code == 0
    assert "orders-worker/0  healthy" in told.output
    assert "orders-worker/1  hung, suspect" in told.output
    assert "ping: no answer" in told.output
    assert "would act on orders-worker/1: restart (guid guid-1-1)" in told.output


def test_what_is_held_names_its_reason(tmp_path: Path) -> None:
    """In mode approve nothing would be restarted, and the incident says why."""
    told = plan(moment(tmp_path, Mode.APPROVE))

    assert "incident orders-worker/1: hung, held (mode)" in told.output
    assert "would act" not in told.output
    assert "nothing to do" in told.output


def test_a_moment_as_json(tmp_path: Path) -> None:
    """Findings, incidents and acts can be had as JSON."""
    told = json.loads(plan(moment(tmp_path, Mode.AUTO), "--json").output)

    assert [one["verdict"] for one in told["findings"]] == ["healthy", "hung"]
    assert told["acts"][0]["instance"]["index"] == 1
