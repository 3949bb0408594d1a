"""Refused: invalid request lines, and unsupported versions."""

from collections.abc import Iterator

from tests.conformance.corpus.entry import Entry
from tests.conformance.corpus.written import HIDDEN, get, head, refused
from tests.support.malformed import (
    MALFORMED_METHODS,
    MALFORMED_REQUEST_LINES,
    MALFORMED_VERSIONS,
    OTHER_MAJOR_VERSIONS,
)

FIELD = b"Host: corpus.test"


def line(data: bytes) -> bytes:
    """Write a request with this request line."""
    return head(data.replace(b"TARGET", b"/echo/a"), FIELD)


def version(data: bytes) -> bytes:
    """Write a request with this version."""
    return get(version=data)


def entries() -> Iterator[Entry]:
    """Yield the entries of this subject."""
    yield from refused(
        "RFC 9112, 3",
        400,
        *((f"line-{name}", why, line(data)) for name, (why, data) in MALFORMED_REQUEST_LINES.items()),
        ("line-is-field", "A field line replaces the request line.", head(FIELD, b"A: b")),
        ("line-chunk-size", "The rest of a chunked body is not a request.", b"0\r\n\r\n" + HIDDEN),
        ("line-json", "The rest of a body is not a request.", b'{"a": 1}\r\n\r\n' + HIDDEN),
        ("line-tls", "A TLS handshake is not a request.", b"\x16\x03\x01\x00\x05\x01\x00\x00\r\n\r\n"),
        (
            "line-proxy-protocol",
            "PROXY's line is not HTTP.",
            b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n" + HIDDEN,
        ),
        ("line-alone", "It is refused when its line is complete.", b"hello\r\n"),
        ("line-alone-ssh", "It is refused when its line is complete.", b"SSH-2.0-OpenSSH_9.6\r\n"),
        ("line-alone-version", "It is refused before the fields.", b"GET /echo/a http/1.1\r\n"),
        (
            "line-alone-target",
            "It is refused before the fields.",
            b"GET echo/a HTTP/1.1\r\nHost: corpus.test\r\n",
        ),
        ("line-byte-order-mark", "A byte order mark is not part of a method.", b"\xef\xbb\xbf" + get()),
    )
    yield from refused(
        "RFC 9110, 9.1",
        400,
        *((f"method-{name}", why, get(method=data)) for name, (why, data) in MALFORMED_METHODS.items()),
        ("method-empty", "A method has one byte at least.", line(b" /echo/a HTTP/1.1 ")),
    )
    yield from refused(
        "RFC 9112, 2.3",
        400,
        *((f"version-{name}", why, version(data)) for name, (why, data) in MALFORMED_VERSIONS.items()),
    )
    yield from refused(
        "RFC 9110, 15.6.6",
        505,
        *((f"version-{name}", why, version(data)) for name, (why, data) in OTHER_MAJOR_VERSIONS.items()),
        (
            "version-2-preface",
            "A client with prior knowledge of HTTP/2 begins like this.",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
        ),
    )
    yield from refused(
        "RFC 9112, 2.2",
        400,
        ("empty-lines-nine", "A few empty lines are skipped, not any number.", b"\r\n" * 9 + get()),
        ("empty-lines-thousand", "Empty lines would hold a connection for nothing.", b"\r\n" * 1000 + get()),
        ("empty-line-of-space", "A line with a space in it is not empty.", b" \r\n" + get()),
        ("empty-line-of-tab", "A line with a tab in it is not empty.", b"\r\n\t\r\n" + get()),
        (
            "space-before-first-field",
            "White space before the first field line could hide it.",
            head(b"GET /echo/a HTTP/1.1", b" A: b", FIELD),
        ),
        (
            "tab-before-first-field",
            "White space before the first field line could hide it.",
            head(b"GET /echo/a HTTP/1.1", b"\t" + FIELD),
        ),
        (
            "empty-fold-before-first-field",
            "A line of white space does not end a head.",
            head(b"GET /echo/a HTTP/1.1", b" ", FIELD),
        ),
    )
