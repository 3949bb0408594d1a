"""Refused: field lines. Names that are none, white space where it hides something, folds, Expect."""

from collections.abc import Iterator

from tests.conformance.corpus.entry import Entry
from tests.conformance.corpus.written import CHUNKED, get, head, post, refused

EMPTY_CHUNKS = b"0\r\n\r\n"


def entries() -> Iterator[Entry]:
    """Yield the entries of this subject."""
    yield from _names()
    yield from _white_space()
    yield from _folds()
    yield from refused(
        "RFC 9110, 10.1.1",
        417,
        ("expect-other", "Only 100-continue can be expected.", get(b"Expect: 200-ok")),
        ("expect-list", "A second expectation cannot be met.", get(b"Expect: 100-continue, x")),
        ("expect-twice", "A second expectation cannot be met.", get(b"Expect: 100-continue", b"Expect: x")),
        ("expect-parameter", "100-continue has no parameters here.", get(b"Expect: 100-continue;a=b")),
        ("expect-number", "The name is longer than its number.", get(b"Expect: 100")),
        ("expect-with-content", "The content is not read.", post(b"Expect: x", b"Content-Length: 1")),
    )


def _names() -> Iterator[Entry]:
    yield from refused(
        "RFC 9112, 5",
        400,
        ("field-without-colon", "A colon ends a name.", get(b"Accept")),
        ("field-without-colon-but-value", "A colon ends a name.", get(b"Accept text/html")),
        ("field-equals-for-colon", "A colon ends a name.", get(b"Accept=text/html")),
        ("field-without-name", "A name has one octet at least.", get(b": b")),
        ("field-colon-only", "A name has one octet at least.", get(b":")),
        ("field-two-colons", "A name has one octet at least.", get(b"::")),
        ("field-is-request-line", "A head holds one request.", get(b"GET /echo/hidden HTTP/1.1")),
        ("field-full-width-colon", "The colon is one of ASCII.", get("A\uff1a b".encode())),
    )
    yield from refused(
        "RFC 9110, 5.1",
        400,
        ("name-space", "A name is one token.", get(b"A B: c")),
        ("name-tab", "A name is one token.", get(b"A\tB: c")),
        ("name-slash", "A slash is no token octet.", get(b"A/B: c")),
        ("name-parentheses", "A comment is no token.", get(b"(A): b")),
        ("name-quotes", "A quoted string is no token.", get(b'"A": b')),
        ("name-brackets", "Brackets are no token octets.", get(b"[A]: b")),
        ("name-braces", "Braces are no token octets.", get(b"{A}: b")),
        ("name-angles", "Angle brackets are no token octets.", get(b"<A>: b")),
        ("name-comma", "A comma is no token octet.", get(b"A,B: c")),
        ("name-semicolon", "A semicolon is no token octet.", get(b"A;B: c")),
        ("name-equals", "An equals sign is no token octet.", get(b"A=B: c")),
        ("name-at", "An at sign is no token octet.", get(b"A@B: c")),
        ("name-backslash", "A backslash is no token octet.", get(b"A\\B: c")),
        ("name-question-mark", "A question mark is no token octet.", get(b"A?: b")),
        ("name-raw-utf-8", "A name is ASCII.", get("Größe: 1".encode())),
        (
            "name-long-s",
            "U+017F is no s, though its upper case is S.",
            post("Tran\u017ffer-Encoding: chunked".encode(), content=EMPTY_CHUNKS),
        ),
        (
            "name-kelvin",
            "U+212A is no k, though its lower case is k.",
            get("\u212aeep-Alive: 1".encode()),
        ),
        (
            "name-hyphen-beyond-ascii",
            "U+2010 is no hyphen.",
            post("Content\u2010Length: 5".encode(), content=b"hello"),
        ),
    )


def _white_space() -> Iterator[Entry]:
    yield from refused(
        "RFC 9112, 5.1",
        400,
        ("space-before-colon", "It has made proxies and servers disagree.", get(b"A : b")),
        ("tab-before-colon", "A tab does the same.", get(b"A\t: b")),
        ("two-spaces-before-colon", "However many there are.", get(b"A  : b")),
        (
            "space-before-colon-of-content-length",
            "Who strips it has content, who does not has none.",
            post(b"Content-Length : 5", content=b"hello"),
        ),
        (
            "tab-before-colon-of-content-length",
            "Who strips it has content, who does not has none.",
            post(b"Content-Length\t: 5", content=b"hello"),
        ),
        (
            "space-before-colon-of-transfer-encoding",
            "TE.TE: who does not strip it goes by Content-Length.",
            post(b"Transfer-Encoding : chunked", b"Content-Length: 5", content=EMPTY_CHUNKS),
        ),
        (
            "tab-before-colon-of-transfer-encoding",
            "TE.TE: who does not strip it goes by Content-Length.",
            post(b"Transfer-Encoding\t: chunked", b"Content-Length: 5", content=EMPTY_CHUNKS),
        ),
        (
            "space-before-colon-of-transfer-encoding-alone",
            "Who does not strip it sees no content.",
            post(b"Transfer-Encoding : chunked", content=EMPTY_CHUNKS),
        ),
        (
            "space-before-colon-of-connection",
            "Even where no framing depends on it.",
            get(b"Connection : close"),
        ),
    )


def _folds() -> Iterator[Entry]:
    yield from refused(
        "RFC 9112, 5.2",
        400,
        ("fold-space", "A folded line is read in two ways.", get(b"A: b", b" c")),
        ("fold-tab", "A tab folds, too.", get(b"A: b", b"\tc")),
        ("fold-many-spaces", "However many there are.", get(b"A: b", b"      c")),
        ("fold-of-nothing", "A line of white space is a fold.", get(b"A: b", b" ")),
        ("fold-of-empty-value", "A value that begins on the next line.", get(b"A:", b" b")),
        ("fold-twice", "A fold of a fold.", get(b"A: b", b" c", b"\td")),
        ("fold-in-the-middle", "Lines follow it.", get(b"A: b", b" c", b"D: e")),
        ("fold-like-a-field", "Who takes it for a field sees content.", get(b"A: b", b" Content-Length: 5")),
        (
            "fold-hides-transfer-encoding",
            "Who joins it to A goes by Content-Length.",
            post(b"Content-Length: 5", b"A: b", b" Transfer-Encoding: chunked", content=EMPTY_CHUNKS),
        ),
        (
            "fold-in-transfer-encoding",
            "TE.TE: who does not unfold sees an empty value.",
            post(b"Transfer-Encoding:", b" chunked", b"Content-Length: 5", content=EMPTY_CHUNKS),
        ),
        (
            "fold-behind-chunked",
            "TE.TE: who unfolds sees two codings.",
            post(CHUNKED, b" , identity", content=EMPTY_CHUNKS),
        ),
        (
            "fold-in-content-length",
            "Who unfolds sees 5 5, who does not sees 5.",
            post(b"Content-Length: 5", b" 5", content=b"hello"),
        ),
        (
            "fold-behind-empty-content-length",
            "Who does not unfold sees an empty value.",
            post(b"Content-Length:", b"\t5", content=b"hello"),
        ),
        (
            "fold-in-1-0",
            "In HTTP/1.0 it was legal, and as dangerous.",
            get(b"A: b", b" c", version=b"HTTP/1.0"),
        ),
        (
            "fold-of-request-line",
            "A fold before any field has nothing to belong to.",
            head(b"GET /echo/a HTTP/1.1", b" folded: x", b"Host: corpus.test"),
        ),
    )
