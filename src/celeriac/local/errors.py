"""What goes wrong here, as one sentence for people."""


class LocalError(Exception):
    """A file or an option does not fit, or the socket is taken."""


class OrderError(Exception):
    """An order cannot be carried out; `kind` is missing, refused or conflict."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
