"""One row, in a process of its own: set up, break, watch, judge, write down. Run by `faults.matrix`."""

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from celeriac.core.errors import CeleriacError
from faults.expected import Expected, expected
from faults.injections import INJECTIONS, WATCHED_S
from faults.judging import Story, judge
from faults.recorder import Recorder
from faults.rows import BY_ID, Row
from faults.stage import Stage, set_up
from faults.watch import StageError, Watch

START_S = 120.0
REMEDY_S = 240.0
"""How long a remedy and its proof may take from the fault on."""

ALONE_S = 120.0
"""After so long without an incident it is taken to have got well by itself: longer than deafness after an outage takes to convict."""

HOPELESS_S = 150.0
"""After so long without an incident none will come."""

AFTER_S = 5.0


def run(row: Row, folder: Path, vhost_url: str | None, record: Path | None = None) -> dict[str, Any]:
    """Carry out a row, and return what the results file keeps of it."""
    begun = time.time()
    try:
        with set_up(row, folder, vhost_url) as stage:
            watch = Watch(stage.client)
            try:
                with _recording(stage, watch, record) as mark:
                    story = _break(row, stage, watch, mark)
            finally:
                watch.stop()
            judgement = judge(expected(row), story)
            beats = [age for name, age in watch.oldest_beat.items() if name not in story.ill]
    except (CeleriacError, OSError) as error:
        return _written(row, begun, missing=_told(error))
    found = _written(row, begun, **asdict(judgement), sibling_beat_s=round(max(beats, default=0.0), 1))
    if judgement.wrong:
        found["detail"] = _detail(story)
    return found


def _told(error: Exception) -> str:
    """Return its first line, and the last one, where the log of what broke ends."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[0] if len(lines) == 1 else f"{lines[0]} {lines[-1]}"


def _written(row: Row, begun: float, **more: Any) -> dict[str, Any]:
    return {"id": row.id, "row": asdict(row), "at": round(begun), "took_s": round(time.time() - begun, 1), **more}


@contextlib.contextmanager
def _recording(stage: Stage, watch: Watch, path: Path | None) -> Iterator[Callable[[str], None]]:
    """Record the row into `path`, if there is one; gives what takes down what is done."""
    if path is None:
        yield lambda _: None
        return

    def pids() -> dict[str, int]:
        return {one.node: one.pid for one in watch.workers.values() if one.node and one.pid}

    recorder = Recorder(path, stage.broker_url, stage.session, stage.app_guids(), pids)
    recorder.mark("versions", celery=stage.row.celery, broker=stage.row.broker, pool=stage.row.pool)
    try:
        yield recorder.mark
    finally:
        recorder.close()


def _break(row: Row, stage: Stage, watch: Watch, mark: Callable[[str], None]) -> Story:
    names = [f"{app}/{index}" for app, count in stage.setup.apps for index in range(count)]
    watch.until(lambda: watch.healthy(names), START_S, "every worker is healthy")
    wanted = expected(row)
    ill: frozenset[str] = frozenset()
    watch.approve = lambda incident: wanted.approved and incident.worker_name in ill
    fault_at = time.time()
    mark(f"{row.mode} begins: {BY_ID[row.mode].what}")
    ill = INJECTIONS[row.mode](stage, watch)
    mark(f"ill: {', '.join(sorted(ill))}")
    _look_on(row, watch, wanted, ill, fault_at)
    restarts = tuple(
        (f"{one['target']['name']}/{one['data']['process_index']}", one["actor"]["name"])
        for one in stage.events("audit.app.process.terminate_instance")
    )
    last = {name: watch.verdict(name) for name in names}
    incidents = tuple(watch.stories({one.worker_name for one in watch.incidents.values()}))
    return Story(
        fault_at,
        ill,
        tuple(watch.looks),
        incidents,
        restarts,
        last,
        frozenset(watch.approved),
        watch.first_beats,
        tuple(watch.notes),
    )


def _look_on(row: Row, watch: Watch, wanted: Expected, ill: frozenset[str], fault_at: float) -> None:
    """Watch as long as something may still come; what has not come by then is for the judge."""
    names = set(watch.workers)
    watched_s = WATCHED_S.get(row.mode, 45.0)
    end = time.monotonic() + watched_s

    def settled() -> bool:
        stories = watch.stories(ill)
        if not stories and time.time() - fault_at > max(HOPELESS_S, watched_s + ALONE_S):
            return True
        if wanted.told:
            return any(wanted.told in note for note in watch.notes) or time.monotonic() > end
        over = bool(stories) and all(one.state in {"resolved", "escalated"} for one in stories)
        well = watch.healthy(names if wanted.back else names - ill)
        if wanted.remedies or (wanted.proven and not wanted.alone):
            return well and (over or (wanted.alone and not stories and time.time() - fault_at > ALONE_S))
        if not wanted.back:
            return over and time.monotonic() > end - 30
        return well and time.monotonic() > end

    _wait(watch, settled, fault_at + max(REMEDY_S, watched_s + ALONE_S + REMEDY_S / 2) - time.time())
    _wait(watch, lambda: False, AFTER_S)


def _wait(watch: Watch, condition: Callable[[], bool], within: float) -> None:
    try:
        watch.until(condition, within, "")
    except StageError:
        return


def _detail(story: Story) -> list[str]:
    """Return the story as lines: only a wrong row keeps them."""
    lines = [
        f"{look.at - story.fault_at:7.1f} s  {look.worker} {look.verdict}{' suspect' if look.suspect else ''}: "
        f"{'; '.join(look.notes)}"
        for look in story.looks
    ]
    lines += [f"note of the cluster: {note}" for note in story.notes]
    for one in story.incidents:
        lines.append(f"incident of {one.worker_name}: {one.verdict}, {one.state} {one.held_reason or ''}")
        lines += [f"  evidence  {line.signal}: {line.reading}" for line in one.evidence]
        lines += [f"  {step.at.timestamp() - story.fault_at:7.1f} s  {step.kind}: {step.text}" for step in one.steps]
    return lines


def main() -> None:
    """Take an order as JSON in the first argument, and write the result where it says."""
    order = json.loads(sys.argv[1])
    os.nice(order.get("nice", 0))
    record = Path(order["record"]) if order.get("record") else None
    found = run(Row(**order["row"]), Path(order["folder"]), order.get("vhost"), record)
    Path(order["result"]).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
