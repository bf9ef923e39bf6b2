"""The show itself: set the stage, say where to look and what to try, and break something every minute until Ctrl-C."""

import random
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path

import click
from celery.exceptions import OperationalError

from celeriac.client import ClientError
from celeriac.core.errors import CeleriacError, SettingsError
from celeriac.demo.breaks import Break, carry_out, choose
from celeriac.demo.check import Check
from celeriac.demo.servers import free_port, listens
from celeriac.demo.stage import Stage, set_up

EVERY_S = 60.0

TRY = """
The console is at {url}

Try, in another terminal:
  celeriac workers                       every worker with its verdict
  celeriac incidents                     what went wrong, and how it ended
  kill -9 PID   or   kill -STOP PID      of any worker (`celeriac workers` shows the pids)
  celeriac restart orders-worker/1       order a restart yourself
  echo "lunch" > {data}/store/PAUSE      no healing until the file is gone

{breaks}
Logs and data are in {data}. Ctrl-C ends everything.
"""


class Interrupted(Exception):  # noqa: N818 (not an error)
    """SIGTERM or Ctrl-C came."""


def run(*, port: int | None, data: Path | None, breaks: bool, check: bool, broker: str = "redis") -> int:
    """Run the demo; return the exit code. Nothing that it started outlives it."""
    _interrupt_on_signals()
    directory = data.absolute() if data else Path(tempfile.mkdtemp(prefix="celeriac-demo-"))
    try:
        with set_up(directory, _port(port, check=check), _say, broker=broker) as stage:
            if check:
                Check(stage.client, _say).run()
            else:
                _perform(stage, breaks=breaks)
    except Interrupted:
        _say("stopped")
    except CeleriacError as error:
        click.echo(str(error), err=True)
        return 1
    finally:
        if data is None:
            shutil.rmtree(directory, ignore_errors=True)
    return 0


def _perform(stage: Stage, *, breaks: bool) -> None:
    plan = "Something breaks every minute, and is told here." if breaks else "Nothing is broken (--no-breaks)."
    click.echo(TRY.format(url=stage.url, data=stage.data, breaks=plan))
    past: list[Break] = []
    rng = random.Random()  # noqa: S311 (which worker to break next is no secret)
    waiting = threading.Event()
    while True:
        waiting.wait(EVERY_S)
        if not breaks:
            continue
        try:
            workers = stage.client.workers()
            past.append(choose(workers, past, time.monotonic(), rng))
            _say(carry_out(past[-1], workers))
        except (ClientError, OperationalError, OSError, RuntimeError) as error:
            _say(f"broke nothing this time: {error}")


def _port(wanted: int | None, *, check: bool) -> int:
    """Return the console's port: a check takes a free one, unless a port is named."""
    port = wanted if wanted is not None else (0 if check else 5555)
    if port and listens(port):
        raise SettingsError(f"Another program listens on port {port}; choose another with --port, or 0 for a free one.")
    return port or free_port()


def _say(text: str) -> None:
    click.echo(f"{time.strftime('%H:%M:%S')}  {text}")


def _interrupt_on_signals() -> None:
    def interrupt(*_: object) -> None:
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, signal.SIG_IGN)  # one is enough: what runs is being stopped
        raise Interrupted

    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, interrupt)
