"""Refused: a line that ends in anything but CRLF, at every place where a line ends.

A bare LF is what RFC 9112 lets a recipient take for a line end; this server takes it in no place: two
that differ about it disagree about where a request ends (chunk extensions and trailers above all).
"""

from collections.abc import Iterator

from tests.conformance.corpus.entry import Entry
from tests.conformance.corpus.written import HIDDEN, chunked, refused
from tests.support.malformed import LINE_ENDS_IN_EXTENSIONS

GET = b"GET /echo/a HTTP/1.1"
HOST = b"Host: corpus.test"

# By the place: what precedes the line end, and what follows it.
PLACES = {
    "request-line": (GET, HOST + b"\r\n\r\n"),
    "field": (GET + b"\r\nA: b", HOST + b"\r\n\r\n"),
    "last-field": (GET + b"\r\n" + HOST, b"\r\n"),
    "head": (GET + b"\r\n" + HOST + b"\r\n", HIDDEN),
    "empty-line": (b"", GET + b"\r\n" + HOST + b"\r\n\r\n"),
    "chunk-size": (chunked(b"5"), b"hello\r\n0\r\n\r\n"),
    "chunk-extension": (chunked(b"5;a=b"), b"hello\r\n0\r\n\r\n"),
    "chunk-data": (chunked(b"5\r\nhello"), b"0\r\n\r\n"),
    "last-chunk": (chunked(b"5\r\nhello\r\n0"), b"\r\n" + HIDDEN),
    "trailer": (chunked(b"0\r\nA: b"), b"\r\n" + HIDDEN),
    "trailers": (chunked(b"0\r\nA: b\r\n"), HIDDEN),
    "no-trailers": (chunked(b"5\r\nhello\r\n0\r\n"), HIDDEN),
}
ENDS = {
    "lf": (b"\n", "a bare LF"),
    "cr": (b"\r", "a bare CR"),
    "lf-cr": (b"\n\r", "LF and CR the wrong way round"),
    "cr-cr-lf": (b"\r\r\n", "CRLF and another CR before it"),
}


def entries() -> Iterator[Entry]:
    """Yield the entries of this subject."""
    for place, (before, after) in PLACES.items():
        where = place.replace("-", " ")
        for name, (end, words) in ENDS.items():
            yield from refused(
                "RFC 9112, 7.1" if "chunk" in place or "trailer" in place else "RFC 9112, 2.2",
                400,
                (
                    f"end-of-{place}-{name}",
                    f"At the end of the {where} stands {words}.",
                    before + end + after,
                ),
            )
    yield from refused(
        "RFC 9112, 2.2",
        400,
        ("ends-all-lf", "Every line ends in a bare LF.", (GET + b"\n" + HOST + b"\n\n")),
        ("ends-all-cr", "Every line ends in a bare CR.", (GET + b"\r" + HOST + b"\r\r" + HIDDEN)),
        (
            "ends-lf-hides-field",
            "A reader that takes a bare LF for a line end sees a body.",
            GET + b"\r\n" + HOST + b"\r\nA: b\nContent-Length: 5\r\n\r\nhello",
        ),
        (
            "ends-cr-hides-field",
            "A reader that takes a bare CR for a line end sees chunks.",
            GET + b"\r\n" + HOST + b"\r\nA: b\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "ends-lf-hides-request",
            "A reader that takes two bare LFs for the end of a head sees a request next.",
            GET + b"\r\n" + HOST + b"\r\nA: b\n\n" + HIDDEN,
        ),
        (
            "ends-cr-hides-request",
            "A reader that takes two bare CRs for the end of a head sees a request next.",
            GET + b"\r\n" + HOST + b"\r\nA: b\r\r" + HIDDEN,
        ),
        (
            "ends-lf-in-coding",
            "TE.TE: a reader that takes LF for white space sees chunks.",
            GET + b"\r\n" + HOST + b"\r\nTransfer-Encoding:\nchunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "ends-cr-in-coding",
            "TE.TE: a reader that takes CR for white space sees chunks.",
            GET + b"\r\n" + HOST + b"\r\nTransfer-Encoding: chunked\r\r\n\r\n0\r\n\r\n",
        ),
        (
            "ends-lf-before-name",
            "TE.TE: a reader that takes LF for a line end sees chunks.",
            GET + b"\r\n" + HOST + b"\r\nX:X\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        ("ends-lf-of-chunk-size-unended", "It is refused before CRLF comes.", chunked(b"5\n")),
        ("ends-lf-of-extension-unended", "It is refused before CRLF comes.", chunked(b"5;a=b\n")),
        ("ends-lf-of-trailer-unended", "It is refused before CRLF comes.", chunked(b"0\r\nA: b\n")),
        ("ends-lf-of-field-unended", "It is refused before CRLF comes.", GET + b"\r\nA: b\n"),
        ("ends-lf-of-request-line-unended", "It is refused before CRLF comes.", GET + b"\n"),
        *((f"ends-{name}", why, chunked(body)) for name, (why, body) in LINE_ENDS_IN_EXTENSIONS.items()),
    )
