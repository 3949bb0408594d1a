"""Refused: field lines. Invalid names, white space that hides a field, folds, Expect."""

from collections.abc import Iterator

from tests.conformance.corpus.entry import Entry
from tests.conformance.corpus.written import CHUNKED, get, head, post, refused
from tests.support.malformed import MALFORMED_FIELD_LINES

EMPTY_CHUNKS = b"0\r\n\r\n"


def entries() -> Iterator[Entry]:
    """Yield the entries of this subject."""
    for name, (rfc, why, lines) in MALFORMED_FIELD_LINES.items():
        yield from refused(rfc, 400, (name, why, get(*lines)))
    yield from _names()
    yield from _white_space()
    yield from _folds()
    yield from refused(
        "RFC 9110, 10.1.1",
        417,
        ("expect-other", "Only 100-continue is supported.", get(b"Expect: 200-ok")),
        ("expect-list", "A second expectation cannot be met.", get(b"Expect: 100-continue, x")),
        ("expect-twice", "A second expectation cannot be met.", get(b"Expect: 100-continue", b"Expect: x")),
        ("expect-parameter", "100-continue has no parameters here.", get(b"Expect: 100-continue;a=b")),
        ("expect-number", "The name is longer than its number.", get(b"Expect: 100")),
        ("expect-with-content", "The content is not read.", post(b"Expect: x", b"Content-Length: 1")),
    )


def _names() -> Iterator[Entry]:
    yield from refused(
        "RFC 9110, 5.1",
        400,
        (
            "name-long-s",
            "U+017F is not s, though its upper case is S.",
            post("Tran\u017ffer-Encoding: chunked".encode(), content=EMPTY_CHUNKS),
        ),
        (
            "name-hyphen-beyond-ascii",
            "U+2010 is not a hyphen.",
            post("Content\u2010Length: 5".encode(), content=b"hello"),
        ),
    )


def _white_space() -> Iterator[Entry]:
    yield from refused(
        "RFC 9112, 5.1",
        400,
        (
            "space-before-colon-of-content-length",
            "A reader that strips it sees a body, one that does not sees none.",
            post(b"Content-Length : 5", content=b"hello"),
        ),
        (
            "tab-before-colon-of-content-length",
            "A reader that strips it sees a body, one that does not sees none.",
            post(b"Content-Length\t: 5", content=b"hello"),
        ),
        (
            "space-before-colon-of-transfer-encoding",
            "TE.TE: a reader that does not strip it goes by Content-Length.",
            post(b"Transfer-Encoding : chunked", b"Content-Length: 5", content=EMPTY_CHUNKS),
        ),
        (
            "tab-before-colon-of-transfer-encoding",
            "TE.TE: a reader that does not strip it goes by Content-Length.",
            post(b"Transfer-Encoding\t: chunked", b"Content-Length: 5", content=EMPTY_CHUNKS),
        ),
        (
            "space-before-colon-of-transfer-encoding-alone",
            "A reader that does not strip it sees no body.",
            post(b"Transfer-Encoding : chunked", content=EMPTY_CHUNKS),
        ),
    )


def _folds() -> Iterator[Entry]:
    yield from refused(
        "RFC 9112, 5.2",
        400,
        (
            "fold-hides-transfer-encoding",
            "A reader that joins it to A goes by Content-Length.",
            post(b"Content-Length: 5", b"A: b", b" Transfer-Encoding: chunked", content=EMPTY_CHUNKS),
        ),
        (
            "fold-in-transfer-encoding",
            "TE.TE: a reader that does not unfold sees an empty value.",
            post(b"Transfer-Encoding:", b" chunked", b"Content-Length: 5", content=EMPTY_CHUNKS),
        ),
        (
            "fold-after-chunked",
            "TE.TE: a reader that unfolds sees two codings.",
            post(CHUNKED, b" , identity", content=EMPTY_CHUNKS),
        ),
        (
            "fold-in-content-length",
            "A reader that unfolds sees 5 5, one that does not sees 5.",
            post(b"Content-Length: 5", b" 5", content=b"hello"),
        ),
        (
            "fold-after-empty-content-length",
            "A reader that does not unfold sees an empty value.",
            post(b"Content-Length:", b"\t5", content=b"hello"),
        ),
        ("fold-in-1-0", "A fold is refused in HTTP/1.0 as well.", get(b"A: b", b" c", version=b"HTTP/1.0")),
        (
            "fold-of-request-line",
            "A fold before any field has nothing to belong to.",
            head(b"GET /echo/a HTTP/1.1", b" folded: x", b"Host: corpus.test"),
        ),
    )
