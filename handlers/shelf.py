"""The shelf: small files, kept in memory for as long as they are what stands on the disk.

1. A file is known by its stamp: where it is, how long it is, and when it was last changed. One
   ``stat`` tells whether what is kept is still what is there.
2. Only what has not been changed for a while is kept: the clock of a file system goes in steps, and
   a second change within one step would leave the stamp as it was.
3. The shelf is bounded in octets; one that is full is emptied, which costs reading its files again.

It opens no file, and knows no path: a name is whatever the store calls it by.
"""

import os
import time
from collections.abc import Callable
from typing import NamedTuple

LONGEST = 64 * 1024  # octets of one file; a longer one leaves the page cache without passing through here
LARGEST = 16 * 1024 * 1024  # octets of all files together
OVERHEAD = 512  # octets that an entry costs beside its content, so that empty files are bounded, too
SETTLED = 2.0  # seconds without a change; the coarsest clock of a file system (FAT) has steps as long

Stamp = tuple[int, int, int, int, int]


def stamp_of(status: os.stat_result) -> Stamp:
    """Return what changes whenever a file, or its content, is another one."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


class Kept(NamedTuple):
    """One file on the shelf: the parts of its path, its stamp, and its content."""

    parts: list[bytes]
    stamp: Stamp
    octets: bytes


class Shelf(dict[str, Kept]):
    """What is kept, by name. The wall clock, in seconds since the epoch, comes in from outside."""

    def __init__(self, wall_clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._wall_clock = wall_clock
        self._size = 0

    def takes(self, status: os.stat_result) -> bool:
        """Say whether a file is one to be kept: short, and not changed for a while."""
        changed = max(status.st_mtime, status.st_ctime)
        return status.st_size <= LONGEST and changed + SETTLED < self._wall_clock()

    def keep(self, name: str, kept: Kept) -> None:
        """Put a file on the shelf, in place of what is kept of that name."""
        self.drop(name)
        if self._size + len(kept.octets) + OVERHEAD > LARGEST:
            self.clear()
            self._size = 0
        self[name] = kept
        self._size += len(kept.octets) + OVERHEAD

    def drop(self, name: str) -> None:
        """Take a file from the shelf, when it is there."""
        kept = self.pop(name, None)
        if kept is not None:
            self._size -= len(kept.octets) + OVERHEAD
