"""What the console serves: the reads and the orders of whoever asks."""

from typing import NamedTuple

from celeriac.app.access.acting import Register
from celeriac.app.commands import Commands
from celeriac.app.queries import Library, Queries
from celeriac.core.access import EVERYTHING, Actor, Means

ITSELF = Actor("the console", EVERYTHING, Means.ITSELF)
"""Who asks for what is told to nobody as it is: whether something changed, whether all is well."""


class Service(NamedTuple):
    """Makes the reads and orders of an actor; they cost next to nothing and live as long as a request."""

    library: Library
    register: Register

    def queries(self, actor: Actor) -> Queries:
        """Return what this actor may read."""
        return Queries(self.library, self.register.acting(actor))

    def commands(self, actor: Actor) -> Commands:
        """Return what this actor may order."""
        acting, one = self.register.acting(actor), self.library
        return Commands(Queries(one, acting), one.journal, one.requests, one.clock, acting)
