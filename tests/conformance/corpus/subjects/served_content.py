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
            "The client may wait for 100, or not.",
            post(CONTINUE, b"Content-Length: 5", content=b"hello"),
            upload(expect="100-continue"),
        ),
        (
            "expect-continue-capitals",
            "It has no case.",
            post(b"Expect: 100-CONTINUE", b"Content-Length: 5", content=b"hello"),
            upload(),
        ),
        (
            "expect-continue-no-content",
            "Nothing is to be waited for.",
            post(CONTINUE, b"Content-Length: 0"),
            upload(b""),
        ),
        (
            "expect-continue-in-1-0",
            "HTTP/1.0 never gets 100.",
            post(CONTINUE, b"Content-Length: 5", content=b"hello", version=b"HTTP/1.0"),
            upload(keep_alive=False),
        ),
    )


def _lengths() -> Iterator[Served]:
    yield "length", "Five bytes are announced, and five come.", length_post(b"5"), upload(content_length="5")
    yield "length-zero", "No content.", length_post(b"0", b""), upload(b"")
    yield "length-zeros", "No content, in three digits.", length_post(b"000", b""), upload(b"")
    yield "length-leading-zeros", "Leading zeros are digits.", length_post(b"0005"), upload()
    yield "length-white-space", "It is stripped.", length_post(b" \t5\t "), upload()
    yield (
        "length-ten",
        "The length is decimal, not octal.",
        length_post(b"10", b"helloworld"),
        upload(b"helloworld"),
    )
    yield "length-none", "Without a length the body is empty.", post(), upload(b"", content_length=None)
    yield (
        "length-any-case",
        "Field names have no case.",
        post(b"CONTENT-length:5", content=b"hello"),
        upload(content_length="5"),
    )
    yield (
        "length-first",
        "The order of fields means nothing.",
        b"POST /files/corpus HTTP/1.1\r\nContent-Length: 5\r\nHost: corpus.test\r\n\r\nhello",
        upload(),
    )


def _contents() -> Iterator[Served]:
    for name, why, content in (
        ("request", "A request in content is content.", HIDDEN),
        ("two-requests", "So are two.", HIDDEN * 2),
        ("chunks", "So is what looks like chunks.", b"5\r\nhello\r\n0\r\n\r\n"),
        ("last-chunk-and-request", "Or like their end.", b"0\r\n\r\n" + HIDDEN),
        ("line-ends", "Line ends count like other bytes.", b"\r\n\r\n\r\n\r\n"),
        ("begins-with-line-end", "At the beginning, too.", b"\r\nhello"),
        ("ends-with-cr", "And at the end.", b"hello\r"),
        ("bare-line-ends", "Bare ones have no meaning in it.", b"a\nb\rc\n\n"),
        ("nul", "NUL is a byte.", b"\0" * 20),
        ("response", "A response is content.", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ("multipart", "Its parts are for others.", b"--a\r\nContent-Length: 9\r\n\r\nb\r\n--a--\r\n"),
        ("long", "3,000 bytes.", b"0123456789" * 300),
    ):
        yield f"content-{name}", why, length_post(b"%d" % len(content), content), upload(content)
    yield (
        "content-form",
        "Its type changes nothing.",
        post(b"Content-Type: application/x-www-form-urlencoded", b"Content-Length: 3", content=b"a=b"),
        upload(b"a=b", content_type="application/x-www-form-urlencoded"),
    )
    yield (
        "content-encoded",
        "Content that is compressed is kept as it is.",
        post(b"Content-Encoding: gzip", b"Content-Length: 5", content=b"hello"),
        upload(content_encoding="gzip"),
    )
    yield (
        "content-line-end-behind",
        "An empty line behind content is one before the next request.",
        length_post(b"5", b"hello\r\n"),
        upload(),
    )


def _methods() -> Iterator[Entry]:
    lines = (b"Content-Length: %d" % len(HIDDEN),)
    text = HIDDEN.decode()
    get_held = ParsedRequest(content=text)
    yield from served(
        "RFC 9110, 9.3.1",
        200,
        ("content-on-get", "GET's content has no meaning, but a length.", get(*lines) + HIDDEN, get_held),
        ("content-on-get-zero", "With a length of 0 the body is empty.", get(b"Content-Length: 0"), echo()),
        (
            "content-on-head",
            "HEAD's neither.",
            get(*lines, method=b"HEAD") + HIDDEN,
            ParsedRequest("HEAD", content=text),
        ),
        (
            "content-on-get-in-1-0",
            "In HTTP/1.0 neither.",
            get(*lines, version=b"HTTP/1.0") + HIDDEN,
            ParsedRequest(content=text, keep_alive=False),
        ),
    )
    yield from served(
        "RFC 9110, 9.3.7",
        204,
        (
            "content-on-options",
            "OPTIONS may have content.",
            get(*lines, method=b"OPTIONS") + HIDDEN,
            ParsedRequest("OPTIONS", content=text),
        ),
        (
            "content-on-asterisk",
            "With the asterisk, too.",
            get(*lines, target=b"*", method=b"OPTIONS") + HIDDEN,
            ParsedRequest("OPTIONS", (), content=text),
        ),
    )
    yield from served(
        "RFC 9110, 15.5.6",
        405,
        (
            "delete-length-zero",
            "No content to be refused.",
            get(b"Content-Length: 0", method=b"DELETE"),
            ParsedRequest("DELETE"),
        ),
    )
    yield from served(
        "RFC 9110, 15.5.5",
        404,
        (
            "nothing-there",
            "To find nothing breaks nothing.",
            get(target=b"/nothing"),
            ParsedRequest(segments=("nothing",)),
        ),
        (
            "nothing-there-post",
            "Nor to send nothing to it.",
            get(b"Content-Length: 0", target=b"/nothing", method=b"POST"),
            ParsedRequest("POST", ("nothing",)),
        ),
        (
            "no-way-out",
            "Dots lead nowhere.",
            get(target=b"/files/../../etc/passwd"),
            ParsedRequest(segments=("files", "..", "..", "etc", "passwd")),
        ),
        (
            "no-way-out-escaped",
            "Nor do escaped ones.",
            get(target=b"/files/%2e%2e%2fetc"),
            ParsedRequest(segments=("files", "../etc")),
        ),
    )
