"""A TCP proxy between a worker and its broker that can turn its open connections half-open: nothing passes, nothing closes.

That is what a firewall or a lost route does. Connections made later pass, as they do when the way is there again.
"""

import contextlib
import select
import socket
import threading
from collections.abc import Callable

CHUNK = 65536
TICK_S = 0.2


class Connection:
    """One pair of sockets, pumped by a thread of its own."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self._other = {client: server, server: client}
        self._client = client
        self._silent, self._closed = threading.Event(), threading.Event()
        self.last_sent = b""
        """The last thing that the client said."""

    def start(self) -> None:
        """Forward from now on."""
        threading.Thread(target=self._pump, name="proxied connection", daemon=True).start()

    def silence(self) -> None:
        """Forward nothing any more, in either direction."""
        self._silent.set()

    def close(self) -> None:
        """End it on both sides."""
        self._closed.set()

    def _pump(self) -> None:
        with contextlib.suppress(OSError):
            while not self._closed.is_set():
                if self._silent.is_set():
                    self._closed.wait(TICK_S)
                    continue
                for ready in select.select(list(self._other), [], [], TICK_S)[0]:
                    data = ready.recv(CHUNK)
                    if not data:
                        return self._end()
                    if self._silent.is_set():
                        break
                    if ready is self._client:
                        self.last_sent = data
                    self._other[ready].sendall(data)
        return self._end()

    def _end(self) -> None:
        self._closed.set()
        for one in self._other:
            one.close()


class Proxy:
    """Listens on a free loopback port and forwards to another; `close` ends all of it."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._connections: list[Connection] = []
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def silence(self, which: Callable[[Connection], bool] = lambda _: True) -> int:
        """Turn the open connections that `which` chooses half-open; return how many."""
        chosen = [one for one in self._connections if which(one)]
        for one in chosen:
            one.silence()
        return len(chosen)

    def cut(self) -> None:
        """Close all connections; new ones are taken."""
        for one in self._connections:
            one.close()
        self._connections.clear()

    def close(self) -> None:
        """Close everything."""
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._to), timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            connection = Connection(client, server)
            self._connections.append(connection)  # known before it says a word: else a cut could miss it
            connection.start()
