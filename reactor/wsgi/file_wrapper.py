"""``wsgi.file_wrapper``: a file as the content of a response; a regular one is sent with sendfile(2)."""

import io
import os
import stat
from collections.abc import Callable
from tempfile import _TemporaryFileWrapper
from typing import Protocol

from reactor.http11.message import FileSlice

_OPEN_FILES = (io.FileIO, io.BufferedReader, io.BufferedRandom)


class Readable(Protocol):
    """The method of a file that every application provides; ``close`` is optional."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes; b"" at the end."""


class FileWrapper:
    """An iterator over the blocks of a file; ``close`` closes the file."""

    __slots__ = ("_block_size", "file")

    def __init__(self, file: Readable, block_size: int = 8192) -> None:
        self.file = file
        self._block_size = block_size

    def __iter__(self) -> "FileWrapper":
        return self

    def __next__(self) -> bytes:
        block = self.file.read(self._block_size)
        if not block:
            raise StopIteration
        return block

    def close(self) -> None:
        """Close the file, if it has such a method."""
        close = getattr(self.file, "close", None)
        if close is not None:
            close()


class OpenFile:
    """An open file of the application, and the function that closes it; the file of a FileSlice."""

    __slots__ = ("_close", "fileno")

    def __init__(
        self, file: io.FileIO | io.BufferedReader | io.BufferedRandom, close: Callable[[], object]
    ) -> None:
        # Raises ValueError if the application has closed the file: its descriptor may be that of another one.
        self.fileno = file.fileno
        self._close = close

    def close(self) -> None:
        """Call the function."""
        self._close()


def file_slice(wrapper: FileWrapper, close: Callable[[], object]) -> FileSlice | None:
    """Return the rest of a regular file, from its position on; None for any other file.

    None for an empty one, too: the files in /proc have content, although their size is 0. ``close`` is called
    after sending.
    """
    file = _open_file(wrapper.file)
    if file is None:
        return None
    try:
        offset, status = file.tell(), os.fstat(file.fileno())
    except (OSError, ValueError):  # such as a closed file: reading it raises the error
        return None
    if not stat.S_ISREG(status.st_mode) or not status.st_size:
        return None
    return FileSlice(OpenFile(file, close), offset, max(0, status.st_size - offset))


def _open_file(file: object) -> io.FileIO | io.BufferedReader | io.BufferedRandom | None:
    """Return the open file whose method ``read`` this file has: itself, or the one in a wrapper of Django.

    A method ``fileno``, or an attribute ``file``, is not enough: a GzipFile has the descriptor of the
    compressed file, and a wrapper or a subclass may change what it reads.
    """
    if isinstance(file, _TemporaryFileWrapper):
        file = file.file
    owner = getattr(getattr(file, "read", None), "__self__", None)
    if isinstance(owner, _OPEN_FILES) and type(owner) in _OPEN_FILES:
        return owner
    return None
