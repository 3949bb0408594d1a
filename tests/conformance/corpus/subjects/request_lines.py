"""Refused: request lines that are none, and versions that are not served."""

from collections.abc import Iterator

from tests.conformance.corpus.entry import Entry
from tests.conformance.corpus.written import HIDDEN, get, head, refused

FIELD = b"Host: corpus.test"


def line(octets: bytes) -> bytes:
    """Write a request with this request line."""
    return head(octets, FIELD)


def version(octets: bytes) -> bytes:
    """Write a request with this version."""
    return get(version=octets)


def entries() -> Iterator[Entry]:
    """Yield the entries of this subject."""
    yield from refused(
        "RFC 9112, 3",
        400,
        ("line-without-version", "HTTP/0.9's request line has no version.", line(b"GET /echo/a")),
        ("line-method-only", "A method alone is no request line.", line(b"GET")),
        ("line-without-target", "Nothing stands between method and version.", line(b"GET HTTP/1.1")),
        ("line-empty-target", "The target between two spaces is empty.", line(b"GET  HTTP/1.1")),
        ("line-two-spaces-before-target", "One space separates.", line(b"GET  /echo/a HTTP/1.1")),
        ("line-two-spaces-before-version", "One space separates.", line(b"GET /echo/a  HTTP/1.1")),
        ("line-space-behind", "Nothing follows the version.", line(b"GET /echo/a HTTP/1.1 ")),
        ("line-space-before", "A request line begins with its method.", line(b" GET /echo/a HTTP/1.1")),
        ("line-tab-before", "A request line begins with its method.", line(b"\tGET /echo/a HTTP/1.1")),
        ("line-tabs-between", "A tab does not separate.", line(b"GET\t/echo/a\tHTTP/1.1")),
        ("line-tab-behind-target", "A tab does not separate.", line(b"GET /echo/a\tHTTP/1.1")),
        ("line-form-feed-between", "A form feed is no space.", line(b"GET /echo/a\x0cHTTP/1.1")),
        ("line-fourth-word", "There are three words.", line(b"GET /echo/a HTTP/1.1 x")),
        ("line-second-version", "There are three words.", line(b"GET /echo/a HTTP/1.1 HTTP/1.1")),
        ("line-version-first", "The order is method, target, version.", line(b"HTTP/1.1 GET /echo/a")),
        ("line-response", "A status line begins a response, not a request.", line(b"HTTP/1.1 200 OK")),
        ("line-is-field", "A field line stands in place of the request line.", head(FIELD, b"A: b")),
        ("line-folded", "A request line cannot be folded.", line(b"GET /echo/a\r\n HTTP/1.1")),
        (
            "line-hides-request",
            "Words behind the version hold a second request line.",
            line(b"GET /echo/a HTTP/1.1 GET /echo/hidden HTTP/1.1"),
        ),
        ("line-chunk-size", "What is left of a chunked content is no request.", b"0\r\n\r\n" + HIDDEN),
        ("line-json", "What is left of a content is no request.", b'{"a": 1}\r\n\r\n' + HIDDEN),
        ("line-tls", "A TLS handshake is no request.", b"\x16\x03\x01\x00\x05\x01\x00\x00\r\n\r\n"),
        (
            "line-proxy-protocol",
            "PROXY's line is not HTTP.",
            b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n" + HIDDEN,
        ),
        ("line-byte-order-mark", "A byte order mark is no part of a method.", b"\xef\xbb\xbf" + get()),
    )
    yield from refused(
        "RFC 9110, 9.1",
        400,
        ("method-empty", "A method has one octet at least.", line(b" /echo/a HTTP/1.1 ")),
        ("method-colon", "A colon is no token octet.", get(method=b"GET:")),
        ("method-slash", "A slash is no token octet.", get(method=b"GE/T")),
        ("method-at", "An at sign is no token octet.", get(method=b"G@T")),
        ("method-quotes", "A quoted string is no token.", get(method=b'"GET"')),
        ("method-parentheses", "A comment is no token.", get(method=b"(GET)")),
        ("method-brackets", "Brackets are no token octets.", get(method=b"[GET]")),
        ("method-braces", "Braces are no token octets.", get(method=b"{GET}")),
        ("method-comma", "A list of methods is no token.", get(method=b"GET,POST")),
        ("method-semicolon", "A method has no parameters.", get(method=b"GET;a=b")),
        ("method-backslash", "A backslash is no token octet.", get(method=b"GE\\T")),
        (
            "method-full-width",
            "Letters beyond ASCII are not folded into it.",
            get(method="\uff27\uff25\uff34".encode()),
        ),
    )
    yield from refused(
        "RFC 9112, 2.3",
        400,
        ("version-small-letters", "HTTP-name is case-sensitive.", version(b"http/1.1")),
        ("version-mixed-letters", "HTTP-name is case-sensitive.", version(b"HTTp/1.1")),
        ("version-two-digits", "The minor version is one digit.", version(b"HTTP/1.10")),
        ("version-zero-before", "The major version is one digit.", version(b"HTTP/01.1")),
        ("version-zero-before-minor", "The minor version is one digit.", version(b"HTTP/1.01")),
        ("version-without-minor", "There is a minor version.", version(b"HTTP/1")),
        ("version-empty-minor", "The minor version is a digit.", version(b"HTTP/1.")),
        ("version-empty-major", "The major version is a digit.", version(b"HTTP/.1")),
        ("version-without-dot", "A dot separates.", version(b"HTTP/11")),
        ("version-comma", "A dot separates.", version(b"HTTP/1,1")),
        ("version-three-numbers", "There are two numbers.", version(b"HTTP/1.1.1")),
        ("version-letter-behind", "There are two numbers and no more.", version(b"HTTP/1.1x")),
        ("version-plus", "A digit has no sign.", version(b"HTTP/+1.1")),
        ("version-minus", "A digit has no sign.", version(b"HTTP/1.-1")),
        ("version-hexadecimal", "A digit is decimal.", version(b"HTTP/1.a")),
        ("version-name-only", "A name is no version.", version(b"HTTP")),
        ("version-other-protocol", "Only HTTP is spoken.", version(b"ICY/1.1")),
        ("version-rtsp", "Only HTTP is spoken.", version(b"RTSP/1.0")),
        ("version-https", "HTTPS is a scheme, not a protocol name.", version(b"HTTPS/1.1")),
        ("version-backslash", "A slash separates.", version(b"HTTP\\1.1")),
        ("version-superscript", "A digit is one of ASCII.", version(b"HTTP/1.\xb9")),
        ("version-arabic-digit", "A digit is one of ASCII.", version("HTTP/1.\u0661".encode())),
        ("version-space-inside", "No space stands in a version.", version(b"HTTP/ 1.1")),
    )
    yield from refused(
        "RFC 9110, 15.6.6",
        505,
        ("version-2-0", "HTTP/2 is not framed like this.", version(b"HTTP/2.0")),
        ("version-3-0", "HTTP/3 is not framed like this.", version(b"HTTP/3.0")),
        ("version-0-9", "HTTP/0.9 has no head.", version(b"HTTP/0.9")),
        ("version-9-9", "Nobody knows how HTTP/9 is framed.", version(b"HTTP/9.9")),
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
            "A line of white space is no end of a head.",
            head(b"GET /echo/a HTTP/1.1", b" ", FIELD),
        ),
    )
