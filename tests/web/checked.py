"""A checkup of the sample world: its histories are those in memory, what is outside answers as each test says."""

from dataclasses import dataclass, field

from celeriac.app.checkup import Checkup, ClusterProbes, PlatformProbes, StoreProbes
from celeriac.core.apps import Rights
from celeriac.core.checkup.facts import Access, FileState, Lease, Purpose, StoreFile, StoreState
from celeriac.core.errors import PortError
from celeriac.core.limits import Policy
from celeriac.core.model import Clients, Mode

SUPPORTER = Rights("celeriac", "space_supporter", acts=True, reads_env=False, lacking=("space_developer",))


@dataclass
class Outside:
    """Broker, workers, platform and store as the checkup meets them; `refuses` holds errors by what is asked."""

    nodes: frozenset[str] = frozenset()
    rights_there: Rights = SUPPORTER
    ahead: float = 0.2
    refuses: dict[str, PortError] = field(default_factory=dict)
    at: float = 0.0
    asked: int = 0

    def access(self):
        self.asked += 1
        self._refuse("access")
        return (Access(Purpose.CLIENTS, ("CLIENT LIST",), ("CLIENT LIST",), "ACL SETUSER celeriac +client|list"),)

    def heartbeats(self):
        return None

    def clients(self, nodes):
        return Clients()

    def discover(self):
        return self.nodes

    def pools(self, nodes):
        return {}

    def rights(self):
        self._refuse("rights")
        return self.rights_there

    def clock_ahead(self):
        return self.ahead

    def state(self):
        return StoreState("/var/lib/celeriac", (StoreFile("control.db", FileState.CURRENT),), free=10**12, disk=10**13)

    def lease(self):
        return Lease("host:1", self.at + 8)

    def _refuse(self, what):
        if what in self.refuses:
            raise self.refuses[what]


def checkup(histories, journal, outside: Outside, clock) -> Checkup:
    """Return the checkup of these histories."""
    outside.at = clock()
    clusters = [
        ClusterProbes(
            name, "redis", Mode.APPROVE, one, one, outside, lambda: Policy(mode=Mode.APPROVE), outside, outside
        )
        for name, one in histories.items()
    ]
    platforms = [PlatformProbes("cf", "cloudfoundry", "api.example.com (shop/production)", outside)]
    return Checkup(clusters, platforms, StoreProbes(outside, journal), clock, serving=True)
