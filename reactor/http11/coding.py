"""Content coding: gzip (RFC 9110, 8.4.1.3).

``gzip`` compresses content in memory at once; ``gzip_slices`` compresses a stream slice by slice, so that
other connections are served in between. ``accept.py`` determines the coding that a client prefers.
"""

import zlib
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

_engine: Any = zlib
ENGINE, LEVEL = "zlib", 6
try:  # the extra "fast": the same format, several times as fast for large content
    _engine = import_module("isal.isal_zlib")
    ENGINE, LEVEL = "isal", 3
except ImportError:
    pass
# wbits for the gzip format: 16 plus the window bits, 9 to 15 (zlib manual).
_GZIP = 16
_SMALLEST_WINDOW = 9
_LARGEST_WINDOW = 15


def gzip(content: bytes) -> bytes:
    """Compress bytes at once.

    The window and the tables are sized to the content: zlib clears all of its memory first, which takes
    longer than compressing a short text.
    """
    window = min(max(len(content).bit_length(), _SMALLEST_WINDOW), _LARGEST_WINDOW)
    # memLevel m holds 2^(m + 6) symbols before a block must end: as many as the window has bytes.
    compressor = _engine.compressobj(LEVEL, zlib.DEFLATED, _GZIP + window, window - 6)
    compressed: bytes = compressor.compress(content) + compressor.flush()
    return compressed


def gzip_slices(chunks: Iterable[bytes], share: int) -> Iterator[bytes]:
    """Compress a stream; each step compresses at most ``share`` bytes, and may yield b""."""
    compressor = _engine.compressobj(LEVEL, zlib.DEFLATED, _GZIP + _LARGEST_WINDOW)
    for chunk in chunks:
        for start in range(0, len(chunk) or 1, share):  # an empty chunk ends a step, too
            yield compressor.compress(chunk[start : start + share])
    yield compressor.flush()
