"""`celeriac local`: reads the files, starts the app, answers on the socket, and stops all of it when told to."""

import os
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from celeriac.local.display import Display
from celeriac.local.errors import LocalError
from celeriac.local.files import procfile, variables
from celeriac.local.host import MOST_INSTANCES, Host
from celeriac.local.records import Records
from celeriac.local.server import serving

LAST_WORDS_S = 1.0
"""Where standard output stands still, what was to be shown is given up after this time."""


@dataclass(frozen=True)
class Options:
    """What is run and how; `grace` is seconds between SIGTERM and SIGKILL."""

    file: Path
    name: str
    scale: Mapping[str, int] = field(default_factory=dict)
    env_file: Path | None = None
    socket: Path | None = None
    grace: float = 10.0


def socket_of(name: str) -> Path:
    """Return where an app of this name answers, unless it is told otherwise."""
    own = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(own) / "celeriac" if own else Path(tempfile.gettempdir()) / f"celeriac-{os.geteuid()}"
    return folder / f"{name}.sock"


def run(options: Options, stopping: threading.Event) -> None:
    """Run the app until `stopping` is set; standard output shows where it is asked, and every line of its processes."""
    commands = procfile(options.file)
    for process, instances in options.scale.items():
        if process not in commands:
            raise LocalError(f"--scale {process}={instances}: {options.file} has no process {process}.")
        if not 0 <= instances <= MOST_INSTANCES:
            raise LocalError(f"--scale {process}={instances}: give 0 to {MOST_INSTANCES} instances.")
    env = variables(options.env_file) if options.env_file else {}
    path = (options.socket or socket_of(options.name)).absolute()
    display = Display()
    folder = options.file.absolute().parent
    host = Host(options.name, commands, env, folder, options.grace, Records(display))
    with serving(host, path):
        try:
            host.start(options.scale)
            display.say(f"{options.name} runs; it is asked on {path}")
            stopping.wait()
        finally:
            host.stop()
            display.close(LAST_WORDS_S)
