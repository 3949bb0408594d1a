"""Reading a directory in batches: the entries that a listing shows.

1. The descriptor of the directory is ours: it is closed when all is read, and when nobody reads on.
2. Each step reads some names, and looks at each once; a link is looked at, never followed.
3. What could not be asked for is passed over: links, FIFOs and devices, which are not served, names
   that are not shown to anybody, and names that are not UTF-8, which no URL holds.

It knows no order and no format.
"""

import os
import stat
import time
from collections.abc import Callable
from itertools import islice
from typing import NamedTuple

BATCH = 128  # names read in one step; each costs a system call
# The first second of the year 1000 and the last of 9999: a file system may hold any number.
EARLIEST, LATEST = -30_610_224_000, 253_402_300_799


class Entry(NamedTuple):
    """What stands under one name: ``size`` in octets, ``modified`` in whole seconds since the epoch."""

    name: str
    is_directory: bool
    size: int
    modified: int

    @property
    def timestamp(self) -> str:
        """The time of the last change in UTC (RFC 3339, which has years of four digits)."""
        seconds = min(max(self.modified, EARLIEST), LATEST)
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


class Entries:
    """An iterator over the batches of entries of an open directory; one may be empty."""

    def __init__(self, descriptor: int, is_visible: Callable[[str], bool], batch: int = BATCH) -> None:
        self._descriptor = descriptor
        self._is_visible = is_visible
        self._batch = batch
        self._closed = False
        try:
            self._scan = os.scandir(descriptor)
        except OSError:
            os.close(descriptor)
            raise

    def __iter__(self) -> "Entries":
        return self

    def __next__(self) -> list[Entry]:
        found = [] if self._closed else list(islice(self._scan, self._batch))
        if not found:
            self.close()
            raise StopIteration
        return [entry for each in found if (entry := self._look_at(each)) is not None]

    def close(self) -> None:
        """Close the directory, unless that was done."""
        if not self._closed:
            self._closed = True
            self._scan.close()
            os.close(self._descriptor)

    def _look_at(self, found: os.DirEntry[str]) -> Entry | None:
        """Return an entry, None for what is not shown."""
        try:
            # Whatever the locale makes of a name, it is UTF-8 on the disk.
            name = found.name if found.name.isascii() else os.fsencode(found.name).decode("utf-8")
            if not self._is_visible(name):
                return None
            status = found.stat(follow_symlinks=False)
        except (UnicodeDecodeError, OSError):  # the second: it was removed by now, or may not be looked at
            return None
        is_directory = stat.S_ISDIR(status.st_mode)
        if not is_directory and not stat.S_ISREG(status.st_mode):
            return None
        return Entry(name, is_directory, 0 if is_directory else status.st_size, status.st_mtime_ns // 10**9)


def read_entries(descriptor: int, is_visible: Callable[[str], bool], batch: int = BATCH) -> Entries:
    """Read an open directory, which is closed in the end; raise OSError."""
    return Entries(descriptor, is_visible, batch)
