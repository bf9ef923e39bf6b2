"""A way to a server that forgets its connections, as a firewall may: both ends believe in them and hear nothing more."""

import contextlib
import socket
import threading


class ForgetfulWay:
    """Passes bytes between its own `port` on loopback and another one; what was open at `forget` is swallowed from then on."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._open: list[socket.socket] = []
        self._forgotten: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def forget(self) -> None:
        self._forgotten.update(self._open)

    def close(self) -> None:
        for one in (self._server, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, far = self._server.accept()[0], socket.create_connection(("127.0.0.1", self._to))
                self._open += near, far
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source: socket.socket, to: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if source not in self._forgotten:
                    to.sendall(data)
            if source not in self._forgotten:
                to.shutdown(socket.SHUT_WR)
