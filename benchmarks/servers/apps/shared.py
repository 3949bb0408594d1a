"""Shared by all applications: the directory, compression, and storing an upload."""

import gzip
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

DIRECTORY = Path(os.environ.get("BENCHMARK_DIRECTORY", "."))
PIECE = 1 << 16
LEVEL = 6  # zlib level, for all servers


def compressed(text: bytes) -> bytes:
    """Compress with gzip, by the standard library."""
    return gzip.compress(text, LEVEL)


def path_of(name: str) -> Path | None:
    """Return the path of a file; None for an invalid name."""
    return DIRECTORY / name if name and "/" not in name and not name.startswith(".") else None


def store(name: str, pieces: Iterable[bytes], size: int) -> bool:
    """Store a file atomically: write a temporary file and rename it.

    Return False and store nothing if the name is invalid or the data is not ``size`` bytes long.
    """
    path = path_of(name)
    if path is None:
        return False
    number, temporary = tempfile.mkstemp(dir=DIRECTORY, prefix=".")
    try:
        with open(number, "wb") as file:
            written = sum(file.write(piece) for piece in pieces)
        if written == size:
            os.rename(temporary, path)
            return True
    except OSError:
        pass  # the client disconnected, or the disk is full
    os.unlink(temporary)
    return False
