"""Refused: where the content ends is in doubt. CL.TE, TE.CL, TE.TE, CL.CL, and lengths that are none."""

from collections.abc import Iterator

from tests.conformance.corpus.entry import Entry
from tests.conformance.corpus.written import CHUNKED, HIDDEN, Refused, chunk, get, length_post, post, refused
from tests.support.malformed import MALFORMED_LENGTHS

# To who goes by Transfer-Encoding the content ends at once, and a hidden request follows.
ENDS_AT_ONCE = b"0\r\n\r\n" + HIDDEN
LENGTH = b"Content-Length: %d" % len(ENDS_AT_ONCE)
# To who goes by a Content-Length of 4 the hidden request follows the chunk's size line.
HIDES_IN_CHUNK = chunk(HIDDEN)


def coding(value: bytes) -> bytes:
    """Write a request whose transfer coding, if it is none, leaves a Content-Length that hides one."""
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


def _both() -> Iterator[Entry]:
    yield from refused(
        "RFC 9112, 6.3 rule 3",
        400,
        (
            "cl-te",
            "CL.TE: a front that goes by the length sends a hidden request on.",
            with_length(CHUNKED),
        ),
        (
            "te-cl",
            "TE.CL: a front that goes by the chunks sends a hidden request on.",
            post(CHUNKED, b"Content-Length: 4", content=HIDES_IN_CHUNK),
        ),
        ("cl-zero-te", "A length of 0 contradicts chunks, too.", post(b"Content-Length: 0", CHUNKED)),
        (
            "te-cl-that-agrees",
            "Even a length that fits the framing is refused.",
            post(CHUNKED, b"Content-Length: 5", content=b"0\r\n\r\n"),
        ),
        ("te-cl-far-apart", "Lines between them change nothing.", with_length(b"A: b", b"C: d", CHUNKED)),
        ("cl-te-small-letters", "Field names have no case.", with_length(b"transfer-encoding: chunked")),
        ("cl-te-capitals", "Nor has the coding.", with_length(b"TRANSFER-ENCODING: CHUNKED")),
        (
            "cl-te-no-space",
            "White space behind the colon is optional.",
            with_length(b"Transfer-Encoding:chunked"),
        ),
        ("cl-te-tab", "A tab is white space, too.", with_length(b"Transfer-Encoding:\tchunked\t")),
        ("cl-te-identity", "Whatever the coding is.", with_length(b"Transfer-Encoding: identity")),
        ("cl-te-unknown", "Whatever the coding is.", with_length(b"Transfer-Encoding: xchunked")),
        ("cl-te-empty", "Even without a coding.", with_length(b"Transfer-Encoding:")),
        ("cl-te-te", "Two codings and a length.", with_length(CHUNKED, b"Transfer-Encoding: x")),
        ("cl-cl-te", "Two lengths and a coding.", with_length(LENGTH, CHUNKED)),
        ("cl-malformed-te", "A length that is none is one too many.", post(CHUNKED, b"Content-Length: x")),
        ("cl-empty-te", "An empty length is one too many.", post(CHUNKED, b"Content-Length:")),
        ("cl-te-get", "A GET request is no exception.", get(CHUNKED, b"Content-Length: 0") + b"0\r\n\r\n"),
        (
            "cl-te-close",
            "Nor is one that closes: another hop may not.",
            with_length(CHUNKED, b"Connection: close"),
        ),
        (
            "cl-te-named-by-connection",
            "To name it in Connection does not take it away.",
            with_length(CHUNKED, b"Connection: transfer-encoding"),
        ),
        (
            "te-cl-named-by-connection",
            "To name it in Connection does not take it away.",
            with_length(CHUNKED, b"Connection: content-length"),
        ),
        (
            "cl-te-expect",
            "It is refused before the content is asked for.",
            with_length(CHUNKED, b"Expect: 100-continue"),
        ),
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
            "Nor where it persists.",
            post(CHUNKED, b"Connection: keep-alive", content=ENDS_AT_ONCE, version=b"HTTP/1.0"),
        ),
        (
            "cl-te-in-1-0",
            "Nor beside a length.",
            post(LENGTH, CHUNKED, content=ENDS_AT_ONCE, version=b"HTTP/1.0"),
        ),
        (
            "te-identity-in-1-0",
            "Nor identity.",
            post(b"Transfer-Encoding: identity", version=b"HTTP/1.0"),
        ),
    )


