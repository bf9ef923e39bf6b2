"""Standard output, written in a thread of its own: whoever shows a line never waits for a terminal or a pipe.

A terminal that is held by Ctrl-S, or a pipe that nobody reads, would else hold up whoever reads the processes' output, and so
the processes themselves. As many lines wait as it may take; then the oldest are left out, and how many is said in their place.
"""

import os
import select
import threading
import time
from collections import deque

WAITING_AT_MOST = 1_000
COLOURS = (36, 33, 32, 35, 34, 31)


class Display:
    """Shows lines on standard output, or on another descriptor, until it is closed or that is gone."""

    def __init__(self, descriptor: int = 1) -> None:
        self._descriptor, self._colour = descriptor, os.isatty(descriptor)
        self._colours: dict[str, int] = {}
        self._change = threading.Condition()
        self._waiting: deque[str] = deque()
        self._left_out = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="display", daemon=True)
        self._thread.start()

    def line(self, at: float, writer: str, text: str) -> None:
        """Show a line with its time and who wrote it."""
        prefix = f"{time.strftime('%H:%M:%S', time.localtime(at))} {writer:<12} |"
        if self._colour:
            colour = self._colours.setdefault(writer, COLOURS[len(self._colours) % len(COLOURS)])
            prefix = f"\x1b[{colour}m{prefix}\x1b[0m"
        self.say(f"{prefix} {text}")

    def say(self, text: str) -> None:
        """Show a line as it is."""
        with self._change:
            if self._closed:
                return
            if len(self._waiting) >= WAITING_AT_MOST:
                self._waiting.popleft()
                self._left_out += 1
            self._waiting.append(text)
            self._change.notify()

    def close(self, within: float) -> None:
        """Show what still waits, for at most so many seconds, and nothing more."""
        with self._change:
            self._closed = True
            self._change.notify()
        self._thread.join(within)

    def _run(self) -> None:
        try:
            while text := self._next():
                self._write(text.encode(errors="replace"))
        except OSError:  # the terminal is gone: the processes go on
            with self._change:
                self._closed = True
                self._waiting.clear()

    def _next(self) -> str:
        """Wait for lines, and return all that wait; nothing once it is closed."""
        with self._change:
            self._change.wait_for(lambda: self._waiting or self._closed)
            lines = list(self._waiting)
            if self._left_out:
                lines.insert(0, f"... {self._left_out} lines are left out here, as they were not taken in time")
            self._waiting.clear()
            self._left_out = 0
            return "".join(f"{one}\n" for one in lines)

    def _write(self, told: bytes) -> None:
        """Write by the descriptor itself: a lock of Python's stream would be held at the end of the process too."""
        while told:
            try:
                told = told[os.write(self._descriptor, told) :]
            except BlockingIOError:  # somebody else has set this terminal so
                select.select([], [self._descriptor], [])
