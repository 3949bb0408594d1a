"""Refused: where the body ends is in doubt. CL.TE, TE.CL, TE.TE, CL.CL, and invalid lengths."""

from collections.abc import Iterator

from tests.conformance.corpus.entry import Entry
from tests.conformance.corpus.written import CHUNKED, HIDDEN, Refused, chunk, get, length_post, post, refused
from tests.support.malformed import MALFORMED_CODINGS, MALFORMED_LENGTHS, UNKNOWN_CODINGS

# By Transfer-Encoding the body ends at once, and a hidden request follows.
ENDS_AT_ONCE = b"0\r\n\r\n" + HIDDEN
LENGTH = b"Content-Length: %d" % len(ENDS_AT_ONCE)
# By a Content-Length of 4 the hidden request follows the chunk's size line.
HIDES_IN_CHUNK = chunk(HIDDEN)


def coding(value: bytes) -> bytes:
    """Write a request whose body ends at once if the coding is read as chunked."""
    return post(b"Transfer-Encoding: " + value, content=ENDS_AT_ONCE)


def with_length(*lines: bytes) -> bytes:
    """Write a request with these field lines and a Content-Length over all that follows."""
    return post(LENGTH, *lines, content=ENDS_AT_ONCE)


def entries() -> Iterator[Entry]:
    """Yield the entries of this subject."""
    yield from _both()
    yield from refused("RFC 9112, 6.1", 400, *_malformed_codings())
    yield from refused("RFC 9112, 6.1", 501, *_unknown_codings())
    yield from refused("RFC 9112, 6.3 rule 5", 400, *_lengths())
    yield from _two_lengths()
    yield from refused(
        "RFC 9110, 15.5.12",
        411,
        ("length-missing", "An upload without a length may be one that lost it.", post()),
        ("length-missing-content", "The content is not a request.", post(content=HIDDEN)),
        ("length-missing-in-1-0", "A length is needed in HTTP/1.0, too.", post(version=b"HTTP/1.0")),
    )


def _both() -> Iterator[Entry]:
    yield from refused(
        "RFC 9112, 6.3 rule 3",
        400,
        ("cl-te", "CL.TE: a front that goes by the length sends a hidden request on.", with_length(CHUNKED)),
        (
            "te-cl",
            "TE.CL: a front that goes by the chunks sends a hidden request on.",
            post(CHUNKED, b"Content-Length: 4", content=HIDES_IN_CHUNK),
        ),
        ("cl-zero-te", "A length of 0 conflicts with chunks.", post(b"Content-Length: 0", CHUNKED)),
        (
            "te-cl-that-agrees",
            "Even a length that fits the framing is refused.",
            post(CHUNKED, b"Content-Length: 5", content=b"0\r\n\r\n"),
        ),
        ("te-cl-far-apart", "They need not be adjacent.", with_length(b"A: b", b"C: d", CHUNKED)),
        ("cl-te-small-letters", "Names ignore case.", with_length(b"transfer-encoding: chunked")),
        ("cl-te-capitals", "Codings are case-insensitive.", with_length(b"TRANSFER-ENCODING: CHUNKED")),
        (
            "cl-te-no-space",
            "White space after the colon is optional.",
            with_length(b"Transfer-Encoding:chunked"),
        ),
        ("cl-te-tab", "A tab is white space.", with_length(b"Transfer-Encoding:\tchunked\t")),
        ("cl-te-identity", "Any coding conflicts.", with_length(b"Transfer-Encoding: identity")),
        ("cl-te-unknown", "Any coding conflicts.", with_length(b"Transfer-Encoding: xchunked")),
        ("cl-te-empty", "An empty coding conflicts.", with_length(b"Transfer-Encoding:")),
        ("cl-te-te", "Two codings conflict.", with_length(CHUNKED, b"Transfer-Encoding: x")),
        ("cl-cl-te", "Two lengths conflict.", with_length(LENGTH, CHUNKED)),
        ("cl-malformed-te", "An invalid length conflicts.", post(CHUNKED, b"Content-Length: x")),
        ("cl-empty-te", "An empty length conflicts.", post(CHUNKED, b"Content-Length:")),
        ("cl-te-get", "The rule applies to GET, too.", get(CHUNKED, b"Content-Length: 0") + b"0\r\n\r\n"),
        (
            "cl-te-close",
            "The rule applies with Connection: close, too.",
            with_length(CHUNKED, b"Connection: close"),
        ),
        (
            "cl-te-named-by-connection",
            "A field named in Connection still counts.",
            with_length(CHUNKED, b"Connection: transfer-encoding"),
        ),
        (
            "te-cl-named-by-connection",
            "A field named in Connection still counts.",
            with_length(CHUNKED, b"Connection: content-length"),
        ),
        ("cl-te-expect", "No 100 (Continue) is sent for it.", with_length(CHUNKED, b"Expect: 100-continue")),
    )
    yield from refused(
        "RFC 9112, 6.1",
        400,
        (
            "te-in-1-0",
            "HTTP/1.0 has no transfer codings.",
            post(CHUNKED, content=ENDS_AT_ONCE, version=b"HTTP/1.0"),
        ),
        (
            "te-in-1-0-keep-alive",
            "HTTP/1.0 with keep-alive has no transfer codings.",
            post(CHUNKED, b"Connection: keep-alive", content=ENDS_AT_ONCE, version=b"HTTP/1.0"),
        ),
        (
            "cl-te-in-1-0",
            "HTTP/1.0 with a length has no transfer codings.",
            post(LENGTH, CHUNKED, content=ENDS_AT_ONCE, version=b"HTTP/1.0"),
        ),
        (
            "te-identity-in-1-0",
            "HTTP/1.0 has no codings.",
            post(b"Transfer-Encoding: identity", version=b"HTTP/1.0"),
        ),
    )


