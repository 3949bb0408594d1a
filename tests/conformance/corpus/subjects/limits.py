"""Exactly at each limit, and one byte over it; and far over it."""

from collections.abc import Iterator

from tests.conformance.corpus.entry import Entry, ParsedRequest
from tests.conformance.corpus.written import HOST, chunked, echo, get, head, post, refused, served, upload

LINE = 8190  # a request line, a field line
FIELDS = 100
HEAD = 32 * 1024
CHUNK_LINE = 1024
HOST_LINE = b"Host: " + HOST
END = b"\r\na\r\n0\r\n\r\n"


def request_line(length: int) -> bytes:
    """Write a request line of this length, its CRLF not counted."""
    return b"GET /echo/" + b"a" * (length - 19) + b" HTTP/1.1"


def header_line(length: int) -> bytes:
    """Write a field line of this length, its CRLF not counted."""
    return b"A: " + b"v" * (length - 3)


def head_of(length: int) -> bytes:
    """Write a head of this length, its empty line counted, in lines of which none is too long."""
    data = b"GET /echo/a HTTP/1.1\r\n" + HOST_LINE + b"\r\n"
    rest = length - len(data) - 2
    lines = [header_line(6500)] * 4 + [header_line(rest - 4 * 6502 - 2)]
    return data + b"\r\n".join([*lines, b"", b""])


def chunk_line(length: int) -> bytes:
    """Write an upload of one byte whose size line has this length, its CRLF not counted."""
    return chunked(b"1;" + b"e" * (length - 2) + END)


def extended(last: bytes = b"") -> bytes:
    """Write an upload in 32 chunks of one byte, with extensions of 16 KiB, and these of the last chunk."""
    return chunked((b"1;" + b"e" * 511 + b"\r\na\r\n") * 32 + b"0" + last + b"\r\n\r\n")


def trailed(*lines: bytes) -> bytes:
    """Write an upload of one byte with these trailer lines."""
    return chunked(b"\r\n".join([b"1\r\na\r\n0", *lines, b"", b""]))


def entries() -> Iterator[Entry]:
    """Yield the entries of this subject."""
    yield from _at_the_limit()
    yield from _over_the_limit()


def _at_the_limit() -> Iterator[Entry]:
    long = "a" * (LINE - 19)
    yield from served(
        "RFC 9112, 3", 200, ("limit-request-line", head(request_line(LINE), HOST_LINE), echo(long))
    )
    yield from served(
        "RFC 9110, 5.4",
        200,
        ("limit-field-line", get(header_line(LINE)), echo(a="v" * (LINE - 3))),
        ("limit-fields", get(*[b"A: b"] * (FIELDS - 1)), echo()),
        ("limit-head", head_of(HEAD), echo()),
    )
    yield from served(
        "RFC 9112, 7.1.1",
        201,
        ("limit-chunk-line", chunk_line(CHUNK_LINE), upload(b"a")),
        ("limit-extensions", extended(), upload(b"a" * 32)),
        ("limit-chunk-size", chunked(b"0" * 15 + b"1" + END), upload(b"a")),
        ("limit-trailers", trailed(*[b"A: b"] * FIELDS), upload(b"a", a=None)),
    )
    yield from served("RFC 9112, 2.2", 200, ("limit-empty-lines", b"\r\n" * 8 + get(), echo()))


def _over_the_limit() -> Iterator[Entry]:
    yield from refused(
        "RFC 9112, 3",
        414,
        ("over-request-line", "The line is one byte too long.", head(request_line(LINE + 1), HOST_LINE)),
        ("over-request-line-method", "A method counts.", get(method=b"M" * LINE)),
        ("over-request-line-query", "A query counts.", get(target=b"/echo/a?" + b"q" * LINE)),
        ("over-request-line-unended", "It is refused before it ends.", b"GET /" + b"a" * (LINE + 1)),
    )
    yield from refused(
        "RFC 9110, 9.1",
        400,
        ("over-method", "The method alone is one byte too long.", get(method=b"M" * (LINE + 1))),
        ("over-method-unended", "It is refused before it ends.", b"a" * (LINE + 2)),
        ("over-method-and-target", "A line without a space is not a request line.", b"GET/" + b"a" * LINE),
    )
    yield from refused(
        "RFC 9110, 5.4",
        431,
        ("over-field-line", "The line is one byte too long.", get(header_line(LINE + 1))),
        ("over-field-name", "A name counts.", get(b"A" * LINE + b":")),
        ("over-field-white-space", "White space counts as part of the line.", get(b"A:" + b" " * LINE)),
        ("over-host", "The limit applies to Host.", get(host=b"h" * LINE)),
        ("over-fields", "There is one line too many.", get(*[b"A: b"] * FIELDS)),
        ("over-fields-short", "Short lines count.", get(*[b"A:"] * 1000)),
        ("over-head", "The head is one byte too long.", head_of(HEAD + 1)),
        ("over-head-unended", "It is refused before it ends.", head_of(HEAD + 8)[:-5]),
    )
    yield from refused(
        "RFC 9112, 7.1.1",
        400,
        ("over-chunk-line", "The line is one byte too long.", chunk_line(CHUNK_LINE + 1)),
        ("over-chunk-line-unended", "It is refused before it ends.", chunked(b"1;" + b"e" * CHUNK_LINE)),
        ("over-chunk-line-many", "Extensions count.", chunked(b"1" + b";a=b" * 400 + END)),
        ("over-chunk-line-quoted", "Quoted values count.", chunked(b'1;a="' + b"q" * 1200 + b'"' + END)),
        ("over-chunk-line-spaces", "White space counts.", chunked(b"1" + b" " * 1200 + b";a" + END)),
        ("over-chunk-extensions", "All extensions together are too long.", extended(b";e")),
        ("over-chunk-size-zeros", "Zeros count.", chunked(b"0" * 2000 + b"1" + END)),
    )
    yield from refused(
        "RFC 9112, 7.1.2",
        431,
        ("over-trailers", "There is one line too many.", trailed(*[b"A: b"] * (FIELDS + 1))),
        ("over-trailer-line", "The line is one byte too long.", trailed(header_line(LINE + 1))),
        (
            "over-trailers-unended",
            "They are refused before they end.",
            chunked(b"0\r\n" + b"A: b\r\n" * (HEAD // 6 + 1)),
        ),
        ("over-trailer-bytes", "All trailers together are too long.", trailed(*[header_line(8100)] * 5)),
    )
    yield from refused(
        "RFC 9110, 15.5.14",
        413,
        ("over-content", "The length is one byte over 1 GiB.", post(b"Content-Length: 1073741825")),
        ("over-content-32-bits", "A reader that keeps 32 bits sees 5.", post(b"Content-Length: 4294967301")),
        (
            "over-content-64-bits",
            "A reader that keeps 64 bits sees 5.",
            post(b"Content-Length: 18446744073709551621"),
        ),
        (
            "over-content-digits",
            "A length of any number of digits is refused.",
            post(b"Content-Length: " + b"9" * 8000),
        ),
    )
    yield from served(
        "RFC 9110, 8.6",
        201,
        (
            "limit-content-length-zeros",
            post(b"Content-Length: " + b"0" * 4000 + b"5", content=b"hello"),
            ParsedRequest("POST", ("files", "corpus"), content="hello"),
        ),
    )
