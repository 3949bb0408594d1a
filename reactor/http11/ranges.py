"""Range requests: the parts that a request asks for, and how they are sent (RFC 9110, 14).

    Range is                                    read_ranges   The answer
    absent, of another unit, malformed, or      None          200, the whole content
    of more parts than anybody needs
    of parts that all lie beyond the end        []            416, Content-Range: bytes */size
    of parts that are one when merged           [range]       206, Content-Range: bytes first-last/size
    of several parts                            [range, ...]  206, multipart/byteranges

A part is a Python range of positions, never empty. Parts that overlap or touch are merged into one, in
the place of the first of them (RFC 9110, 15.3.7.2): so no octet is sent twice, and what a request can
cost is the whole content and a head for each of at most MAX_RANGES parts.

This module has no content, and does not know whether a range may be taken of it: that is for the
method, and for If-Range (``conditional.py``).

>>> read_ranges("bytes=0-0, -1", size=10000)
[range(0, 1), range(9999, 10000)]
"""

from collections.abc import Iterable

from reactor.http11.grammar import find_byte_ranges, match_byte_ranges

# More are an attack or a mistake (RFC 9110, 14.2 and 17.15); a viewer of documents asks for a dozen.
MAX_RANGES = 64

# A position of more digits is beyond the end of any content; int() is not asked to read thousands.
_MAX_DIGITS = 19
_BEYOND = 10**_MAX_DIGITS


def read_ranges(value: str, size: int) -> list[range] | None:
    """Read a Range value for content of ``size`` octets; return its parts, in the order asked for.

    None when the field is to be ignored, an empty list when no part can be satisfied.
    """
    match = match_byte_ranges(value)
    if match is None:
        return None
    specs = find_byte_ranges(match[1])
    if not 1 <= len(specs) <= MAX_RANGES or any(_is_reversed(*spec) for spec in specs):
        return None
    parts = [_part(first, last, size) for first, last in specs]
    if size == 0 and any(_is_satisfiable_suffix(*spec) for spec in specs):
        return None  # satisfied by the whole, of which no Content-Range can tell: it has no last position
    return _merge(part for part in parts if part)


def content_range(part: range, size: int) -> str:
    """Write the Content-Range of a part (RFC 9110, 14.4)."""
    return f"bytes {part.start}-{part.stop - 1}/{size}"


def unsatisfied_range(size: int) -> str:
    """Write the Content-Range of a 416, which says how long the content is (RFC 9110, 15.5.17)."""
    return f"bytes */{size}"


def multipart_head(boundary: bytes, media_type: str, part: range, size: int) -> bytes:
    """Write what stands before a part in multipart/byteranges, from the CRLF before its delimiter on.

    The first part has that CRLF as well, which is legal (RFC 9110, 14.6), so that all are alike.
    Without a media type no Content-Type is written.
    """
    content_type = f"Content-Type: {media_type}\r\n" if media_type else ""
    lines = f"{content_type}Content-Range: {content_range(part, size)}\r\n\r\n"
    return b"\r\n--%b\r\n%b" % (boundary, lines.encode("latin-1"))


def multipart_end(boundary: bytes) -> bytes:
    """Write what stands behind the last part (RFC 2046, 5.1.1)."""
    return b"\r\n--%b--\r\n" % boundary


def _is_reversed(first: str, last: str) -> bool:
    """Tell whether the last position is before the first one, which is invalid (RFC 9110, 14.1.1)."""
    return bool(first and last) and _order(last) < _order(first)


def _order(digits: str) -> tuple[int, str]:
    """Return what compares as the number does, however many digits it has."""
    significant = digits.lstrip("0")
    return len(significant), significant


def _is_satisfiable_suffix(first: str, last: str) -> bool:
    return not first and _number(last) > 0


def _part(first: str, last: str, size: int) -> range:
    """Return the part of one spec, empty where it cannot be satisfied (RFC 9110, 14.1.2)."""
    if not first:
        return range(max(size - _number(last), 0), size)
    return range(_number(first), min(_number(last) + 1, size) if last else size)


def _number(digits: str) -> int:
    significant = digits.lstrip("0") or "0"
    return int(significant) if len(significant) <= _MAX_DIGITS else _BEYOND


def _merge(parts: Iterable[range]) -> list[range]:
    """Merge the parts that overlap or touch; each stands where the first of its parts was."""
    merged: list[tuple[int, range]] = []
    for index, part in sorted(enumerate(parts), key=lambda each: each[1].start):
        if merged and part.start <= merged[-1][1].stop:
            before, last = merged.pop()
            index, part = min(index, before), range(last.start, max(last.stop, part.stop))
        merged.append((index, part))
    return [part for _, part in sorted(merged, key=lambda each: each[0])]