def _malformed_codings() -> Iterator[Refused]:
    for name, (why, value) in MALFORMED_CODINGS.items():
        yield f"te-{name}", why, coding(value)
    yield (
        "te-two-lines-chunked",
        "Two lines are one list: chunked is applied twice.",
        post(CHUNKED, CHUNKED, content=ENDS_AT_ONCE),
    )
    yield (
        "te-two-lines-not-last",
        "TE.TE: a reader that goes by the first line sees chunks.",
        post(CHUNKED, b"Transfer-Encoding: x", content=ENDS_AT_ONCE),
    )
    yield (
        "te-two-lines-identity",
        "TE.TE: a reader that goes by the second line sees no chunks.",
        post(CHUNKED, b"Transfer-Encoding: identity", content=ENDS_AT_ONCE),
    )
    yield (
        "te-two-lines-empty-first",
        "TE.TE: an empty line is a line.",
        post(b"Transfer-Encoding:", CHUNKED, content=ENDS_AT_ONCE),
    )
    yield (
        "te-two-lines-empty-second",
        "TE.TE: an empty line is a line.",
        post(CHUNKED, b"Transfer-Encoding:", content=ENDS_AT_ONCE),
    )
    yield (
        "te-two-lines-other-case",
        "TE.TE: field names are case-insensitive.",
        post(CHUNKED, b"transfer-encoding: x", content=ENDS_AT_ONCE),
    )


def _unknown_codings() -> Iterator[Refused]:
    for name, (why, value) in UNKNOWN_CODINGS.items():
        yield f"te-{name}", why, coding(value)
    yield (
        "te-two-lines-gzip",
        "Two lines are one list, and gzip is not supported.",
        post(b"Transfer-Encoding: gzip", CHUNKED, content=ENDS_AT_ONCE),
    )
    yield (
        "te-two-lines-x",
        "TE.TE: a reader that goes by the second line sees chunks.",
        post(b"Transfer-Encoding: x", CHUNKED, content=ENDS_AT_ONCE),
    )


def _lengths() -> Iterator[Refused]:
    for name, (why, value) in MALFORMED_LENGTHS.items():
        if name not in ("form-feed", "next-line", "nul"):  # they are in byte_values.py, with every such byte
            yield f"length-{name}", why, length_post(value)
    yield ("length-on-get", "Content-Length is checked on GET.", get(b"Content-Length: x"))
    yield (
        "length-in-1-0",
        "Content-Length is checked in HTTP/1.0.",
        post(b"Content-Length: +5", content=b"hello", version=b"HTTP/1.0"),
    )


def _two_lengths() -> Iterator[Entry]:
    short, long = b"Content-Length: 0", b"Content-Length: %d" % len(HIDDEN)
    yield from refused(
        "RFC 9112, 6.3 rule 5",
        400,
        ("cl-cl-short-first", "CL.CL: a request hides from the first.", post(short, long, content=HIDDEN)),
        ("cl-cl-long-first", "CL.CL: a request hides from the second.", post(long, short, content=HIDDEN)),
        ("cl-cl-same", "Two equal lengths are refused.", post(long, long, content=HIDDEN)),
        ("cl-cl-zeros", "05 and 5 are two lengths.", post(long, long.replace(b": ", b": 0"))),
        ("cl-cl-empty", "An empty second length is refused.", post(b"Content-Length:", long, content=HIDDEN)),
        (
            "cl-cl-malformed",
            "CL.CL: a reader that drops the bad one goes by the other.",
            post(b"Content-Length: x", long),
        ),
        ("cl-cl-other-case", "Names ignore case.", post(long, b"content-length: 0", content=HIDDEN)),
        ("cl-cl-apart", "They need not be adjacent.", post(short, b"A: b", long, content=HIDDEN)),
        ("cl-cl-cl", "Three lengths are refused.", post(long, short, long, content=HIDDEN)),
    )
