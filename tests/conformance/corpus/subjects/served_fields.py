"""Served: field lines that look odd, and those whose names look like the ones that decide framing."""

from collections.abc import Iterator

from tests.conformance.corpus.entry import Entry, ParsedRequest
from tests.conformance.corpus.written import Served, echo, get, served


def entries() -> Iterator[Entry]:
    """Yield the entries of this subject."""
    yield from served("RFC 9110, 5.5", 200, *_values())
    yield from served("RFC 9110, 5.3", 200, *_repeated())
    yield from served("RFC 9112, 6.3 rule 7", 200, *_look_alikes())
    yield from served("RFC 9110, 12.5.3", 200, *_codings())
    agent = ParsedRequest(segments=("user-agent",), headers={"user-agent": "a (b; c) d/1.0"})
    yield from served(
        "RFC 9110, 10.1.5",
        200,
        ("field-user-agent", get(b"User-Agent: a (b; c) d/1.0", target=b"/user-agent"), agent),
        (
            "field-user-agent-missing",
            get(target=b"/user-agent"),
            ParsedRequest(segments=("user-agent",), headers={"user-agent": None}),
        ),
    )
    yield from served(
        "RFC 9110, 10.1.1",
        200,
        ("expect-without-content", get(b"Expect: 100-continue"), echo()),
        ("expect-in-1-0", get(b"Expect: 100-continue", version=b"HTTP/1.0"), echo(keep_alive=False)),
    )


def _values() -> Iterator[Served]:
    for name, line, value in (
        ("plain", b"A: b", "b"),
        ("no-space", b"A:b", "b"),
        ("white-space", b"A: \t b \t ", "b"),
        ("much-white-space", b"A:" + b" " * 2000 + b"b" + b"\t" * 2000, "b"),
        ("empty", b"A:", ""),
        ("blank", b"A: \t ", ""),
        ("inner-spaces", b"A: b  c   d", "b  c   d"),
        ("colons", b"A: : b: c:", ": b: c:"),
        ("quotes", b'A: "b, c"', '"b, c"'),
        ("open-quotes", b'A: "b', '"b'),
        ("backslash", b"A: b\\", "b\\"),
        ("request-line", b"A: GET / HTTP/1.1", "GET / HTTP/1.1"),
        ("field", b"A: Content-Length: 5", "Content-Length: 5"),
        ("escaped-line-end", b"A: b\\r\\nC: d", "b\\r\\nC: d"),
        ("percent-line-end", b"A: b%0d%0aC: d", "b%0d%0aC: d"),
        ("long", b"A: " + b"v" * 6000, "v" * 6000),
        ("capital-name", b"a: b", "b"),
    ):
        yield f"field-{name}", get(line), echo(a=value)
    yield ("field-name-digit", get(b"1A: b"), ParsedRequest(headers={"1a": "b"}))
    yield "field-name-hyphen", get(b"-: b"), ParsedRequest(headers={"-": "b"})
    yield "field-name-long", get(b"N" * 200 + b": b"), ParsedRequest(headers={"n" * 200: "b"})


def _repeated() -> Iterator[Served]:
    yield "repeated", get(b"A: b", b"A: c"), echo(a="b, c")
    yield "repeated-apart", get(b"A: b", b"D: e", b"a: c"), echo(a="b, c", d="e")
    yield "repeated-empty", get(b"A:", b"A: b"), echo(a=", b")
    yield "repeated-many", get(*[b"A: b"] * 50), echo(a=", ".join(["b"] * 50))


def _look_alikes() -> Iterator[Served]:
    """Yield requests without content, whatever a careless reader of these fields may think."""
    for name, line in (
        ("x-transfer-encoding", b"X-Transfer-Encoding: chunked"),
        ("transfer-encodings", b"Transfer-Encodings: chunked"),
        ("transfer-underscore-encoding", b"Transfer_Encoding: chunked"),
        ("transferencoding", b"TransferEncoding: chunked"),
        ("te-chunked", b"TE: chunked"),
        ("content-encoding-chunked", b"Content-Encoding: chunked"),
        ("content-transfer-encoding", b"Content-Transfer-Encoding: chunked"),
        ("x-content-length", b"X-Content-Length: 5"),
        ("content-underscore-length", b"Content_Length: 5"),
        ("content-length-after", b"Content-Length-: 5"),
        ("length", b"Length: 5"),
        ("x-host", b"X-Host: evil.test"),
        ("x-forwarded-host", b"X-Forwarded-Host: evil.test"),
        ("x-method", b"X-HTTP-Method-Override: DELETE"),
        ("x-original-url", b"X-Original-URL: /echo/hidden"),
        ("trailer-length", b"Trailer: Content-Length"),
    ):
        field, _, value = line.decode().partition(": ")
        parsed = ParsedRequest(headers={field.lower(): value, "host": "corpus.test"})
        yield f"alike-{name}", get(line), parsed


def _codings() -> Iterator[Served]:
    for name, value in (
        ("gzip", "gzip, deflate, br"),
        ("weights", "identity;q=0.5, gzip;q=1.0, *;q=0"),
        ("nothing", ""),
        ("none-acceptable", "identity;q=0, *;q=0"),
        ("malformed", "gzip;q=2;;,,"),
    ):
        yield f"coding-{name}", get(f"Accept-Encoding: {value}".encode()), echo(accept_encoding=value)
