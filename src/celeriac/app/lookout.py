"""A look that is taken again and again: what goes wrong in one must not end those that follow."""

from collections.abc import Callable

import structlog

from celeriac.core.errors import PortError

log = structlog.get_logger()


class Lookout:
    """Takes looks of one cluster; `trouble` is what people read, with the reason, when looks begin to fail."""

    def __init__(self, cluster: str, trouble: str) -> None:
        self._cluster, self._trouble = cluster, trouble
        self._failure: str | None = None

    def took(self, look: Callable[[], object]) -> bool:
        """Take a look, and tell whether it went well; the same reason is told once, not with every try."""
        why = self._why_not(look)
        if why and why != self._failure:
            log.warning(self._trouble, cluster=self._cluster, why=why)
        self._failure = why
        return why is None

    def _why_not(self, look: Callable[[], object]) -> str | None:
        try:
            look()
        except PortError as error:
            return str(error)
        except Exception as error:
            log.exception("a look gave what we cannot read", cluster=self._cluster)
            return f"a defect: {type(error).__name__}: {error}"
        return None
