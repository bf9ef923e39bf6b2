"""The path that a proxy puts before ours, whether it strips it or passes it on."""

from starlette.types import ASGIApp, Receive, Scope, Send


class Prefix:
    """Middleware: makes every path begin with the prefix, and tells the app so by ASGI's `root_path`.

    The scope itself is changed, so that what runs outside of this, like the page of an unexpected error, knows too.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app = app
        self._root = root_path
        self._raw = root_path.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._root:
            path, raw = scope["path"], scope.get("raw_path") or scope["path"].encode()
            if path == self._root:
                path, raw = f"{path}/", raw + b"/"
            elif not path.startswith(f"{self._root}/"):
                path, raw = self._root + path, self._raw + raw
            scope.update(root_path=self._root, path=path, raw_path=raw)
        await self._app(scope, receive, send)


def own_path(scope: Scope) -> str:
    """Return the path below the prefix."""
    path, prefix = str(scope["path"]), str(scope.get("root_path", ""))
    return path.removeprefix(prefix)
