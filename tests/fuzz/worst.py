"""The worst known inputs, each of any size, and the valid inputs that they are compared with (baselines).

An input is a list of pieces, as ``recv`` would return them: 64 KiB each, or as small as an attacker
makes them. A row names its baseline: one byte at a
time costs a call for each, for an attacker and for a slow client alike.
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

from reactor.http11.accept import preferred_coding
from reactor.http11.conditional import Validators, evaluate
from reactor.http11.dates import read_date
from reactor.http11.errors import HTTPError, ProtocolError
from reactor.http11.forwarded import read_forwarded
from reactor.http11.head import HeadReader
from reactor.http11.headers import Headers
from reactor.http11.parser import Parser, Phase
from reactor.http11.ranges import read_ranges
from reactor.http11.target import read_target
from reactor.settings import Settings

PIECE = 64 * 1024
# Never the same number again, however often an input is written; they are all of one length.
NUMBERS = itertools.count(1_000_000)
HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"
HEAD_ALONE = b"GET / HTTP/1.1\r\n"
# A head whose last line is invalid; alone in its piece, since the rest of a piece is dropped with it.
ESCAPES_AND_FAULT = b"GET /%07d" + b"%%41" * 2600 + b" HTTP/1.1\r\nHost: x\r\nX\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def pieces_of(data: bytes, piece: int) -> list[bytes]:
    """Cut as they arrive."""
    return [data[i : i + piece] for i in range(0, len(data), piece)]


def parse(pieces: list[bytes]) -> None:
    """Feed the pieces to a parser, and take all that comes; a refused connection starts again.

    With a new connection each time, a refused megabyte costs the server the most.
    """
    known = HeadReader(Settings())
    parser = Parser(known)
    for piece in pieces:
        try:
            parser.feed(piece)
            while True:
                if parser.phase is Phase.CONTENT and not parser.next_content():
                    if parser.phase is Phase.CONTENT:
                        break
                elif parser.phase is not Phase.CONTENT and parser.next_request() is None:
                    break
        except ProtocolError:
            parser = Parser(known)
        if parser.phase is Phase.ENDED:
            parser = Parser(known)


def read_accept_encoding(pieces: list[bytes]) -> None:
    """Read each piece as the value of Accept-Encoding."""
    for piece in pieces:
        preferred_coding(piece.decode("latin-1"))


def read_targets(pieces: list[bytes]) -> None:
    """Read each piece as a request target."""
    for piece in pieces:
        for method in ("GET", "OPTIONS", "CONNECT"):
            try:
                read_target(method, piece)
            except ProtocolError:
                pass


def read_range_values(pieces: list[bytes]) -> None:
    """Read each piece as a set of ranges of bytes."""
    for piece in pieces:
        read_ranges("bytes=" + piece.decode("latin-1"), 1000)


def read_entity_tags(pieces: list[bytes]) -> None:
    """Read each piece as the value of If-None-Match."""
    current = Validators('"xyzzy"', None)
    for piece in pieces:
        evaluate("PUT", Headers([("if-none-match", piece.decode("latin-1"), "If-None-Match")]), current, 0)


def read_dates(pieces: list[bytes]) -> None:
    """Read each piece as a date."""
    for piece in pieces:
        read_date(piece.decode("latin-1"), 0)


def read_forwarded_fields(pieces: list[bytes]) -> None:
    """Read each piece as both fields of a proxy that trusts every address."""
    for piece in pieces:
        value = piece.decode("latin-1")
        for name in ("forwarded", "x-forwarded-for"):
            try:
                read_forwarded(Headers([(name, value, name)]), "10.0.0.1", lambda address: True)
            except HTTPError:
                pass


class Input(NamedTuple):
    """One kind of input: how to write about ``size`` bytes of it, and how they come."""

    name: str
    baseline: str  # the name of the valid input that it is compared with
    write: Callable[[int], bytes]
    piece: int = PIECE
    read: Callable[[list[bytes]], None] = parse


def repeated(unit: bytes, before: bytes = b"", after: bytes = b"") -> Callable[[int], bytes]:
    """Repeat some bytes between others."""
    return lambda size: before + unit * ((size - len(before) - len(after)) // len(unit)) + after


def numbered(write: Callable[[int], bytes]) -> Callable[[int], bytes]:
    """Write numbered items one after the other, so that no cache has them."""

    def upto(size: int) -> bytes:
        pieces: list[bytes] = []
        length = 0
        while length < size:
            pieces.append(write(next(NUMBERS)))
            length += len(pieces[-1])
        return b"".join(pieces)

    return upto


def browser_request(i: int) -> bytes:
    """Write what a browser sends, with a target, a cookie and an id of its own each time."""
    return (
        b"GET /echo/page-%d?view=%d HTTP/1.1\r\nHost: www.example.org\r\n"
        b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
        b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
        b"Accept-Language: en-GB,en;q=0.7\r\nAccept-Encoding: gzip, deflate, br\r\n"
        b"Connection: keep-alive\r\nCookie: session=%032d\r\nX-Request-Id: %032d\r\n\r\n" % (i, i, i, i)
    )


def api_request(i: int) -> bytes:
    """Write the short requests of a small client, each one different."""
    return b"GET /item/%d HTTP/1.1\r\nHost: api.example.org\r\nX-Id: %d\r\n\r\n" % (i, i)


def upload(size: int) -> bytes:
    """Write one request with a body of this size."""
    return b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (size, b"x" * size)


def heads(lines: bytes) -> Callable[[int], bytes]:
    """Write requests with these field lines, a different one each time."""
    return numbered(lambda i: b"GET /%d HTTP/1.1\r\nHost: x\r\n%b\r\n" % (i, lines))


def field(line: bytes, long: bytes, head: bytes = HEAD) -> Callable[[int], bytes]:
    """Write requests with one long field line: a number and some bytes, in the places that it has."""
    return numbered(lambda i: head + line % (i, long) + b"\r\n\r\n")


def chunked(unit: bytes) -> Callable[[int], bytes]:
    """Write one chunked request whose body repeats some bytes."""
    return repeated(unit, CHUNKED, b"0\r\n\r\n")


def extended(line: bytes, count: int = 16) -> Callable[[int], bytes]:
    """Write chunked requests of ``count`` bytes, each in a chunk with this line; extensions are limited."""
    return numbered(lambda i: CHUNKED + (line + b"\r\nx\r\n") * count + b"0\r\n\r\n")


REQUESTS = "small requests"
SINGLE_BYTES = "small requests, byte by byte"
FORWARDED = "forwarded fields"

BASELINES = (
    Input(REQUESTS, REQUESTS, numbered(api_request)),
    Input("requests of a browser", REQUESTS, numbered(browser_request)),
    Input("upload", REQUESTS, upload),
    Input("chunks of 16 bytes", REQUESTS, chunked(b"10\r\n0123456789abcdef\r\n")),
    Input(SINGLE_BYTES, SINGLE_BYTES, numbered(api_request), 1),
    Input("chunks of 16 bytes, byte by byte", SINGLE_BYTES, chunked(b"10\r\n0123456789abcdef\r\n"), 1),
    Input(
        "Accept-Encoding values",
        "Accept-Encoding values",
        numbered(lambda i: b"gzip, deflate, br;q=0.%03d" % (i % 1000)),
        26,
        read_accept_encoding,
    ),
    Input(
        "targets", "targets", numbered(lambda i: b"/files/report-%06d.txt?x=%06d" % (i, i)), 32, read_targets
    ),
    Input("ranges", "ranges", numbered(lambda i: b"%d-%d,-%d" % (i, i, i)), 24, read_range_values),
    Input("entity tags", "entity tags", numbered(lambda i: b'"%d", W/"%d"' % (i, i)), 22, read_entity_tags),
    Input("dates", "dates", numbered(lambda i: b"Sun, 06 Nov 1994 08:49:37 GMT"), 29, read_dates),
    Input(
        FORWARDED,
        FORWARDED,
        numbered(lambda i: b"for=10.%d.%d.%d;proto=https" % (i >> 16 & 255, i >> 8 & 255, i & 255)),
        27,
        read_forwarded_fields,
    ),
)

WORST = (
    Input("no CRLF", REQUESTS, repeated(b"a")),
    Input("no CRLF, byte by byte", SINGLE_BYTES, repeated(b"a"), 1),
    Input("all CRLF", REQUESTS, repeated(b"\r\n")),
    Input("all CRLF, byte by byte", SINGLE_BYTES, repeated(b"\r\n"), 1),
    Input("all LF", REQUESTS, repeated(b"\n")),
    Input("all CR", REQUESTS, repeated(b"\r")),
    Input("all NUL", REQUESTS, repeated(b"\0")),
    Input("empty lines before each request", REQUESTS, numbered(lambda i: b"\r\n" * 8 + api_request(i))),
    Input(
        "the smallest requests",
        REQUESTS,
        numbered(lambda i: b"G /%x HTTP/1.0\r\nConnection:keep-alive\r\n\r\n" % i),
    ),
    Input("tiny field lines", REQUESTS, heads(b"a:\r\n" * 95)),
    Input(
        "tiny field lines, all different",
        REQUESTS,
        numbered(lambda i: HEAD + b"".join(b"%x:\r\n" % (95 * i + j) for j in range(95)) + b"\r\n"),
    ),
    Input("one repeated name", REQUESTS, heads((b"A:" + b"x" * 320 + b"\r\n") * 95)),
    Input("names in pairs", REQUESTS, heads(b"".join(b"%x:\r\n" % (i // 2) for i in range(96)))),
    Input("huge field lines", REQUESTS, heads((b"A:" + b"x" * 8000 + b"\r\n") * 3)),
    Input("huge field lines, byte by byte", SINGLE_BYTES, heads((b"A:" + b"x" * 8000 + b"\r\n") * 3), 1),
    Input("an endless head, byte by byte", SINGLE_BYTES, repeated(b"A: b\r\n", HEAD), 1),
    Input("white space in a value", REQUESTS, heads(b"A: " + b" \t" * 4000 + b"x\r\n")),
    Input("commas in Connection", REQUESTS, field(b"Connection: %d%b", b"," * 8000)),
    Input("options in Connection", REQUESTS, field(b"Connection: %d%b", b",a" * 4000)),
    Input("commas in Accept-Encoding", REQUESTS, field(b"Accept-Encoding: %d%b", b"," * 8000)),
    Input("codings in Accept-Encoding", REQUESTS, field(b"Accept-Encoding: %d%b", b",a" * 4000)),
    Input("weights in Accept-Encoding", REQUESTS, field(b"Accept-Encoding: %d%b", b",a;q=1" * 1300)),
    Input("commas in Transfer-Encoding", REQUESTS, field(b"Transfer-Encoding: %d%b", b"," * 8000)),
    Input("digits in Content-Length", REQUESTS, field(b"Content-Length: 0%d%b", b"0" * 8000)),
    Input("commas in Expect", REQUESTS, field(b"Expect: 100-continue, %d%b", b"," * 8000)),
    Input("escapes in Host", REQUESTS, field(b"Host: %d%b", b"%41" * 2600, HEAD_ALONE)),
    Input("colons in Host", REQUESTS, field(b"Host: [%d%b]", b":1" * 3900, HEAD_ALONE)),
    Input(
        "escapes in the target",
        REQUESTS,
        numbered(lambda i: b"GET /%d%b HTTP/1.1\r\nHost: x\r\n\r\n" % (i, b"%41" * 2600)),
    ),
    Input(
        "slashes in the target",
        REQUESTS,
        numbered(lambda i: b"GET /%d%b HTTP/1.1\r\nHost: x\r\n\r\n" % (i, b"/" * 8000)),
    ),
    Input(
        "escaped segments in the target",
        REQUESTS,
        numbered(lambda i: b"GET /%d%b HTTP/1.1\r\nHost: x\r\n\r\n" % (i, b"/%41" * 2000)),
    ),
    Input(
        "escapes in the target, and a line without a colon",
        REQUESTS,
        numbered(lambda i: ESCAPES_AND_FAULT % i),
        len(ESCAPES_AND_FAULT % 0),
    ),
    Input("chunks of 1 byte", REQUESTS, chunked(b"1\r\nx\r\n")),
    Input("chunks of 1 byte, byte by byte", SINGLE_BYTES, chunked(b"1\r\nx\r\n"), 1),
    Input("quoted pairs in chunk extensions", REQUESTS, extended(b'1;a="' + b'\\"' * 500 + b'"')),
    Input("an unterminated quote", REQUESTS, numbered(lambda i: CHUNKED + b'1;a="' + b'\\"' * 500 + b"\r\n")),
    Input("semicolons in chunk lines", REQUESTS, extended(b"1" + b";a" * 500)),
    Input(
        "white space in a chunk line", REQUESTS, numbered(lambda i: CHUNKED + b"1;a" + b" \t" * 500 + b"\r\n")
    ),
    Input("tiny chunk extensions", REQUESTS, extended(b"1;a", 8000)),
    Input("long chunk lines, byte by byte", SINGLE_BYTES, extended(b'1;a="' + b"x" * 1000 + b'"'), 1),
    Input("tiny trailers", REQUESTS, numbered(lambda i: CHUNKED + b"0\r\n" + b"a:\r\n" * 100 + b"\r\n")),
    Input(
        "huge trailers, byte by byte",
        SINGLE_BYTES,
        numbered(lambda i: CHUNKED + b"0\r\na:" + b"x" * 8000 + b"\r\n\r\n"),
        1,
    ),
    Input("commas", "Accept-Encoding values", repeated(b","), PIECE, read_accept_encoding),
    Input("semicolons", "Accept-Encoding values", repeated(b"gzip;"), PIECE, read_accept_encoding),
    Input("white space", "Accept-Encoding values", repeated(b" \t"), PIECE, read_accept_encoding),
    Input("zeros", "Accept-Encoding values", repeated(b"0", b"gzip;q=0."), PIECE, read_accept_encoding),
    Input("members of one letter", "Accept-Encoding values", repeated(b"a,"), PIECE, read_accept_encoding),
    Input("slashes", "targets", repeated(b"/"), PIECE, read_targets),
    Input("escapes", "targets", repeated(b"%41", b"/"), PIECE, read_targets),
    Input("a broken escape at the end", "targets", repeated(b"%41", b"/", b"%4"), PIECE, read_targets),
    Input("question marks", "targets", repeated(b"?", b"/"), PIECE, read_targets),
    Input("a long authority", "targets", repeated(b"a", b"http://"), PIECE, read_targets),
    Input("brackets", "targets", repeated(b"[", b"http://"), PIECE, read_targets),
    Input("commas", "ranges", repeated(b","), PIECE, read_range_values),
    Input("white space", "ranges", repeated(b" \t" * 30000 + b"x"), 60001, read_range_values),
    Input("digits", "ranges", repeated(b"0"), PIECE, read_range_values),
    Input("hyphens", "ranges", repeated(b"0-"), PIECE, read_range_values),
    Input("parts", "ranges", repeated(b"0-,"), PIECE, read_range_values),
    Input("parts, and a letter", "ranges", repeated(b"0-0 ," * 12000 + b"x"), 60001, read_range_values),
    Input("commas", "entity tags", repeated(b","), PIECE, read_entity_tags),
    Input("white space", "entity tags", repeated(b" \t" * 30000 + b"x"), 60001, read_entity_tags),
    Input("quotes", "entity tags", repeated(b'"'), PIECE, read_entity_tags),
    Input("tags", "entity tags", repeated(b'"",'), PIECE, read_entity_tags),
    Input("tags, and a letter", "entity tags", repeated(b'"" ,' * 15000 + b"x"), 60001, read_entity_tags),
    Input("an unterminated quote", "entity tags", repeated(b'"' + b"a" * 60000), 60001, read_entity_tags),
    Input("digits", "dates", repeated(b"Sun, 06 Nov " + b"0" * 500), 512, read_dates),
    Input("commas", FORWARDED, repeated(b","), PIECE, read_forwarded_fields),
    Input("semicolons", FORWARDED, repeated(b";"), PIECE, read_forwarded_fields),
    Input("empty strings", FORWARDED, repeated(b'""'), PIECE, read_forwarded_fields),
    Input("escaped quotes", FORWARDED, repeated(b'\\"', b'"'), PIECE, read_forwarded_fields),
    Input("IPv6 addresses", FORWARDED, repeated(b"::1,"), PIECE, read_forwarded_fields),
    Input("IPv6 elements", FORWARDED, repeated(b'for="[::1]",'), PIECE, read_forwarded_fields),
    Input("parameters", FORWARDED, numbered(lambda i: b"a%x=1;" % i), PIECE, read_forwarded_fields),
)
