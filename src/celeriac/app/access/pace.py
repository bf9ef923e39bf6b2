"""How often somebody may ask who has not shown who they are: counted in memory, by the network that they come from."""

import ipaddress
import threading
from collections import OrderedDict

MOST_KEYS = 10_000
"""So many are counted at a time; of more, the ones that have asked the least lately are forgotten."""

V6_NETWORK = 64
"""One customer or machine has at least such a network to itself (RFC 6177): its addresses are no limit to anybody."""


class Pace:
    """At most so many of each key within a time, in seconds; the time begins with the first. Safe for threads."""

    def __init__(self, most: int, within_s: float) -> None:
        self._most, self._within_s = most, within_s
        self._counted: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._lock = threading.Lock()

    def took(self, key: str, now: float) -> bool:
        """Count one more; false, and uncounted, where there were as many already."""
        with self._lock:
            since, so_far = self._counted.get(key, (now, 0))
            if not since <= now < since + self._within_s:
                since, so_far = now, 0
            if so_far >= self._most:
                return False
            self._counted[key] = since, so_far + 1
            self._counted.move_to_end(key)
            if len(self._counted) > MOST_KEYS:
                self._counted.popitem(last=False)
            return True

    def gave_back(self, key: str) -> None:
        """Uncount one that turned out to be good."""
        with self._lock:
            if key in self._counted:
                since, so_far = self._counted[key]
                self._counted[key] = since, max(0, so_far - 1)


def origin(address: str) -> str:
    """Return what an address is counted as: an IPv6 address as its network, one of IPv4 as itself."""
    try:
        at = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(at, ipaddress.IPv6Address):
        mapped = at.ipv4_mapped
        return str(mapped or ipaddress.ip_network((int(at), V6_NETWORK), strict=False))
    return str(at)
