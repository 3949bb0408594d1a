"""Shared by all applications: the directory, compression, and storing an upload."""

import gzip
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

DIRECTORY = Path(os.environ.get("BENCHMARK_DIRECTORY", "."))
PIECE = 1 << 16
TEXT = [("Content-Type", "text/plain"), ("Vary", "Accept-Encoding")]
GZIP = [*TEXT, ("Content-Encoding", "gzip")]


def echo(text: bytes, accept_encoding: str) -> tuple[bytes, list[tuple[str, str]]]:
    """Return a text, compressed if accepted (gzip, at the level of all servers), and its header fields."""
    return (gzip.compress(text, 6), GZIP) if "gzip" in accept_encoding else (text, TEXT)


def path_of(name: str) -> Path:
    """Return the path of a file; a name that leads elsewhere is cut."""
    return DIRECTORY / os.path.basename(name)


def pieces(read: Callable[[int], bytes], size: int) -> Iterator[bytes]:
    """Read a body of a size."""
    while size and (piece := read(min(PIECE, size))):
        size -= len(piece)
        yield piece


def store(name: str, pieces: Iterable[bytes], size: int) -> int:
    """Store a file atomically: write a temporary file and rename it; return the status.

    Store nothing if the data is not ``size`` bytes long.
    """
    number, temporary = tempfile.mkstemp(dir=DIRECTORY, prefix=".")
    try:
        with open(number, "wb") as file:
            written = sum(file.write(piece) for piece in pieces)
        if written == size:
            os.rename(temporary, path_of(name))
            return 201
    except OSError:
        pass  # the client disconnected, or the disk is full
    os.unlink(temporary)
    return 500
