"""Running the emulator: in this process for tests and the demonstration, or as a command until a signal ends it.

Everything that it keeps is in memory. When it stops, its instances stop first; when it is killed, they die with it.
"""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn

from celeriac.emulator.app import create_app
from celeriac.emulator.clock import Clock
from celeriac.emulator.config import EmulatorConfig, UserConfig, load
from celeriac.emulator.foundation import Foundation, build
from celeriac.emulator.manifest import Manifest, read_manifest
from celeriac.emulator.tables import EmulatorConfigError
from celeriac.processes import ending_signals

_STOP_SECONDS = 3.0  # how long instances have to end when the emulator ends
_ANSWER_SECONDS = 2  # how long requests under way have to end before that


class Emulator:
    """A running foundation on a loopback address; use it as a context manager, or `start` and `stop` it."""

    def __init__(
        self, config: EmulatorConfig, *, on_end: Callable[[], None] | None = None, true_time: Clock = time.time
    ) -> None:
        self._config = config
        self._on_end = on_end
        self._ready: Path | None = None
        self._socket = _listen(config.host, config.port)
        host = f"[{config.host}]" if ":" in config.host else config.host
        self.url = f"http://{host}:{self._socket.getsockname()[1]}"
        self.foundation: Foundation = build(config, self.url, true_time)
        settings = uvicorn.Config(
            create_app(self.foundation),
            access_log=False,
            log_config=None,
            # uvicorn logs a traceback for each request that its shutdown cuts; ours are logged in `app`.
            log_level="critical",
            lifespan="off",
            date_header=False,  # by the foundation's own clock, in `app`
            timeout_graceful_shutdown=_ANSWER_SECONDS,
        )
        self._server = uvicorn.Server(settings)
        self._threads = [
            threading.Thread(target=self._answer, name="emulator http", daemon=True),
            threading.Thread(target=self.foundation.diego.run, name="emulator convergence", daemon=True),
            threading.Thread(target=self.foundation.deployments.run, name="emulator deployments", daemon=True),
            threading.Thread(target=self.foundation.gauges.run, name="emulator gauges", daemon=True),
        ]

    def start(self) -> None:
        """Start the seeded apps and answer requests; the address works when this returns."""
        for thread in self._threads:
            thread.start()
        self.foundation.controller.run_seeded()
        if self._config.ready_file:
            _write_whole(self._config.ready_file, f"{self.url}\n")
            self._ready = self._config.ready_file

    def stop(self) -> None:
        """Stop answering, then end all instances: SIGTERM, and SIGKILL after 3 s."""
        if self._ready:
            self._ready.unlink(missing_ok=True)
        self._server.should_exit = True
        self._threads[0].join()
        self.foundation.deployments.close()
        self.foundation.gauges.close()
        self.foundation.diego.close(_STOP_SECONDS)
        for thread in self._threads[1:]:
            thread.join()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _answer(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        finally:
            if self._on_end:
                self._on_end()


ADMIN = UserConfig("admin", "admin")
"""Who logs in where there are manifests and no file of the emulator's own."""


def described(config: Path | None, manifests: Sequence[Manifest], port: int | None = None) -> EmulatorConfig:
    """Return what a TOML file and manifests describe together; `port` overrides the file's."""
    settings = load(config) if config else EmulatorConfig(apps=(), users=(ADMIN,))
    apps = list(settings.apps)
    for manifest in manifests:
        for app in read_manifest(manifest, settings.services):
            if app.name in {each.name for each in apps}:
                message = f"{manifest.path}: the app {app.name!r} is described twice: give each its own name"
                raise EmulatorConfigError(message)
            apps.append(app)
    settings = replace(settings, apps=tuple(apps))
    return settings if port is None else replace(settings, port=port)


def serve(config: Path | None, manifests: Sequence[Manifest] = (), *, port: int | None = None) -> None:
    """Run the emulator that a TOML file and manifests describe until a signal; raises `EmulatorConfigError`.

    It must run on the main thread and ends by SIGTERM, SIGINT or the end of its terminal. The first line on standard output holds the address.
    """
    settings = described(config, manifests, port)
    wake_read, wake_write = os.pipe()

    def wake() -> None:
        os.write(wake_write, b".")

    os.set_blocking(wake_write, False)
    # Not by a handler: one that is due just before the main thread begins to read would not run while it reads.
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    for signum in ending_signals():
        signal.signal(signum, lambda *_: None)
    with Emulator(settings, on_end=wake) as emulator:
        sys.stdout.write(
            f"The emulated Cloud Foundry answers at {emulator.url}\n"
            "Everything is in memory and gone when it stops: it is for demonstrations and tests.\n"
            + ("" if config else f"Log in as {ADMIN.name} with the password {ADMIN.password}.\n")
        )
        sys.stdout.flush()
        os.read(wake_read, 1)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay off only where the protocol is named; else each answer takes 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        message = f"port is {port}, which cannot be listened on at {host} ({error.strerror}): give another, or 0"
        raise EmulatorConfigError(message) from error
    return listener


def _write_whole(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        message = f"ready_file is {str(path)!r}, which cannot be written ({error.strerror}): give another path"
        raise EmulatorConfigError(message) from error
