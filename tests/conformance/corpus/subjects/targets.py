"""Refused: request targets in none of the four forms, or in one that the method has not."""

from collections.abc import Iterator

from tests.conformance.corpus.entry import Entry
from tests.conformance.corpus.written import get, refused


def target(data: bytes) -> bytes:
    """Write a GET request for this target."""
    return get(target=data)


def entries() -> Iterator[Entry]:
    """Yield the entries of this subject."""
    yield from refused(
        "RFC 9112, 3.2.1",
        400,
        ("target-without-slash", "A path is absolute.", target(b"echo/a")),
        ("target-query-only", "A path comes before the query.", target(b"?a=b")),
        ("target-dot", "A path is absolute.", target(b"./echo/a")),
        ("target-backslash", "A backslash is in no URI.", target(b"\\echo\\a")),
        ("target-backslash-inside", "A backslash is in no URI.", target(b"/echo\\a")),
        ("target-space-inside", "A space ends the target.", target(b"/echo/a b")),
        ("target-quote", "A quotation mark is in no URI.", target(b'/echo/"a"')),
        ("target-angle", "Angle brackets are in no URI.", target(b"/echo/<a>")),
        ("target-brace", "Braces are in no URI.", target(b"/echo/{a}")),
        ("target-backtick", "A backtick is in no URI.", target(b"/echo/`a`")),
        ("target-quote-in-query", "A quotation mark is in no URI.", target(b'/echo/a?"b"')),
        ("target-angle-in-query", "Angle brackets are in no URI.", target(b"/echo/a?<b>")),
        ("target-space-in-query", "A space ends the target.", target(b"/echo/a?b c")),
        ("target-delete-in-query", "A control byte is in no URI.", target(b"/echo/a?\x7f")),
        ("target-absolute-brace", "Braces are in no URI.", target(b"http://corpus.test/echo/{a}")),
        ("target-absolute-backtick", "A backtick is in no URI.", target(b"http://corpus.test/echo/`a")),
        ("target-raw-utf-8", "Bytes beyond ASCII are percent-encoded.", target("/echo/é".encode())),
        ("target-raw-utf-8-in-query", "Bytes beyond ASCII are encoded.", target("/echo/a?é".encode())),
    )
    yield from refused(
        "RFC 9110, 7.1",
        400,
        ("target-fragment", "A fragment is never sent.", target(b"/echo/a#b")),
        ("target-empty-fragment", "A fragment is never sent.", target(b"/echo/a#")),
        ("target-fragment-in-query", "A fragment is never sent.", target(b"/echo/a?b#c")),
        ("target-absolute-fragment", "A fragment is never sent.", target(b"http://corpus.test/echo/a#b")),
    )
    yield from refused(
        "RFC 3986, 2.1",
        400,
        ("percent-alone", "Two digits follow a percent sign.", target(b"/echo/%")),
        ("percent-one-digit", "Two digits follow a percent sign.", target(b"/echo/%4")),
        ("percent-one-digit-and-slash", "Two digits follow a percent sign.", target(b"/echo/%4/a")),
        ("percent-no-digits", "The digits are hexadecimal.", target(b"/echo/%zz")),
        ("percent-second-no-digit", "Both digits are hexadecimal.", target(b"/echo/%4g")),
        ("percent-sign", "A digit has no sign.", target(b"/echo/%+1")),
        ("percent-u", "%u is not percent-encoding.", target(b"/echo/%u0041")),
        ("percent-percent", "Two digits follow a percent sign.", target(b"/echo/%%41")),
        ("percent-in-query", "Two digits follow a percent sign in a query.", target(b"/echo/a?b=%")),
        ("percent-in-query-no-digits", "The digits are hexadecimal.", target(b"/echo/a?%xy")),
        ("percent-in-absolute", "Two digits follow a percent sign.", target(b"http://corpus.test/%1")),
    )
    yield from refused(
        "RFC 9110, 4.2.3",
        400,
        ("escaped-nul", "NUL ends a name in C and in system calls.", target(b"/echo/a%00b")),
        ("escaped-half-character", "A path is decoded as UTF-8.", target(b"/echo/%c3")),
        ("escaped-8-bit", "A path is decoded as UTF-8.", target(b"/echo/%ff")),
        ("escaped-continuation", "A path is decoded as UTF-8.", target(b"/echo/%80")),
        ("escaped-overlong-slash", "UTF-8 has one way to write a slash.", target(b"/echo/%c0%af")),
        ("escaped-overlong-dot", "UTF-8 has one way to write a dot.", target(b"/files/%c0%ae%c0%ae/x")),
        ("escaped-overlong-nul", "UTF-8 has one way to write NUL.", target(b"/echo/%c0%80")),
        ("escaped-surrogate", "UTF-8 has no surrogates.", target(b"/echo/%ed%a0%80")),
        ("escaped-beyond-unicode", "UTF-8 ends at U+10FFFF.", target(b"/echo/%f4%90%80%80")),
        ("escaped-five-bytes", "No character has five bytes.", target(b"/echo/%f8%88%80%80%80")),
        ("escaped-split-by-slash", "A character does not span segments.", target(b"/echo/%c3/%a9")),
    )
    yield from refused(
        "RFC 9112, 3.2.2",
        400,
        ("absolute-ftp", "Only http and https are served.", target(b"ftp://corpus.test/echo/a")),
        ("absolute-file", "Only http and https are served.", target(b"file:///etc/passwd")),
        ("absolute-no-host", "An http URI has a host.", target(b"http:///echo/a")),
        ("absolute-port-only", "An http URI has a host.", target(b"http://:80/echo/a")),
        ("absolute-one-slash", "Two slashes begin an authority.", target(b"http:/echo/a")),
        ("absolute-scheme-only", "An http URI has a host.", target(b"http://")),
        ("absolute-user", "User information is refused.", target(b"http://me@corpus.test/echo/a")),
        ("absolute-password", "User information is refused.", target(b"http://me:x@corpus.test/")),
        ("absolute-bad-port", "A port is digits.", target(b"http://corpus.test:8o/echo/a")),
        ("absolute-signed-port", "A port is digits.", target(b"http://corpus.test:+80/echo/a")),
        ("absolute-bad-address", "An IPv6 address has its form.", target(b"http://[::g]/echo/a")),
        ("absolute-open-bracket", "A bracket is closed.", target(b"http://[::1/echo/a")),
        ("absolute-comma", "A comma is not allowed in this authority.", target(b"http://a,b/echo/a")),
        ("absolute-backslash", "A backslash does not end a host.", target(b"http://corpus.test\\@evil/")),
        ("absolute-space-in-scheme", "A scheme is a word.", target(b"ht tp://corpus.test/")),
        ("absolute-scheme-relative-userinfo", "A path is missing its slash.", target(b"corpus.test/a")),
        (
            "absolute-without-host-line",
            "HTTP/1.1 has a Host line with every form of target.",
            get(target=b"http://corpus.test/echo/a", host=None),
        ),
        (
            "absolute-with-bad-host-line",
            "The Host line is checked even where it is replaced.",
            get(target=b"http://corpus.test/echo/a", host=b"a b"),
        ),
        (
            "absolute-with-two-host-lines",
            "Host may occur once only, even where it is replaced.",
            get(b"Host: corpus.test", target=b"http://corpus.test/echo/a"),
        ),
    )
    yield from refused(
        "RFC 9110, 7.4",
        421,
        (
            "absolute-https",
            "No https is served without TLS.",
            target(b"https://corpus.test/echo/a"),
        ),
        ("absolute-https-capitals", "Schemes are case-insensitive.", target(b"HTTPS://corpus.test/echo/a")),
        ("absolute-https-port", "https needs TLS.", target(b"https://corpus.test:80/echo/a")),
    )
    yield from refused(
        "RFC 9112, 3.2.3",
        400,
        ("authority-with-get", "Only CONNECT has this form.", target(b"corpus.test:80")),
        (
            "authority-with-options",
            "Only CONNECT has this form.",
            get(target=b"corpus.test:80", method=b"OPTIONS"),
        ),
        ("connect-without-port", "CONNECT's port is not optional.", connect(b"corpus.test")),
        ("connect-empty-port", "CONNECT's port is not optional.", connect(b"corpus.test:")),
        ("connect-without-host", "CONNECT has a host.", connect(b":80")),
        ("connect-path", "CONNECT has the authority-form only.", connect(b"/echo/a")),
        ("connect-absolute", "CONNECT has it only.", connect(b"http://corpus.test:80/")),
        ("connect-authority-and-path", "Nothing follows the port.", connect(b"corpus.test:80/echo/a")),
        ("connect-user", "User information is refused.", connect(b"me@corpus.test:80")),
        ("connect-asterisk", "CONNECT has the authority-form only.", connect(b"*")),
    )
    yield from refused(
        "RFC 9112, 3.2.4",
        400,
        ("asterisk-with-get", "Only OPTIONS has the asterisk-form.", target(b"*")),
        ("asterisk-with-post", "Only OPTIONS has the asterisk-form.", get(target=b"*", method=b"POST")),
        ("asterisk-with-query", "Nothing follows the asterisk.", get(target=b"*?a", method=b"OPTIONS")),
        ("asterisk-with-path", "Nothing follows the asterisk.", get(target=b"*/echo", method=b"OPTIONS")),
        ("asterisk-twice", "Nothing follows the asterisk.", get(target=b"**", method=b"OPTIONS")),
    )


def connect(data: bytes) -> bytes:
    """Write a CONNECT request for this target."""
    return get(target=data, method=b"CONNECT")
