"""The shelf: what is known of files, kept for as long as it is what stands on the disk.

1. A file is known by its stamp; where that is the same, so is all that is said about the file.
2. The content is kept with it where it is short, and has not been changed for a while: the clock of a
   file system goes in steps, and a second change within one step would leave the stamp as it was.
3. The shelf is bounded in octets; one that is full is emptied, which costs reading its files again.

It opens no file, and knows no path: a name is whatever the store calls it by.
"""

from typing import NamedTuple

from .metadata import Description, Representation

LONGEST = 64 * 1024  # octets of one file; a longer one leaves the page cache without passing through here
LARGEST = 16 * 1024 * 1024  # octets of all files together
OVERHEAD = 2048  # octets that an entry costs beside its content, so that empty files are bounded, too
SETTLED = 2.0  # seconds without a change; the coarsest clock of a file system (FAT) has steps as long


class CacheEntry(NamedTuple):
    """One file on the shelf: the parts of its path, what is said about it, and its content or None."""

    parts: list[bytes]
    about: Description
    content: Representation | None

    @property
    def cost(self) -> int:
        """How many octets it takes."""
        return OVERHEAD + (self.about.size if self.content else 0)


class FileCache(dict[str, CacheEntry]):
    """What is kept, by name."""

    def __init__(self) -> None:
        super().__init__()
        self._size = 0

    @staticmethod
    def takes_content(about: Description, now: float) -> bool:
        """Say whether the content of a file is kept, too; ``now`` is in seconds since the epoch."""
        changed = max(about.stamp[3], about.stamp[4]) / 1e9
        return about.size <= LONGEST and changed + SETTLED < now

    def keep(self, name: str, kept: CacheEntry) -> None:
        """Put a file on the shelf, in place of what is kept of that name."""
        self.drop(name)
        if self._size + kept.cost > LARGEST:
            self.clear()
            self._size = 0
        self[name] = kept
        self._size += kept.cost

    def drop(self, name: str) -> None:
        """Take a file from the shelf, when it is there."""
        kept = self.pop(name, None)
        if kept is not None:
            self._size -= kept.cost
