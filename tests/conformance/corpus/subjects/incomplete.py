"""Not complete: the client ends the connection before its request is whole.

No answer is sent: the connection is closed, and the request has had no effect.
"""

from collections.abc import Iterator

from tests.conformance.corpus.entry import Entry
from tests.conformance.corpus.written import CHUNKED, chunked, get, post, refused

EXPECT = b"Expect: 100-continue"


def entries() -> Iterator[Entry]:
    """Yield the entries of this subject."""
    yield from refused(
        "RFC 9112, 8",
        None,
        ("cut-in-empty-line", "The empty line is not complete.", b"\r"),
        ("cut-in-method", "The request line is not complete.", b"GE:"),
        ("cut-after-method", "The request line is not complete.", b"GET "),
        ("cut-in-target", "The request line is not complete.", b"GET /ec"),
        ("cut-in-version", "The request line is not complete.", b"GET /echo/a HTTP/1"),
        ("cut-after-version", "The request line has no end.", b"GET /echo/a HTTP/1.1"),
        ("cut-in-line-end", "The line end is not complete.", b"GET /echo/a HTTP/1.1\r"),
        ("cut-after-request-line", "The fields are missing.", b"GET /echo/a HTTP/1.1\r\n"),
        ("cut-in-field-name", "A field line is not complete.", get()[:24]),
        ("cut-in-field-value", "A field line is not complete.", get()[:-8]),
        ("cut-before-empty-line", "An empty line ends a head.", get()[:-2]),
        ("cut-in-last-line-end", "The empty line is not complete.", get()[:-1]),
        ("cut-before-content", "Content is announced.", post(b"Content-Length: 500")),
        ("cut-in-content", "Content is not complete.", post(b"Content-Length: 500", content=b"hello")),
        (
            "cut-in-content-of-1-0",
            "A request body does not end with the connection.",
            post(b"Content-Length: 500", content=b"hello", version=b"HTTP/1.0"),
        ),
        ("cut-in-content-of-get", "The body of GET is not complete.", get(b"Content-Length: 500") + b"hello"),
        (
            "cut-in-content-that-closes",
            "The body of a last request is not complete.",
            post(b"Content-Length: 500", b"Connection: close", content=b"hello"),
        ),
        ("cut-before-chunks", "Chunks are announced.", post(CHUNKED)),
        ("cut-in-chunk-size", "A size line is not complete.", chunked(b"5")),
        ("cut-in-chunk-line-end", "A size line is not complete.", chunked(b"5\r")),
        ("cut-in-chunk-extension", "A size line is not complete.", chunked(b"5;a")),
        ("cut-before-chunk-data", "A chunk is not complete.", chunked(b"fff\r\n")),
        ("cut-in-chunk-data", "A chunk is not complete.", chunked(b"fff\r\nhello")),
        ("cut-after-chunk-data", "CRLF follows the data.", chunked(b"5\r\nhello")),
        ("cut-after-chunk", "The last chunk is missing.", chunked(b"5\r\nhello\r\n")),
        ("cut-in-last-chunk", "The last size line is not complete.", chunked(b"5\r\nhello\r\n0")),
        ("cut-after-last-chunk", "The empty line is missing.", chunked(b"5\r\nhello\r\n0\r\n")),
        ("cut-in-trailers", "The empty line is missing.", chunked(b"0\r\nA: b\r\n")),
        ("cut-in-trailer", "A trailer line is not complete.", chunked(b"0\r\nA")),
        ("cut-in-last-empty-line", "The empty line is not complete.", chunked(b"0\r\n\r")),
        ("cut-where-content-is-expected", "100 is not a final answer.", post(EXPECT, b"Content-Length: 500")),
        ("cut-where-chunks-are-expected", "100 is not a final answer.", post(EXPECT, CHUNKED)),
    )
