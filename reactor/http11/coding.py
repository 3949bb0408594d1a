"""Content coding: which one the client prefers, and gzip (RFC 9110, 8.4 and 12.5.3).

1. ``preferred_coding`` reads Accept-Encoding: "gzip" or "x-gzip", or None for identity; for content
   that stands ready in other codings, too, ``preferred_codings`` names them all, best first.
2. ``gzip`` compresses content that is whole; ``gzip_slices`` a stream of it, a slice at a time, so
   that compressing a long one gives other connections their turn.

When nothing is acceptable, identity is sent: a client that reads our text is better served by it
than by 406, and RFC 9110, 12.5.3 allows it.
"""

import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib import import_module
from typing import Any

from reactor.http11.bytes_cache import BytesCache
from reactor.http11.grammar import find_weighted_codings

_engine: Any = zlib
ENGINE, LEVEL = "zlib", 6
try:  # the extra "fast": the same format, several times as fast on what is long
    _engine = import_module("isal.isal_zlib")
    ENGINE, LEVEL = "isal", 3
except ImportError:
    pass
# The gzip format, with the window that follows it added on: wbits of 9 to 15 (zlib's manual).
_GZIP = 16
_SMALLEST_WINDOW = 9
_LARGEST_WINDOW = 15

# Codings in which content may stand ready; of equals the first is taken.
READY = ("br", "zstd", "gzip")

# At most 16 MiB, most of it the content of small files, which is in memory anyway.
_compressed: BytesCache[bytes] = BytesCache(max_entries=256, max_length=64 * 1024)


def preferred_coding(accept_encoding: str | None) -> str | None:
    """Return "gzip", or "x-gzip" where only that name was given, or None for identity.

    A malformed member is passed over; without the field, identity is the answer.

    >>> preferred_coding("br, gzip;q=0.5, identity;q=0.7"), preferred_coding("x-gzip")
    (None, 'x-gzip')
    """
    if not accept_encoding:
        return None
    weights = _weights(accept_encoding)
    anything = weights.get("*", 0.0)
    coding = "x-gzip" if "x-gzip" in weights and "gzip" not in weights else "gzip"
    gzip_weight = weights.get(coding, anything)
    # Without a word about it identity is acceptable but not asked for, so that any gzip beats it.
    identity_weight = weights.get("identity", anything)
    return coding if gzip_weight > 0 and gzip_weight >= identity_weight else None


@lru_cache(maxsize=64)
def preferred_codings(accept_encoding: str) -> tuple[str, ...]:
    """Return those of ``READY`` that the client prefers to identity, best first.

    Of equals the one comes first that is smaller for most content. "*" may be anything that is
    registered, and what everybody can read is gzip alone: the others are to be named.

    >>> preferred_codings("gzip, deflate, br"), preferred_codings("zstd;q=0.5, *"), preferred_codings("")
    (('br', 'gzip'), ('gzip', 'zstd'), ())
    """
    weights = _weights(accept_encoding)
    anything = weights.get("*", 0.0)
    weights.setdefault("gzip", weights.get("x-gzip", anything))
    least = weights.get("identity", 0.0)
    liked = [name for name in READY if weights.get(name, 0.0) > 0 and weights[name] >= least]
    return tuple(sorted(liked, key=lambda name: -weights[name]))


def _weights(accept_encoding: str) -> dict[str, float]:
    """Read the weights of the codings that are named, the first one where one is named twice."""
    weights: dict[str, float] = {}
    for name, weight in find_weighted_codings(accept_encoding):
        weights.setdefault(name.lower(), float(weight or 1))
    return weights


def gzip(content: bytes) -> bytes:
    """Compress octets that are whole; short ones that come again and again are compressed once."""
    compressed = _compressed.get(content)
    if compressed is None:
        compressed = _compress(content)
        _compressed.put(content, compressed)
    return compressed


def _compress(content: bytes) -> bytes:
    """Compress octets at one go.

    The window and the tables are sized to the content: zlib clears all of its memory first, which
    for a short text takes longer than compressing it.
    """
    window = min(max(len(content).bit_length(), _SMALLEST_WINDOW), _LARGEST_WINDOW)
    # memLevel m holds 2^(m + 6) symbols before a block must end: as many as the window has octets.
    compressor = _engine.compressobj(LEVEL, zlib.DEFLATED, _GZIP + window, window - 6)
    compressed: bytes = compressor.compress(content) + compressor.flush()
    return compressed


def gzip_slices(chunks: Iterable[bytes], share: int) -> Iterator[bytes]:
    """Compress a stream: each step takes at most ``share`` octets, and may yield none."""
    compressor = _engine.compressobj(LEVEL, zlib.DEFLATED, _GZIP + _LARGEST_WINDOW)
    for chunk in chunks:
        for start in range(0, len(chunk) or 1, share):  # an empty chunk ends a step, too
            yield compressor.compress(chunk[start : start + share])
    yield compressor.flush()
