"""Closing files without blocking the event loop.

A file system frees the blocks of a file when its last name and its last descriptor are gone. That takes up to
0.7 ms per MiB, in the call that ends the last of them: ``unlink``, ``rename`` over the file, or ``close``.

1. A descriptor of a large file is kept open while the file is removed or replaced.
2. A descriptor of a large file without a name is closed in the background.

A file is never truncated: other names, other processes and running downloads may use it.
"""

import io
import os
from functools import partial

from reactor.http11.deferred import Call, call_at_once

LARGE = 1024 * 1024  # bytes; freeing less takes less than a millisecond

# O_PATH (Linux) needs no permission to read the file.
_KEEP = getattr(os, "O_PATH", os.O_RDONLY | os.O_NONBLOCK) | os.O_NOFOLLOW | os.O_CLOEXEC


class Closer:
    """Closes files, in the background if that may take long, or at once until ``use`` is called."""

    def __init__(self) -> None:
        self.in_background: Call = call_at_once

    def use(self, in_background: Call) -> None:
        """Set the function that calls others in the background."""
        self.in_background = in_background

    def keep(self, name: bytes, parent: int) -> int | None:
        """Open a file that is about to be replaced or removed, for ``close``; return None without one."""
        try:
            return os.open(name, _KEEP, dir_fd=parent)
        except OSError:  # or too many files are open: closing it cannot be delayed
            return None

    def close(self, descriptor: int) -> None:
        """Close a file; in the background if it is large and has no name."""
        if _takes_long_to_close(descriptor):
            self.in_background(partial(os.close, descriptor))
        else:
            os.close(descriptor)

    def closing_later(self, file: io.FileIO, size: int) -> "io.FileIO | LargeFile":
        """Return a file of this size with a ``close`` that does not block."""
        return LargeFile(file, self.in_background) if size >= LARGE else file


class LargeFile:
    """A large open file, which is closed in the background if it has no name then."""

    __slots__ = ("_file", "_in_background")

    def __init__(self, file: io.FileIO, in_background: Call) -> None:
        self._file = file
        self._in_background = in_background

    def fileno(self) -> int:
        """Return the file descriptor."""
        return self._file.fileno()

    def close(self) -> None:
        """Close the file; it may be called again."""
        if not self._file.closed and _takes_long_to_close(self._file.fileno()):
            self._in_background(self._file.close)
        else:
            self._file.close()


def _takes_long_to_close(descriptor: int) -> bool:
    """Return whether a file is large and has no name, so that closing it may free its blocks."""
    try:
        status = os.fstat(descriptor)
    except OSError:  # on a network file system
        return False
    return status.st_size >= LARGE and not status.st_nlink
