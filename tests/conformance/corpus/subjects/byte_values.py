"""Every class of troublesome bytes, at every place in a request: a table times a table.

Refused, except where the grammar allows it: bytes beyond ASCII and tabs in values.
"""

from collections.abc import Iterator

from tests.conformance.corpus.entry import Entry, ParsedRequest
from tests.conformance.corpus.written import (
    CHUNKED,
    chunked,
    echo,
    get,
    length_post,
    post,
    refused,
    served,
    upload,
)

CLASSES = {
    "nul": (b"\0", "NUL"),
    "control": (b"\x01", "a control byte"),
    "vertical-tab": (b"\x0b", "a vertical tab, which some take for white space"),
    "form-feed": (b"\x0c", "a form feed, which some take for white space"),
    "unit-separator": (b"\x1f", "a unit separator, which some take for white space"),
    "delete": (b"\x7f", "DEL"),
    "8-bit": (b"\xe9", "a byte beyond ASCII"),
    "next-line": (b"\x85", "NEL, which some take for a line end"),
}
DATA = b"\r\nhello\r\n0\r\n\r\n"
# By the place: the section, and the request with "@" where the byte goes.
PLACES = {
    "before-method": ("RFC 9112, 3", b"@" + get()),
    "in-method": ("RFC 9110, 9.1", get(method=b"G@ET")),
    "after-method": ("RFC 9110, 9.1", get(method=b"GET@")),
    "in-path": ("RFC 9112, 3.2.1", get(target=b"/echo/a@b")),
    "in-query": ("RFC 9112, 3.2.1", get(target=b"/echo/a?b@c")),
    "in-authority": ("RFC 9112, 3.2.2", get(target=b"http://corpus@test/echo/a")),
    "after-version": ("RFC 9112, 2.3", get(version=b"HTTP/1.1@")),
    "before-field": ("RFC 9110, 5.1", get(b"@A: b")),
    "in-field-name": ("RFC 9110, 5.1", get(b"A@B: c")),
    "before-colon": ("RFC 9112, 5.1", get(b"A@: b")),
    "in-host": ("RFC 9110, 7.2", get(host=b"corpus@test")),
    "after-host": ("RFC 9110, 7.2", get(host=b"corpus.test@")),
    "after-length": ("RFC 9110, 8.6", length_post(b"5@")),
    "in-chunk-size": ("RFC 9112, 7.1", chunked(b"5@" + DATA)),
    "before-chunk-size": ("RFC 9112, 7.1", chunked(b"@5" + DATA)),
    "in-extension-name": ("RFC 9112, 7.1.1", chunked(b"5;a@" + DATA)),
    "in-extension-value": ("RFC 9112, 7.1.1", chunked(b"5;a=b@" + DATA)),
    "after-chunk-data": ("RFC 9112, 7.1", chunked(b"5\r\nhello@\r\n0\r\n\r\n")),
    "in-trailer-name": ("RFC 9112, 7.1.2", chunked(b"0\r\nA@: b\r\n\r\n")),
}
# The same where a value takes what is beyond ASCII, and only the controls are refused.
VALUES = {
    "before-value": ("RFC 9110, 5.5", get(b"A: @b")),
    "in-value": ("RFC 9110, 5.5", get(b"A: b@c")),
    "after-value": ("RFC 9110, 5.5", get(b"A: b@")),
    "in-user-agent": ("RFC 9110, 5.5", get(b"User-Agent: a@b")),
    "before-chunked": ("RFC 9110, 5.5", post(b"Transfer-Encoding: @chunked", content=b"0\r\n\r\n")),
    "after-chunked": ("RFC 9110, 5.5", post(b"Transfer-Encoding: chunked@", content=b"0\r\n\r\n")),
    "in-quoted-extension": ("RFC 9112, 7.1.1", chunked(b'5;a="b@c"' + DATA)),
    "in-trailer-value": ("RFC 9112, 7.1.2", chunked(b"0\r\nA: b@c\r\n\r\n")),
}
BEYOND_ASCII = ("8-bit", "next-line")


def entries() -> Iterator[Entry]:
    """Yield the entries of this subject."""
    for kind, ((byte, words)) in CLASSES.items():
        for place, (rfc, data) in PLACES.items():
            yield from _refused(place, kind, words, rfc, data, byte)
        if kind not in BEYOND_ASCII:
            for place, (rfc, data) in VALUES.items():
                yield from _refused(place, kind, words, rfc, data, byte)
    yield from _served()


def _refused(place: str, kind: str, words: str, rfc: str, data: bytes, byte: bytes) -> Iterator[Entry]:
    where = place.replace("-", " ")
    why = f"Here stands {words}: {where}."
    yield from refused(rfc, 400, (f"byte-{place}-{kind}", why, data.replace(b"@", byte)))


def _served() -> Iterator[Entry]:
    beyond = bytes(range(0x80, 0x100))
    trailer = chunked(b"5\r\nhello\r\n0\r\nA: " + beyond + b"\r\n\r\n")
    yield from served(
        "RFC 9110, 5.5",
        200,
        ("byte-value-beyond-ascii", get(b"A: " + beyond), echo(a=beyond.decode("latin-1"))),
        ("byte-value-utf-8", get("A: é€".encode()), echo(a="Ã©â\x82¬")),
        ("byte-value-next-line", get(b"A: b\x85C: d"), echo(a="b\x85C: d", c=None)),
        ("byte-value-no-break-space", get(b"A: \xa0b\xa0"), echo(a="\xa0b\xa0")),
        ("byte-value-tab", get(b"A: b\tc"), echo(a="b\tc")),
        (
            "byte-value-every-printable",
            get(b"A: " + bytes(range(0x21, 0x7F))),
            echo(a=bytes(range(0x21, 0x7F)).decode()),
        ),
        (
            "byte-name-every-tchar",
            get(b"!#$%&'*+-.^_`|~09AZaz: v"),
            ParsedRequest(headers={"!#$%&'*+-.^_`|~09azaz": "v"}),
        ),
    )
    every = bytes(range(0x100))
    yield from served(
        "RFC 9112, 6",
        201,
        ("byte-content-every", post(b"Content-Length: 256", content=every), upload(every)),
        (
            "byte-chunk-every",
            chunked(b"100\r\n" + every + b"\r\n0\r\n\r\n"),
            upload(every, transfer_encoding=CHUNKED.partition(b": ")[2].decode()),
        ),
        ("byte-trailer-beyond-ascii", trailer, upload(a=None)),
        ("byte-extension-beyond-ascii", chunked(b'5;a="' + beyond + b'"' + DATA), upload()),
        ("byte-extension-quoted-tab", chunked(b'5;a="b\tc"' + DATA), upload()),
    )
