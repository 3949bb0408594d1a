"""``wsgi.file_wrapper``: a file as the content of a response; a regular one is sent with sendfile(2)."""

import io
import os
import stat
from collections.abc import Callable
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

    __slots__ = ("_close", "_descriptor")

    def __init__(self, descriptor: int, close: Callable[[], object]) -> None:
        self._descriptor = descriptor
        self._close = close

    def fileno(self) -> int:
        """Return the file descriptor."""
        return self._descriptor

    def close(self) -> None:
        """Call the function."""
        self._close()


def file_slice(wrapper: FileWrapper, close: Callable[[], object]) -> FileSlice | None:
    """Return the rest of a regular file, from its position on; None for any other file.

    ``close`` is called after sending.
    """
    file = _open_file(wrapper.file)
    if file is None:
        return None
    try:
        descriptor, offset = file.fileno(), file.tell()
        status = os.fstat(descriptor)
    except (OSError, ValueError):  # such as a closed file: reading it raises the error
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return FileSlice(OpenFile(descriptor, close), offset, max(0, status.st_size - offset))


def _open_file(file: object) -> io.FileIO | io.BufferedReader | io.BufferedRandom | None:
    """Return the open file behind the wrappers of tempfile and Django, which are named ``file``.

    A method ``fileno`` is not enough: a GzipFile has that of the compressed file.
    """
    for _ in range(4):
        if isinstance(file, _OPEN_FILES):
            return file
        file = getattr(file, "file", None)
    return None
