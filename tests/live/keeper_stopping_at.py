"""A keeper that stands still at one named point: it writes a file there, and goes on when the file is removed."""

import sys
import threading
from pathlib import Path

from celeriac.bootstrap.keeping import run_keeper
from celeriac.bootstrap.process import configure_logging, until_signalled
from celeriac.settings import read

config, wanted, flag = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])


def reached(point: str) -> None:
    if point == wanted:
        flag.write_text(point)
        while flag.exists():
            threading.Event().wait(0.02)


configure_logging("keeper")
run_keeper(read(config), until_signalled(), reached=reached)
