"""Served: the chunked coding, in every way that its grammar has."""

from collections.abc import Iterator

from tests.conformance.corpus.entry import Entry, ParsedRequest
from tests.conformance.corpus.written import HIDDEN, Served, chunk, chunked, get, post, served, upload

END = b"0\r\n\r\n"
HELLO = b"5\r\nhello\r\n"


def entries() -> Iterator[Entry]:
    """Yield the entries of this subject."""
    yield from served("RFC 9112, 7.1", 201, *_chunks())
    yield from served("RFC 9112, 7.1.1", 201, *_extensions())
    yield from served("RFC 9112, 7.1.2", 201, *_trailers())
    yield from served("RFC 9112, 6.1", 201, *_codings())
    yield from served(
        "RFC 9112, 7.1",
        200,
        (
            "chunked-get",
            "GET's content may be chunked.",
            get(b"Transfer-Encoding: chunked") + HELLO + END,
            parsed("GET"),
        ),
        (
            "chunked-head",
            "HEAD's, too.",
            get(b"Transfer-Encoding: chunked", method=b"HEAD") + HELLO + END,
            parsed("HEAD"),
        ),
    )
    yield from served(
        "RFC 9112, 7.1",
        204,
        (
            "chunked-options",
            "And that of OPTIONS.",
            get(b"Transfer-Encoding: chunked", method=b"OPTIONS") + HELLO + END,
            parsed("OPTIONS"),
        ),
    )


def parsed(method: str) -> ParsedRequest:
    """Say what a request with the chunked content "hello" holds."""
    return ParsedRequest(method, content="hello", headers={"content-length": None})


def _chunks() -> Iterator[Served]:
    for name, why, body, content in (
        ("one", "One chunk and the last.", HELLO + END, b"hello"),
        ("two", "Two and the last.", HELLO + b"6\r\n world\r\n" + END, b"hello world"),
        ("none", "The last alone: no content.", END, b""),
        ("single-bytes", "One byte each.", b"".join(b"1\r\n%c\r\n" % c for c in b"hello") + END, b"hello"),
        ("leading-zero", "A size may begin with zeros.", b"005\r\nhello\r\n000\r\n\r\n", b"hello"),
        ("small-hex", "Hexadecimal in small letters.", b"a\r\n0123456789\r\n" + END, b"0123456789"),
        ("capital-hex", "And in capitals.", b"A\r\n0123456789\r\n" + END, b"0123456789"),
        ("mixed-hex", "And in both.", b"aA\r\n" + b"x" * 0xAA + b"\r\n" + END, b"x" * 0xAA),
        ("ten", "10 is 16.", b"10\r\n0123456789abcdef\r\n" + END, b"0123456789abcdef"),
        ("large", "3,000 bytes at once.", chunk(b"y" * 3000), b"y" * 3000),
    ):
        yield f"chunked-{name}", why, chunked(body), upload(content, content_length=None)
    for name, why, content in (
        ("data-request", "A request in a chunk is content.", HIDDEN),
        ("data-end", "So is an end of chunks.", b"\r\n0\r\n\r\n"),
        ("data-end-and-request", "And both.", b"0\r\n\r\n" + HIDDEN),
        ("data-line-ends", "And line ends, whole and bare.", b"\r\n\n\r\r\n"),
        ("data-nul", "And NUL.", b"\0\0\0"),
        ("data-size", "And a size.", b"5\r\n"),
    ):
        yield f"chunked-{name}", why, chunked(chunk(content)), upload(content)
    yield "chunked-empty-line-behind", "It is one before the next.", chunked(HELLO + END + b"\r\n"), upload()


