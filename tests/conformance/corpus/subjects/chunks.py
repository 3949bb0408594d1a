"""Refused: the chunked coding. Sizes, extensions, ends of data, and trailers that try to smuggle."""

from collections.abc import Iterator

from tests.conformance.corpus.entry import Entry
from tests.conformance.corpus.written import HIDDEN, Refused, chunked, refused
from tests.support.malformed import (
    MALFORMED_CHUNK_SIZES,
    MALFORMED_CHUNKS,
    MALFORMED_EXTENSIONS,
    MALFORMED_TRAILERS,
)

END = b"0\r\n\r\n"


def sized(size: bytes) -> bytes:
    """Write an upload of five bytes whose first chunk has this size line."""
    return chunked(size + b"\r\nhello\r\n" + END)


def extended(extension: bytes) -> bytes:
    """Write an upload of five bytes whose first chunk has this extension."""
    return sized(b"5;" + extension)


def trailed(*lines: bytes) -> bytes:
    """Write an upload of five bytes with these trailer lines."""
    return chunked(b"\r\n".join([b"5\r\nhello\r\n0", *lines, b"", b""]))


def entries() -> Iterator[Entry]:
    """Yield the entries of this subject."""
    yield from refused("RFC 9112, 7.1", 400, *_sizes(), *_data())
    yield from refused("RFC 9112, 7.1.1", 400, *_extensions())
    yield from refused("RFC 9112, 7.1.2", 400, *_trailers())
    yield from refused(
        "RFC 9110, 15.5.14",
        413,
        ("chunk-size-largest", "Sixteen digits are read, and are too much.", sized(b"F" * 16)),
        ("chunk-size-over-limit", "1 GiB and one byte.", chunked(b"40000001\r\n")),
        ("chunk-sizes-over-limit", "The limit is on their sum.", chunked(b"1\r\na\r\n40000000\r\n")),
        ("chunk-size-sign-bit", "A size of 64 bits is not negative.", chunked(b"8000000000000000\r\n")),
    )


def _sizes() -> Iterator[Refused]:
    for name, (why, size) in MALFORMED_CHUNK_SIZES.items():
        yield f"chunk-size-{name}", why, sized(size)


def _data() -> Iterator[Refused]:
    for name, (why, body) in MALFORMED_CHUNKS.items():
        yield f"chunk-{name}", why, chunked(body)
    yield "chunk-data-far-too-long", "CRLF follows the data.", chunked(b"1\r\n" + HIDDEN + b"\r\n" + END)
    yield "chunk-last-without-empty-line", "An empty line ends the trailers.", chunked(b"0\r\n" + HIDDEN)


def _extensions() -> Iterator[Refused]:
    for name, (why, extension) in MALFORMED_EXTENSIONS.items():
        yield f"chunk-extension-{name}", why, extended(extension)
    yield (
        "chunk-extension-crlf-in-quotes",
        "Quotes do not hold a line end: the line ends there, unclosed.",
        chunked(b'5;a="\r\nhello\r\n0\r\n\r\n"\r\n' + HIDDEN),
    )
    yield "chunk-extension-of-last-bad", "The last chunk's is checked, too.", chunked(b"0;a=\r\n\r\n")
    yield "chunk-extension-bad-backslash", "A pair quotes a byte.", extended(b'a="\\\x01"')


def _trailers() -> Iterator[Refused]:
    for name, (why, lines) in MALFORMED_TRAILERS.items():
        yield f"trailer-{name}", why, trailed(*lines)
    yield "trailer-is-request", "A request line is not a field line.", chunked(b"0\r\n" + HIDDEN + HIDDEN)
    yield "trailer-is-chunk", "The last chunk was the last.", chunked(b"0\r\n5\r\nhello\r\n" + END)
    yield (
        "trailer-smuggles-after-bare-lf",
        "A reader that ends the trailers at a bare LF sees a request next.",
        chunked(b"0\r\nA: b\n\n" + HIDDEN + b"\r\n"),
    )
    yield (
        "trailer-smuggles-in-fold",
        "A reader that takes the fold for the end sees a request next.",
        chunked(b"0\r\nA: b\r\n \r\n" + HIDDEN),
    )
