"""A Bloom filter of the ids in one partition: tells at once which of many ids are surely not there.

Blocked by 64-bit words, so that an id costs one look at memory (Putze, Sanders, Singler: "Cache-, Hash- and
Space-Efficient Bloom Filters", 2009); with five bits an id and 21 bits of room for each, about 0.3 % answer wrongly that
they may be there. Its size is a power of two, so that it can be folded in halves. Asking 50 partitions for 20,000 new ids takes milliseconds; looking them up in 50 indexes takes seconds.
"""

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BLOCKS = 1 << 16
_IDS_A_BLOCK = 3
_SHIFTS = tuple(np.uint64(shift) for shift in (0, 6, 12, 18, 24))
_SIX = np.uint64(63)
_ONE = np.uint64(1)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))  # splitmix64's

Ids = tuple[NDArray[np.intp], NDArray[np.uint64]]
"""For each id the number of its block, and the bits that it sets there."""


def ids(keys: Sequence[bytes]) -> Ids:
    """Return the places of these 16-byte keys."""
    halves = np.frombuffer(b"".join(keys), dtype="<u8").reshape(-1, 2)
    mixed = (halves[:, 0] ^ (halves[:, 1] * _MIX[0])) * _MIX[1]
    mixed ^= mixed >> np.uint64(31)
    bits = np.zeros_like(mixed)
    for shift in _SHIFTS:
        bits |= _ONE << ((mixed >> shift) & _SIX)
    return (mixed >> np.uint64(48)).astype(np.intp), bits


class Sieve:
    """The ids of one partition."""

    def __init__(self, packed: bytes | None = None) -> None:
        if packed is None:
            self._blocks = np.zeros(BLOCKS, dtype=np.uint64)
        else:
            self._blocks = np.frombuffer(bytearray(zlib.decompress(packed)), dtype=np.uint64)

    def add(self, these: Ids) -> None:
        """Take up these ids."""
        np.bitwise_or.at(self._blocks, self._places(these), these[1])

    def passes(self, these: Ids) -> NDArray[np.bool_]:
        """Tell for each id whether it may be here; False is sure."""
        bits = these[1]
        here: NDArray[np.bool_] = (self._blocks[self._places(these)] & bits) == bits
        return here

    def fit(self, number: int) -> None:
        """Take no more room than so many ids need, once no others come: a quiet cluster has many small partitions."""
        while len(self._blocks) > 1 and len(self._blocks) * _IDS_A_BLOCK >= 2 * number:
            half = len(self._blocks) // 2
            self._blocks = self._blocks[:half] | self._blocks[half:]

    def packed(self) -> bytes:
        """Return it as bytes for the store."""
        return zlib.compress(self._blocks.tobytes(), level=1)

    def _places(self, these: Ids) -> NDArray[np.intp]:
        return these[0] & (len(self._blocks) - 1)
