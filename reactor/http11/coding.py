"""Content coding: gzip (RFC 9110, 8.4.1.3).

``gzip_bytes`` compresses content in one call; ``gzip_slices`` compresses a stream slice by slice, so that
other connections are served in between. ``accept.py`` determines the coding that a client prefers.
"""

import zlib
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

_module: Any = zlib
ENGINE_NAME, LEVEL = "zlib", 6
try:  # isal, from the optional extra reactor[fast]: the same format, several times as fast for large content
    _module = import_module("isal.isal_zlib")
    ENGINE_NAME, LEVEL = "isal", 3
except ImportError:
    pass
# wbits for the gzip format: 16 plus the window bits, 9 to 15 (zlib manual).
_GZIP = 16
_SMALLEST_WINDOW = 9
_LARGEST_WINDOW = 15


def gzip_bytes(content: bytes) -> bytes:
    """Compress bytes in one call.

    The window and the tables are sized to the content: zlib clears all of its memory first, which takes
    longer than compressing a short text.
    """
    window = min(max(len(content).bit_length(), _SMALLEST_WINDOW), _LARGEST_WINDOW)
    # A block holds at most 2^(memLevel + 6) symbols; window - 6 gives one for each byte of the window.
    compressor = _module.compressobj(LEVEL, zlib.DEFLATED, _GZIP + window, window - 6)
    compressed: bytes = compressor.compress(content) + compressor.flush()
    return compressed


def gzip_slices(chunks: Iterable[bytes], share: int) -> Iterator[bytes]:
    """Compress a stream; each step compresses at most ``share`` bytes, and may yield b""."""
    compressor = _module.compressobj(LEVEL, zlib.DEFLATED, _GZIP + _LARGEST_WINDOW)
    for chunk in chunks:
        for start in range(0, len(chunk) or 1, share):  # an empty chunk also yields, b"" at first
            yield compressor.compress(chunk[start : start + share])
    yield compressor.flush()
