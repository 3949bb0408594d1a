"""What all apps do alike: where the files are, what is compressed, and how an upload is stored."""

import gzip
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

DIRECTORY = Path(os.environ.get("BENCHMARK_DIRECTORY", "."))
PIECE = 1 << 16
LEVEL = 6  # of zlib, for all who compress


def compressed(text: bytes) -> bytes:
    """Return a text as gzip, as whoever calls the standard library has it."""
    return gzip.compress(text, LEVEL)


def path_of(name: str) -> Path | None:
    """Return where a file is; None for a name that is none."""
    return DIRECTORY / name if name and "/" not in name and not name.startswith(".") else None


def store(name: str, pieces: Iterable[bytes], size: int) -> bool:
    """Store a file so that nobody ever sees half of it: write it beside its place, then rename it.

    Returns False, and stores nothing, when there is no such name or fewer octets came than ``size``.
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
        pass  # the client has gone, or the disk is full
    os.unlink(temporary)
    return False
