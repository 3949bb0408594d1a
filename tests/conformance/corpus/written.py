"""How the subjects write their requests, and what they say about them."""

from collections.abc import Iterator

from tests.conformance.corpus.entry import Entry, ParsedRequest

HOST = b"corpus.test"
CHUNKED = b"Transfer-Encoding: chunked"
# What a smuggler hides where another server sees the next request.
HIDDEN = b"GET /echo/hidden HTTP/1.1\r\nHost: corpus.test\r\n\r\n"

# A refused request: its name, why it is refused, and its bytes.
Refused = tuple[str, str, bytes]
# One that is served: its name, its bytes, and what it is read as.
Served = tuple[str, bytes, ParsedRequest]


def head(first: bytes, *lines: bytes) -> bytes:
    """Write a head from its request line and field lines."""
    return b"\r\n".join([first, *lines, b"", b""])


def get(
    *lines: bytes,
    target: bytes = b"/echo/a",
    version: bytes = b"HTTP/1.1",
    host: bytes | None = HOST,
    method: bytes = b"GET",
) -> bytes:
    """Write a request without content; ``host`` None is for no Host line."""
    hosts = [] if host is None else [b"Host: " + host]
    return head(b"%b %b %b" % (method, target, version), *hosts, *lines)


def post(*lines: bytes, content: bytes = b"", version: bytes = b"HTTP/1.1", method: bytes = b"POST") -> bytes:
    """Write an upload with these field lines and these bytes after its head."""
    return get(*lines, target=b"/files/corpus", version=version, method=method) + content


def length_post(value: bytes, content: bytes = b"hello") -> bytes:
    """Write an upload with this value of Content-Length."""
    return post(b"Content-Length: " + value, content=content)


def chunked(body: bytes, *lines: bytes) -> bytes:
    """Write an upload in the chunked coding; ``body`` is as it is on the wire."""
    return post(CHUNKED, *lines, content=body)


def chunk(content: bytes) -> bytes:
    """Write content as one chunk and the last one, without trailers."""
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content)


def refused(rfc: str, status: int | None, *cases: Refused) -> Iterator[Entry]:
    """Make entries that are refused with one status by one section; None is for closing."""
    for name, why, data in cases:
        yield Entry(name, data, status, rfc, why)


def served(rfc: str, status: int, *cases: Served) -> Iterator[Entry]:
    """Make entries that are served, answered with one status."""
    for name, data, parsed in cases:
        yield Entry(name, data, status, rfc, request=parsed)


def echo(*segments: str, query: str = "", keep_alive: bool = True, **headers: str | None) -> ParsedRequest:
    """Say what a GET below /echo holds; an underscore in a header's name is a hyphen."""
    return ParsedRequest("GET", ("echo", *(segments or ("a",))), query, _fields(headers), "", keep_alive)


def upload(content: bytes = b"hello", keep_alive: bool = True, **headers: str | None) -> ParsedRequest:
    """Say what an upload holds."""
    fields = _fields(headers)
    return ParsedRequest("POST", ("files", "corpus"), "", fields, content.decode("latin-1"), keep_alive)


def _fields(headers: dict[str, str | None]) -> dict[str, str | None]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