def _malformed_codings() -> Iterator[Refused]:
    yield "te-not-last", "Chunked is the last coding, or the end is unknown.", coding(b"chunked, gzip")
    yield "te-not-last-identity", "Identity is a coding like another.", coding(b"chunked, identity")
    yield "te-not-last-unknown", "Whatever follows.", coding(b"chunked, x")
    yield "te-chunked-twice", "Chunked is applied once.", coding(b"chunked, chunked")
    yield "te-chunked-twice-other-case", "Codings have no case.", coding(b"chunked,CHUNKED")
    yield "te-first-and-last", "Chunked is applied once.", coding(b"chunked, gzip, chunked")
    yield "te-empty", "A list of codings has one.", coding(b"")
    yield "te-blank", "A list of codings has one.", coding(b" \t ")
    yield "te-comma", "A list of codings has one.", coding(b",")
    yield "te-comma-before", "Who skips empty members sees chunked.", coding(b", chunked")
    yield "te-comma-behind", "Who skips empty members sees chunked.", coding(b"chunked,")
    yield "te-commas-inside", "Empty members are not sent.", coding(b"gzip,,chunked")
    yield (
        "te-two-lines-chunked",
        "Two lines are one list: chunked is applied twice.",
        post(CHUNKED, CHUNKED, content=ENDS_AT_ONCE),
    )
    yield (
        "te-two-lines-not-last",
        "TE.TE: who goes by the first line sees chunks.",
        post(CHUNKED, b"Transfer-Encoding: x", content=ENDS_AT_ONCE),
    )
    yield (
        "te-two-lines-identity",
        "TE.TE: who goes by the second line sees no chunks.",
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
        "TE.TE: field names have no case.",
        post(CHUNKED, b"transfer-encoding: x", content=ENDS_AT_ONCE),
    )


