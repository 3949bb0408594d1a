"""Served: content of a known length, on every method that takes it, and content that looks like more."""

from collections.abc import Iterator

from tests.conformance.corpus.entry import Entry, ParsedRequest
from tests.conformance.corpus.written import HIDDEN, Served, echo, get, length_post, post, served, upload

CONTINUE = b"Expect: 100-continue"


def entries() -> Iterator[Entry]:
    """Yield the entries of this subject."""
    yield from served("RFC 9110, 8.6", 201, *_lengths())
    yield from served("RFC 9112, 6.3 rule 6", 201, *_contents())
    yield from _methods()
    yield from served(
        "RFC 9110, 10.1.1",
        201,
        (
            "expect-continue",
            post(CONTINUE, b"Content-Length: 5", content=b"hello"),
            upload(expect="100-continue"),
        ),
        (
            "expect-continue-capitals",
            post(b"Expect: 100-CONTINUE", b"Content-Length: 5", content=b"hello"),
            upload(),
        ),
        ("expect-continue-no-content", post(CONTINUE, b"Content-Length: 0"), upload(b"")),
        (
            "expect-continue-in-1-0",
            post(CONTINUE, b"Content-Length: 5", content=b"hello", version=b"HTTP/1.0"),
            upload(keep_alive=False),
        ),
    )


def _lengths() -> Iterator[Served]:
    yield "length", length_post(b"5"), upload(content_length="5")
    yield "length-zero", length_post(b"0", b""), upload(b"")
    yield "length-zeros", length_post(b"000", b""), upload(b"")
    yield "length-leading-zeros", length_post(b"0005"), upload()
    yield "length-white-space", length_post(b" \t5\t "), upload()
    yield ("length-ten", length_post(b"10", b"helloworld"), upload(b"helloworld"))
    yield ("length-any-case", post(b"CONTENT-length:5", content=b"hello"), upload(content_length="5"))
    yield (
        "length-first",
        b"POST /files/corpus HTTP/1.1\r\nContent-Length: 5\r\nHost: corpus.test\r\n\r\nhello",
        upload(),
    )


def _contents() -> Iterator[Served]:
    for name, content in (
        ("request", HIDDEN),
        ("two-requests", HIDDEN * 2),
        ("chunks", b"5\r\nhello\r\n0\r\n\r\n"),
        ("last-chunk-and-request", b"0\r\n\r\n" + HIDDEN),
        ("line-ends", b"\r\n\r\n\r\n\r\n"),
        ("begins-with-line-end", b"\r\nhello"),
        ("ends-with-cr", b"hello\r"),
        ("bare-line-ends", b"a\nb\rc\n\n"),
        ("nul", b"\0" * 20),
        ("response", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ("multipart", b"--a\r\nContent-Length: 9\r\n\r\nb\r\n--a--\r\n"),
        ("long", b"0123456789" * 300),
    ):
        yield f"content-{name}", length_post(b"%d" % len(content), content), upload(content)
    yield (
        "content-form",
        post(b"Content-Type: application/x-www-form-urlencoded", b"Content-Length: 3", content=b"a=b"),
        upload(b"a=b", content_type="application/x-www-form-urlencoded"),
    )
    yield (
        "content-encoded",
        post(b"Content-Encoding: gzip", b"Content-Length: 5", content=b"hello"),
        upload(content_encoding="gzip"),
    )
    yield ("content-line-end-after", length_post(b"5", b"hello\r\n"), upload())


def _methods() -> Iterator[Entry]:
    lines = (b"Content-Length: %d" % len(HIDDEN),)
    text = HIDDEN.decode()
    get_held = ParsedRequest(content=text)
    yield from served(
        "RFC 9110, 9.3.1",
        200,
        ("content-on-get", get(*lines) + HIDDEN, get_held),
        ("length-none", get(target=b"/echo/none"), echo("none", content_length=None)),
        ("content-on-get-zero", get(b"Content-Length: 0"), echo()),
        ("content-on-head", get(*lines, method=b"HEAD") + HIDDEN, ParsedRequest("HEAD", content=text)),
        (
            "content-on-get-in-1-0",
            get(*lines, version=b"HTTP/1.0") + HIDDEN,
            ParsedRequest(content=text, keep_alive=False),
        ),
    )
    yield from served(
        "RFC 9110, 9.3.7",
        204,
        (
            "content-on-options",
            get(*lines, method=b"OPTIONS") + HIDDEN,
            ParsedRequest("OPTIONS", content=text),
        ),
        (
            "content-on-asterisk",
            get(*lines, target=b"*", method=b"OPTIONS") + HIDDEN,
            ParsedRequest("OPTIONS", (), content=text),
        ),
    )
    yield from served(
        "RFC 9110, 15.5.6",
        405,
        ("delete-length-zero", get(b"Content-Length: 0", method=b"DELETE"), ParsedRequest("DELETE")),
    )
    yield from served(
        "RFC 9110, 15.5.5",
        404,
        ("nothing-there", get(target=b"/nothing"), ParsedRequest(segments=("nothing",))),
        (
            "nothing-there-post",
            get(b"Content-Length: 0", target=b"/nothing", method=b"POST"),
            ParsedRequest("POST", ("nothing",)),
        ),
        (
            "no-way-out",
            get(target=b"/files/../../etc/passwd"),
            ParsedRequest(segments=("files", "..", "..", "etc", "passwd")),
        ),
        (
            "no-way-out-escaped",
            get(target=b"/files/%2e%2e%2fetc"),
            ParsedRequest(segments=("files", "../etc")),
        ),
    )
