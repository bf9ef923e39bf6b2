"""Celeriac's console as a user runs it, on a store that an observer writes."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.asking import Caller
from benchmarks.brokers import started
from benchmarks.observer import CLUSTER
from celeriac.demo.servers import free_port, listens

SETTINGS = """store = "{store}"

[console]
port = {port}

[[cluster]]
name = "{cluster}"
broker = "{broker}"
"""


@contextlib.contextmanager
def running(store: Path, folder: Path, broker: str = "redis://127.0.0.1:1/0") -> Iterator[Caller]:
    """Run the console until the block ends, and give a connection to it."""
    port = free_port()
    config = folder / "celeriac.toml"
    config.write_text(SETTINGS.format(store=store, port=port, cluster=CLUSTER, broker=broker))
    command = [sys.executable, "-m", "celeriac"]
    subprocess.run([*command, "migrate", "--config", str(config)], check=True, stdout=subprocess.DEVNULL, timeout=120)
    argv = [*command, "serve", "--only", "console", "--config", str(config)]
    with (
        started("console", argv, folder, lambda: listens(port)),
        contextlib.closing(Caller(f"http://127.0.0.1:{port}")) as caller,
    ):
        yield caller
