"""Range requests: parsing Range, and writing multipart/byteranges (RFC 9110, 14).

    Range                                       read_ranges   Response
    absent, another unit, malformed, or         None          200, the whole content
    more than MAX_RANGES ranges
    all ranges beyond the end                   []            416, Content-Range: bytes */size
    one range after merging                     [range]       206, Content-Range: bytes first-last/size
    several ranges                              [range, ...]  206, multipart/byteranges

A part is a Python range of positions, never empty. Parts that overlap or touch are merged, at the position
of the first of them (RFC 9110, 15.3.7.2): no byte is sent twice, and a response is at most the whole content
and a head for each of MAX_RANGES parts.

This module does not access the content, and does not decide whether ranges apply: that depends on the method
and on If-Range (``conditional.py``).

>>> read_ranges("bytes=0-0, -1", size=10000)
[range(0, 1), range(9999, 10000)]
"""

from collections.abc import Iterable

from reactor.http11.grammar import find_byte_ranges, match_byte_ranges

# More are an attack or a mistake (RFC 9110, 14.2 and 17.15); document viewers request a dozen.
MAX_RANGES = 64

# A position with more digits is beyond the end of any content, and int() rejects thousands of digits.
_MAX_DIGITS = 19
_BEYOND = 10**_MAX_DIGITS


def read_ranges(value: str, size: int) -> list[range] | None:
    """Parse a Range value for content of ``size`` bytes; return its parts, in the order requested.

    None if the header is to be ignored, an empty list if no part can be satisfied.
    """
    match = match_byte_ranges(value)
    if match is None:
        return None
    specs = find_byte_ranges(match[1])
    if not 1 <= len(specs) <= MAX_RANGES or any(_is_reversed(*spec) for spec in specs):
        return None
    parts = [_part(first, last, size) for first, last in specs]
    if size == 0 and any(_is_satisfiable_suffix(*spec) for spec in specs):
        return None  # satisfied by the empty content, which has no last position for Content-Range
    return _merge(part for part in parts if part)


def content_range(part: range, size: int) -> str:
    """Return the Content-Range of a part (RFC 9110, 14.4)."""
    return f"bytes {part.start}-{part.stop - 1}/{size}"


def unsatisfied_range(size: int) -> str:
    """Return the Content-Range of a 416, which contains the size (RFC 9110, 15.5.17)."""
    return f"bytes */{size}"


def multipart_head(boundary: bytes, media_type: str, part: range, size: int) -> bytes:
    """Return the delimiter and headers of a part in multipart/byteranges, beginning with a CRLF.

    The CRLF is also valid before the first part (RFC 9110, 14.6). Without a media type, Content-Type is
    omitted.
    """
    content_type = f"Content-Type: {media_type}\r\n" if media_type else ""
    lines = f"{content_type}Content-Range: {content_range(part, size)}\r\n\r\n"
    return b"\r\n--%b\r\n%b" % (boundary, lines.encode("latin-1"))


def multipart_end(boundary: bytes) -> bytes:
    """Return the delimiter after the last part (RFC 2046, 5.1.1)."""
    return b"\r\n--%b--\r\n" % boundary


def _is_reversed(first: str, last: str) -> bool:
    """Return whether the last position is before the first one, which is invalid (RFC 9110, 14.1.1)."""
    return bool(first and last) and _order(last) < _order(first)


def _order(digits: str) -> tuple[int, str]:
    """Return a sort key for a number with any number of digits."""
    significant = digits.lstrip("0")
    return len(significant), significant


def _is_satisfiable_suffix(first: str, last: str) -> bool:
    return not first and _number(last) > 0


def _part(first: str, last: str, size: int) -> range:
    """Return the part of one spec, empty if it cannot be satisfied (RFC 9110, 14.1.2)."""
    if not first:
        return range(max(size - _number(last), 0), size)
    return range(_number(first), min(_number(last) + 1, size) if last else size)


def _number(digits: str) -> int:
    significant = digits.lstrip("0") or "0"
    return int(significant) if len(significant) <= _MAX_DIGITS else _BEYOND


def _merge(parts: Iterable[range]) -> list[range]:
    """Merge parts that overlap or touch, at the position of the first of them."""
    merged: list[tuple[int, range]] = []
    for index, part in sorted(enumerate(parts), key=lambda each: each[1].start):
        if merged and part.start <= merged[-1][1].stop:
            first_index, last = merged.pop()
            index, part = min(index, first_index), range(last.start, max(last.stop, part.stop))
        merged.append((index, part))
    return [part for _, part in sorted(merged, key=lambda each: each[0])]
