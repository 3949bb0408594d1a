"""Ranges: which parts of the content are asked for, and how they are sent (RFC 9110, 14).

1. ``read_ranges`` reads Range: None where it is to be ignored, no range where none can be satisfied.
2. ``content_range`` and ``unsatisfied`` write Content-Range.
3. Several parts are sent as multipart/byteranges: a head before each, and an end.

Many ranges, or ones that overlap, cost a server more than they bring a client: too many are ignored,
overlapping ones are joined (RFC 9110, 14.2). So no more is ever sent than the content has.
"""

from reactor.http11.grammar import find_range_specs, match_byte_ranges

MAX_RANGES = 64
# More digits than these are beyond every size; int() is not asked to read thousands of them.
_DIGITS = 18


def read_ranges(value: str, size: int) -> list[range] | None:
    """Return the ranges of positions that are asked for of ``size`` octets, in the order asked.

    None means that the field is to be ignored: it is malformed, of another unit, or asks for too much.
    """
    match = match_byte_ranges(value)
    if match is None:
        return None
    specs = find_range_specs(match[1])
    if len(specs) > MAX_RANGES:
        return None
    found = []
    for first, last in specs:
        if first and last and _number(last) < _number(first):  # RFC 9110, 14.1.1: invalid
            return None
        part = _satisfy(first, last, size)
        if part:
            found.append(part)
    return _joined(found)


def _satisfy(first: str, last: str, size: int) -> range:
    """Return the positions that a range spec asks for; none where that is not satisfiable."""
    if not first:
        return range(max(0, size - _number(last)), size)
    return range(_number(first), min(size, _number(last) + 1) if last else size)


def _number(digits: str) -> int:
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) <= _DIGITS else 10**_DIGITS


def _joined(parts: list[range]) -> list[range]:
    """Join ranges that overlap, each in the place of its first part (RFC 9110, 15.3.7.2)."""
    joined: list[range] = []
    for part in parts:
        apart = []
        place = len(joined)
        for index, other in enumerate(joined):
            if part.start < other.stop and other.start < part.stop:
                part = range(min(part.start, other.start), max(part.stop, other.stop))
                place = min(place, index)
            else:
                apart.append(other)
        apart.insert(min(place, len(apart)), part)
        joined = apart
    return joined


def content_range(part: range, size: int) -> str:
    """Write Content-Range for a part.

    >>> content_range(range(0, 5), 10), unsatisfied(10)
    ('bytes 0-4/10', 'bytes */10')
    """
    return f"bytes {part.start}-{part.stop - 1}/{size}"


def unsatisfied(size: int) -> str:
    """Write Content-Range where no part can be sent (RFC 9110, 14.4)."""
    return f"bytes */{size}"


def multipart_head(boundary: bytes, media_type: str, part: range, size: int) -> bytes:
    """Write what stands before a part of multipart/byteranges (RFC 9110, 14.6)."""
    fields = f"Content-Type: {media_type}\r\nContent-Range: {content_range(part, size)}\r\n"
    return b"\r\n--%b\r\n%b\r\n" % (boundary, fields.encode("latin-1"))


def multipart_end(boundary: bytes) -> bytes:
    """Write what ends multipart/byteranges (RFC 2046, 5.1.1)."""
    return b"\r\n--%b--\r\n" % boundary
