"""An in-memory cache of small files and their metadata, validated by ``stat``.

1. A file is identified by its fingerprint; while that is the same, its metadata is valid.
2. The content of a small file is cached, too, once the file has not been modified for a while: the clock
   of a file system advances in steps, and a second change within one step keeps the fingerprint.
3. The cache is bounded in bytes; when it is full it is cleared, which costs reading its files again.

It opens no file and knows no path: a key is the name that the store uses.
"""

from typing import NamedTuple

from .metadata import FileMetadata, Representation

MAX_FILE_SIZE = 64 * 1024  # octets of one file; larger ones are sent from the page cache
MAX_TOTAL_SIZE = 16 * 1024 * 1024  # octets of all files together
OVERHEAD = 2048  # octets of an entry without its content, so that empty files are bounded, too
MIN_AGE = 2.0  # seconds without a change; the coarsest clock of a file system (FAT) has steps as long


class CacheEntry(NamedTuple):
    """One cached file: the parts of its path, its metadata, and its content or None."""

    parts: list[bytes]
    metadata: FileMetadata
    content: Representation | None

    @property
    def cost(self) -> int:
        """How many octets it takes."""
        return OVERHEAD + (self.metadata.size if self.content else 0)


class FileCache(dict[str, CacheEntry]):
    """The cached files, by name."""

    def __init__(self) -> None:
        super().__init__()
        self._size = 0

    @staticmethod
    def accepts_content(metadata: FileMetadata, now: float) -> bool:
        """Return whether the content of a file is cached, too; ``now`` is in seconds since the epoch."""
        changed = max(metadata.fingerprint[3], metadata.fingerprint[4]) / 1e9
        return metadata.size <= MAX_FILE_SIZE and changed + MIN_AGE < now

    def put(self, name: str, entry: CacheEntry) -> None:
        """Add an entry, in place of the one of that name."""
        self.drop(name)
        if self._size + entry.cost > MAX_TOTAL_SIZE:
            self.clear()
            self._size = 0
        self[name] = entry
        self._size += entry.cost

    def drop(self, name: str) -> None:
        """Remove the entry of a name, if there is one."""
        entry = self.pop(name, None)
        if entry is not None:
            self._size -= entry.cost
