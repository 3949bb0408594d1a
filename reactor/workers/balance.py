"""The numbers of open connections of all workers, in memory that they share.

A worker that is ahead of another one pauses before it accepts (``server/sharing.py``). The supervisor creates
the memory, and marks the entry of a worker that has ended; a worker writes its own.
"""

import mmap

ABSENT = 0xFFFFFFFF
# A worker is ahead of another one if it has more connections than 9/8 of that one's and TOLERANCE more.
TOLERANCE = 1
TOLERANCE_SHARE = 8


class ConnectionCounts:
    """The numbers of connections of ``count`` workers, which are counted from 1."""

    def __init__(self, count: int) -> None:
        self._counts = memoryview(mmap.mmap(-1, 4 * count)).cast("I")
        for number in range(1, count + 1):
            self.remove(number)

    def remove(self, number: int) -> None:
        """Ignore a worker, which does not accept connections."""
        self._counts[number - 1] = ABSENT

    def set(self, number: int, connections: int) -> None:
        """Set the number of connections of a worker."""
        self._counts[number - 1] = connections

    def is_ahead(self, number: int, connections: int) -> bool:
        """Set the number of connections of a worker; return whether another one has clearly fewer."""
        counts = self._counts
        counts[number - 1] = connections
        least = min(counts)
        return connections > least + TOLERANCE + least // TOLERANCE_SHARE
