"""A keeper that stands still at one named point: it writes a file there, and goes on when the file is removed."""

import sys
import time
from pathlib import Path

from celeriac import bootstrap
from celeriac.settings import read

config, wanted, flag = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])


def reached(point: str) -> None:
    if point == wanted:
        flag.write_text(point)
        while flag.exists():
            time.sleep(0.02)


bootstrap.configure_logging("keeper")
bootstrap.run_keeper(read(config), bootstrap.until_signalled(), reached=reached)
