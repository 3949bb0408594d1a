"""Shared by all applications: the directory, compression, and storing an upload."""

import gzip
import os
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


def store(name: str, content: bytes | bytearray, size: int) -> int:
    """Store a file, in place; return the status. Store nothing if the client disconnected early."""
    if len(content) != size:
        return 500
    path_of(name).write_bytes(content)
    return 201