def _extensions() -> Iterator[Served]:
    for name, why, extension in (
        ("name", "A name alone.", b";a"),
        ("value", "A name and a value.", b";a=b"),
        ("many", "Several.", b";a;b=c;d"),
        ("repeated", "The same again.", b";a=b;a=c"),
        ("white-space", "Bad white space is taken.", b" ; a\t=\tb ;\tc"),
        ("quoted", "A quoted value.", b';a="b c"'),
        ("quoted-empty", "An empty one.", b';a=""'),
        ("quoted-pair", "Quoted bytes.", b';a="\\"\\\\b"'),
        ("quoted-semicolon", "A semicolon in quotes separates nothing.", b';a="b;c=d"'),
        ("quoted-size", "Digits in quotes are not a size.", b';a="0;5"'),
        ("single-quotes", "Single quotes are token bytes.", b";a='b'"),
        ("every-tchar", "All token bytes.", b";!#$%&'*+-.^_`|~=0aZ"),
        ("hex", "A name may look like a size.", b";5=5"),
    ):
        yield f"extension-{name}", why, chunked(b"5" + extension + b"\r\nhello\r\n" + END), upload()
    yield "extension-of-last", "The last chunk has them, too.", chunked(HELLO + b"0;a=b\r\n\r\n"), upload()


def _trailers() -> Iterator[Served]:
    """Yield uploads whose trailers say what they may not: none is merged into the headers."""
    for name, why, lines, absent in (
        ("one", "A trailer is read and forgotten.", b"A: b\r\n", "a"),
        ("two", "So are two.", b"A: b\r\nC: d\r\n", "c"),
        ("empty-value", "And an empty one.", b"A:\r\n", "a"),
        ("white-space", "And one in white space.", b"A: \t b \t\r\n", "a"),
        ("content-length", "It frames nothing.", b"Content-Length: 50\r\n", "content-length"),
        ("connection", "It closes nothing.", b"Connection: close\r\n", "connection"),
        ("authorization", "It authorizes nothing.", b"Authorization: Basic YTpi\r\n", "authorization"),
        ("expect", "It expects nothing.", b"Expect: x\r\n", "expect"),
        ("request-in-value", "A value is not a request.", b"A: GET /echo/hidden HTTP/1.1\r\n", "a"),
    ):
        headers: dict[str, str | None] = {absent: None}
        made = ParsedRequest("POST", ("files", "corpus"), "", headers, "hello")
        yield f"trailer-{name}", why, chunked(HELLO + b"0\r\n" + lines + b"\r\n"), made
    yield (
        "trailer-host",
        "It changes no host.",
        chunked(HELLO + b"0\r\nHost: evil.test\r\n\r\n"),
        upload(host="corpus.test"),
    )
    yield (
        "trailer-transfer-encoding",
        "It changes no framing.",
        chunked(HELLO + b"0\r\nTransfer-Encoding: x\r\n\r\n"),
        upload(transfer_encoding="chunked"),
    )
    yield (
        "trailer-announced",
        "Trailer announces it.",
        chunked(HELLO + b"0\r\nA: b\r\n\r\n", b"Trailer: A"),
        upload(trailer="A", a=None),
    )
    yield (
        "trailer-announced-and-missing",
        "What is announced need not come.",
        chunked(HELLO + END, b"Trailer: A"),
        upload(a=None),
    )


def _codings() -> Iterator[Served]:
    body = HELLO + END
    for name, why, line in (
        ("capitals", "Codings have no case.", b"Transfer-Encoding: CHUNKED"),
        ("mixed", "In any mixture.", b"tRANSFER-eNCODING: cHuNkEd"),
        ("no-space", "White space is optional.", b"Transfer-Encoding:chunked"),
        ("white-space", "It is stripped.", b"Transfer-Encoding: \t chunked\t "),
    ):
        yield f"te-{name}", why, post(line, content=body), upload()
    yield (
        "te-close",
        "The last request is framed like others.",
        chunked(body, b"Connection: close"),
        upload(keep_alive=False),
    )
    yield (
        "te-expect",
        "The client may wait for 100, or not.",
        chunked(body, b"Expect: 100-continue"),
        upload(expect="100-continue"),
    )
    yield (
        "te-in-1-2",
        "A higher minor version is served as 1.1.",
        post(b"Transfer-Encoding: chunked", content=body, version=b"HTTP/1.2"),
        upload(),
    )
