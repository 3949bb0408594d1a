"""Read a directory in batches of entries, for listings.

1. The iterator owns the directory descriptor: it closes it at the end, or when it is closed early.
2. Each step reads some names and calls ``stat`` once for each; symbolic links are not followed.
3. Entries that cannot be requested are skipped: symbolic links, FIFOs and devices, hidden names, and names
   that are not UTF-8.
"""

import os
import stat
import time
from collections.abc import Callable, Generator
from itertools import islice
from typing import NamedTuple

from reactor.http11.message import do_nothing

BATCH = 128  # names per step; each costs a system call
# The first second of year 1000 and the last of 9999; file systems can store times outside this range.
EARLIEST, LATEST = -30_610_224_000, 253_402_300_799


class Entry(NamedTuple):
    """A directory entry: ``size`` in bytes, ``modified`` in whole seconds since the epoch."""

    name: str
    is_directory: bool
    size: int
    modified: int

    @property
    def timestamp(self) -> str:
        """The modification time in UTC (RFC 3339, which has four-digit years)."""
        seconds = min(max(self.modified, EARLIEST), LATEST)
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


class Entries:
    """An iterator over the entries of an open directory, in batches, which may be empty.

    It has two descriptors of the directory until the last batch was read.
    """

    def __init__(self, descriptor: int, is_visible: Callable[[str], bool], batch: int = BATCH) -> None:
        self._descriptor = descriptor
        self._is_visible = is_visible
        self._batch = batch
        self._closed = False
        self._on_close: Callable[[], None] = do_nothing
        try:
            self._scan = os.scandir(descriptor)
        except OSError:
            os.close(descriptor)
            raise

    def __iter__(self) -> "Entries":
        return self

    def __next__(self) -> list[Entry]:
        batch = [] if self._closed else list(islice(self._scan, self._batch))
        if not batch:
            self.close()
            raise StopIteration
        return [entry for each in batch if (entry := self._look_at(each)) is not None]

    def close(self) -> None:
        """Close the directory; idempotent."""
        if not self._closed:
            self._closed = True
            self._scan.close()
            os.close(self._descriptor)
            self._on_close()

    def on_close(self, function: Callable[[], None]) -> None:
        """Register a function that is called when the directory is closed."""
        self._on_close = function

    def _look_at(self, item: os.DirEntry[str]) -> Entry | None:
        """Return the entry, or None if it is to be skipped."""
        try:
            # Names on disk are UTF-8, regardless of the locale.
            name = item.name if item.name.isascii() else os.fsencode(item.name).decode("utf-8")
            if not self._is_visible(name):
                return None
            status = item.stat(follow_symlinks=False)
        except (UnicodeDecodeError, OSError):  # OSError: the file has been removed, or permission is denied
            return None
        return entry_of(name, status)


EntryBatches = Entries | Generator[list[Entry], None, None]


def entry_of(name: str, status: os.stat_result) -> Entry | None:
    """Return the entry of a file or directory; None for anything else."""
    is_directory = stat.S_ISDIR(status.st_mode)
    if not is_directory and not stat.S_ISREG(status.st_mode):
        return None
    return Entry(name, is_directory, 0 if is_directory else status.st_size, status.st_mtime_ns // 10**9)


def read_entries(descriptor: int, is_visible: Callable[[str], bool], batch: int = BATCH) -> Entries:
    """Return an iterator over the entries of an open directory, which it closes; raise OSError."""
    return Entries(descriptor, is_visible, batch)