def _unknown_codings() -> Iterator[Refused]:
    yield "te-gzip", "A request's coding other than chunked is not implemented.", coding(b"gzip")
    yield "te-gzip-chunked", "Content that is compressed, too, is not taken.", coding(b"gzip, chunked")
    yield "te-x-gzip-chunked", "By its old name neither.", coding(b"x-gzip, chunked")
    yield "te-deflate-chunked", "Nor with another coding.", coding(b"deflate,chunked")
    yield "te-identity", "Identity is a coding no longer.", coding(b"identity")
    yield (
        "te-identity-chunked",
        "TE.TE: who goes by the first member sees none.",
        coding(b"identity, chunked"),
    )
    yield "te-xchunked", "TE.TE: a name that ends alike.", coding(b"xchunked")
    yield "te-chunkedx", "TE.TE: a name that begins alike.", coding(b"chunkedx")
    yield "te-chunk", "TE.TE: a name that is cut.", coding(b"chunk")
    yield "te-cow", "TE.TE: a name that is none at all.", coding(b"cow")
    yield "te-space-inside", "TE.TE: who takes the spaces out sees chunked.", coding(b"chun ked")
    yield "te-two-words", "TE.TE: who goes by the first word sees chunked.", coding(b"chunked foo")
    yield "te-parameter", "Chunked has no parameters.", coding(b"chunked;a=b")
    yield "te-weight", "A weight belongs in TE.", coding(b"chunked;q=0")
    yield "te-semicolon", "TE.TE: who cuts at a semicolon sees chunked.", coding(b"chunked;")
    yield "te-quotes", "TE.TE: who takes quotes off sees chunked.", coding(b'"chunked"')
    yield "te-single-quotes", "TE.TE: who takes quotes off sees chunked.", coding(b"'chunked'")
    yield "te-parentheses", "TE.TE: a comment is no coding.", coding(b"(a) chunked")
    yield "te-colon", "TE.TE: who skips a second colon sees chunked.", coding(b": chunked")
    yield "te-field-in-value", "TE.TE: the name stands twice.", coding(b"Transfer-Encoding: chunked")
    yield "te-backslash", "TE.TE: a quoted octet outside of quotes.", coding(b"\\chunked")
    yield "te-percent", "TE.TE: a field is not percent-decoded.", coding(b"%63hunked")
    yield "te-escaped-crlf", "TE.TE: an escape written out is no line end.", coding(b"chunked\\r\\n")
    yield "te-equals", "TE.TE: a name with a value.", coding(b"chunked=1")
    yield "te-kelvin", "U+212A is no k, though its lower case is k.", coding("chun\u212aed".encode())
    yield "te-full-width", "Letters beyond ASCII are not folded into it.", coding("\uff43hunked".encode())
    yield "te-no-break-space", "U+00A0 is no white space here.", coding(b"\xa0chunked")
    yield "te-no-break-space-behind", "U+00A0 is no white space here.", coding(b"chunked\xa0")
    yield "te-next-line", "U+0085 is no white space here.", coding(b"chunked\x85")
    yield "te-byte-order-mark", "A byte order mark is no white space.", coding(b"\xef\xbb\xbfchunked")
    yield (
        "te-two-lines-gzip",
        "Two lines are one list, and gzip is not implemented.",
        post(b"Transfer-Encoding: gzip", CHUNKED, content=ENDS_AT_ONCE),
    )
    yield (
        "te-two-lines-x",
        "TE.TE: who goes by the second line sees chunks.",
        post(b"Transfer-Encoding: x", CHUNKED, content=ENDS_AT_ONCE),
    )


def _lengths() -> Iterator[Refused]:
    for name, (why, value) in MALFORMED_LENGTHS.items():
        if name not in ("form-feed", "next-line", "nul"):  # they are in octets.py, with every such byte
            yield f"length-{name}", why, length_post(value)
    yield (
        "length-on-get",
        "It is checked where no content is usual.",
        get(b"Content-Length: x"),
    )
    yield (
        "length-in-1-0",
        "It is checked in HTTP/1.0.",
        post(b"Content-Length: +5", content=b"hello", version=b"HTTP/1.0"),
    )


def _two_lengths() -> Iterator[Entry]:
    short, long = b"Content-Length: 0", b"Content-Length: %d" % len(HIDDEN)
    yield from refused(
        "RFC 9112, 6.3 rule 5",
        400,
        ("cl-cl-short-first", "CL.CL: a request hides from the first.", post(short, long, content=HIDDEN)),
        ("cl-cl-long-first", "CL.CL: a request hides from the second.", post(long, short, content=HIDDEN)),
        ("cl-cl-same", "Even where they agree.", post(long, long, content=HIDDEN)),
        ("cl-cl-zeros", "05 and 5 are two ways to write it.", post(long, long.replace(b": ", b": 0"))),
        ("cl-cl-empty", "An empty length is one, too.", post(b"Content-Length:", long, content=HIDDEN)),
        (
            "cl-cl-malformed",
            "CL.CL: who drops the bad one goes by the other.",
            post(b"Content-Length: x", long),
        ),
        ("cl-cl-other-case", "Field names have no case.", post(long, b"content-length: 0", content=HIDDEN)),
        ("cl-cl-apart", "Lines between them change nothing.", post(short, b"A: b", long, content=HIDDEN)),
        ("cl-cl-cl", "Three are no better.", post(long, short, long, content=HIDDEN)),
    )
