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
        ("chunked-get", get(b"Transfer-Encoding: chunked") + HELLO + END, parsed("GET")),
        ("chunked-head", get(b"Transfer-Encoding: chunked", method=b"HEAD") + HELLO + END, parsed("HEAD")),
    )
    yield from served(
        "RFC 9112, 7.1",
        204,
        (
            "chunked-options",
            get(b"Transfer-Encoding: chunked", method=b"OPTIONS") + HELLO + END,
            parsed("OPTIONS"),
        ),
    )


def parsed(method: str) -> ParsedRequest:
    """Say what a request with the chunked content "hello" holds."""
    return ParsedRequest(method, content="hello", headers={"content-length": None})


def _chunks() -> Iterator[Served]:
    for name, body, content in (
        ("one", HELLO + END, b"hello"),
        ("two", HELLO + b"6\r\n world\r\n" + END, b"hello world"),
        ("none", END, b""),
        ("single-bytes", b"".join(b"1\r\n%c\r\n" % c for c in b"hello") + END, b"hello"),
        ("leading-zero", b"005\r\nhello\r\n000\r\n\r\n", b"hello"),
        ("small-hex", b"a\r\n0123456789\r\n" + END, b"0123456789"),
        ("capital-hex", b"A\r\n0123456789\r\n" + END, b"0123456789"),
        ("mixed-hex", b"aA\r\n" + b"x" * 0xAA + b"\r\n" + END, b"x" * 0xAA),
        ("ten", b"10\r\n0123456789abcdef\r\n" + END, b"0123456789abcdef"),
        ("large", chunk(b"y" * 3000), b"y" * 3000),
    ):
        yield f"chunked-{name}", chunked(body), upload(content, content_length=None)
    for name, content in (
        ("data-request", HIDDEN),
        ("data-end", b"\r\n0\r\n\r\n"),
        ("data-end-and-request", b"0\r\n\r\n" + HIDDEN),
        ("data-line-ends", b"\r\n\n\r\r\n"),
        ("data-nul", b"\0\0\0"),
        ("data-size", b"5\r\n"),
    ):
        yield f"chunked-{name}", chunked(chunk(content)), upload(content)
    yield "chunked-empty-line-after", chunked(HELLO + END + b"\r\n"), upload()


def _extensions() -> Iterator[Served]:
    for name, extension in (
        ("name", b";a"),
        ("value", b";a=b"),
        ("many", b";a;b=c;d"),
        ("repeated", b";a=b;a=c"),
        ("white-space", b" ; a\t=\tb ;\tc"),
        ("quoted", b';a="b c"'),
        ("quoted-empty", b';a=""'),
        ("quoted-pair", b';a="\\"\\\\b"'),
        ("quoted-semicolon", b';a="b;c=d"'),
        ("quoted-size", b';a="0;5"'),
        ("single-quotes", b";a='b'"),
        ("every-tchar", b";!#$%&'*+-.^_`|~=0aZ"),
        ("hex", b";5=5"),
    ):
        yield f"extension-{name}", chunked(b"5" + extension + b"\r\nhello\r\n" + END), upload()
    yield "extension-of-last", chunked(HELLO + b"0;a=b\r\n\r\n"), upload()


def _trailers() -> Iterator[Served]:
    """Yield uploads whose trailers say what they may not: none is merged into the headers."""
    for name, lines, absent in (
        ("one", b"A: b\r\n", "a"),
        ("two", b"A: b\r\nC: d\r\n", "c"),
        ("empty-value", b"A:\r\n", "a"),
        ("white-space", b"A: \t b \t\r\n", "a"),
        ("content-length", b"Content-Length: 50\r\n", "content-length"),
        ("connection", b"Connection: close\r\n", "connection"),
        ("authorization", b"Authorization: Basic YTpi\r\n", "authorization"),
        ("expect", b"Expect: x\r\n", "expect"),
        ("request-in-value", b"A: GET /echo/hidden HTTP/1.1\r\n", "a"),
    ):
        headers: dict[str, str | None] = {absent: None}
        made = ParsedRequest("POST", ("files", "corpus"), "", headers, "hello")
        yield f"trailer-{name}", chunked(HELLO + b"0\r\n" + lines + b"\r\n"), made
    yield ("trailer-host", chunked(HELLO + b"0\r\nHost: evil.test\r\n\r\n"), upload(host="corpus.test"))
    yield (
        "trailer-transfer-encoding",
        chunked(HELLO + b"0\r\nTransfer-Encoding: x\r\n\r\n"),
        upload(transfer_encoding="chunked"),
    )
    yield (
        "trailer-announced",
        chunked(HELLO + b"0\r\nA: b\r\n\r\n", b"Trailer: A"),
        upload(trailer="A", a=None),
    )
    yield ("trailer-announced-and-missing", chunked(HELLO + END, b"Trailer: A"), upload(a=None))


def _codings() -> Iterator[Served]:
    body = HELLO + END
    for name, line in (
        ("capitals", b"Transfer-Encoding: CHUNKED"),
        ("mixed", b"tRANSFER-eNCODING: cHuNkEd"),
        ("no-space", b"Transfer-Encoding:chunked"),
        ("white-space", b"Transfer-Encoding: \t chunked\t "),
    ):
        yield f"te-{name}", post(line, content=body), upload()
    yield ("te-close", chunked(body, b"Connection: close"), upload(keep_alive=False))
    yield ("te-expect", chunked(body, b"Expect: 100-continue"), upload(expect="100-continue"))
    yield ("te-in-1-2", post(b"Transfer-Encoding: chunked", content=body, version=b"HTTP/1.2"), upload())
