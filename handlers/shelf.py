"""The shelf: small files, kept in memory for as long as they are what stands on the disk.

1. A file is known by its stamp; one ``stat`` tells whether what is kept is still what is there.
2. Only what has not been changed for a while is kept: the clock of a file system goes in steps, and
   a second change within one step would leave the stamp as it was.
3. The shelf is bounded in octets; one that is full is emptied, which costs reading its files again.

It opens no file, and knows no path: a name is whatever the store calls it by.
"""

from typing import NamedTuple

from handlers.representation import Representation

LONGEST = 64 * 1024  # octets of one file; a longer one leaves the page cache without passing through here
LARGEST = 16 * 1024 * 1024  # octets of all files together
OVERHEAD = 1024  # octets that an entry costs beside its content, so that empty files are bounded, too
SETTLED = 2.0  # seconds without a change; the coarsest clock of a file system (FAT) has steps as long


class Kept(NamedTuple):
    """One file on the shelf: the parts of its path, and its content, which is in memory."""

    parts: list[bytes]
    representation: Representation


class Shelf(dict[str, Kept]):
    """What is kept, by name."""

    def __init__(self) -> None:
        super().__init__()
        self._size = 0

    def takes(self, found: Representation, now: float) -> bool:
        """Say whether a file is one to be kept: short, and not changed for a while.

        ``now`` is in seconds since the epoch.
        """
        changed = max(found.stamp[3], found.stamp[4]) / 1e9
        return found.size <= LONGEST and changed + SETTLED < now

    def keep(self, name: str, kept: Kept) -> None:
        """Put a file on the shelf, in place of what is kept of that name."""
        self.drop(name)
        cost = kept.representation.size + OVERHEAD
        if self._size + cost > LARGEST:
            self.clear()
            self._size = 0
        self[name] = kept
        self._size += cost

    def drop(self, name: str) -> None:
        """Take a file from the shelf, when it is there."""
        kept = self.pop(name, None)
        if kept is not None:
            self._size -= kept.representation.size + OVERHEAD
