"""An in-memory cache of small files and their metadata, validated by ``stat``.

1. An entry is valid while the fingerprint of the file is unchanged.
2. The content of a small file is cached too, once the file has not been modified for ``MIN_AGE``: file
   system clocks advance in steps, and another change within one step does not change the fingerprint.
3. The cache is bounded in bytes, and is cleared when it is full.

The cache does not open files; its keys are the names that the store uses.
"""

from typing import NamedTuple

from .metadata import CTIME, MTIME, FileMetadata, Representation

MAX_FILE_SIZE = 64 * 1024  # bytes; larger files are sent from the page cache
MAX_TOTAL_SIZE = 16 * 1024 * 1024  # bytes of all entries
OVERHEAD = 2048  # bytes of an entry without its content, so that empty files count too
MIN_AGE = 2.0  # seconds since the last change; the coarsest file system clock (FAT) has 2 s steps


class CacheEntry(NamedTuple):
    """One cached file: the parts of its path, its metadata, and, if its content is cached, all of it."""

    parts: list[bytes]
    metadata: FileMetadata
    representation: Representation | None

    @property
    def cost(self) -> int:
        """The size of the entry in bytes."""
        return OVERHEAD + (self.metadata.size if self.representation else 0)


class FileCache(dict[str, CacheEntry]):
    """The cached files, by name."""

    def __init__(self) -> None:
        super().__init__()
        self._size = 0

    @staticmethod
    def accepts_content(metadata: FileMetadata, now: float) -> bool:
        """Return whether the content of a file may be cached; ``now`` is in seconds since the epoch."""
        changed_at = max(metadata.fingerprint[MTIME], metadata.fingerprint[CTIME]) / 1e9
        return metadata.size <= MAX_FILE_SIZE and changed_at + MIN_AGE < now

    def put(self, name: str, entry: CacheEntry) -> None:
        """Add an entry, replacing any entry with the same name."""
        self.drop(name)
        if self._size + entry.cost > MAX_TOTAL_SIZE:
            self.clear()
            self._size = 0
        self[name] = entry
        self._size += entry.cost

    def drop(self, name: str) -> None:
        """Remove the entry with this name, if any."""
        entry = self.pop(name, None)
        if entry is not None:
            self._size -= entry.cost
