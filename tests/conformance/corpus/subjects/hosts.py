"""Refused: Host missing, repeated, in conflict, or in no form that a host has."""

from collections.abc import Iterator

from tests.conformance.corpus.entry import Entry
from tests.conformance.corpus.written import HOST, get, post, refused
from tests.support.malformed import MALFORMED_HOSTS


def host(data: bytes) -> bytes:
    """Write a request with this Host."""
    return get(host=data.replace(b"HOST", HOST))


def entries() -> Iterator[Entry]:
    """Yield the entries of this subject."""
    yield from refused(
        "RFC 9112, 3.2",
        400,
        ("host-missing", "HTTP/1.1 has a Host line.", get(host=None)),
        ("host-missing-but-similar", "X-Host is another field.", get(b"X-Host: corpus.test", host=None)),
        ("host-missing-in-1-2", "HTTP/1.2 needs Host.", get(host=None, version=b"HTTP/1.2")),
        ("host-twice-same", "Host may occur once only.", get(b"Host: corpus.test")),
        ("host-twice-different", "Servers may pick either.", get(b"Host: evil.test")),
        ("host-twice-first-empty", "An empty Host is a second one.", get(b"Host: evil.test", host=b"")),
        ("host-twice-second-empty", "An empty Host is a second one.", get(b"Host:")),
        ("host-twice-in-other-case", "Names ignore case.", get(b"hOST: evil.test")),
        ("host-twice-apart", "They need not be adjacent.", get(b"A: b", b"C: d", b"Host: evil.test")),
        ("host-three-times", "Host may occur once only.", get(b"Host: corpus.test", b"Host: corpus.test")),
        (
            "host-twice-in-1-0",
            "Host may occur only once in HTTP/1.0.",
            get(b"Host: evil.test", version=b"HTTP/1.0"),
        ),
        ("host-twice-with-content", "Before any content is read.", post(b"Host: b", b"Content-Length: 0")),
        ("host-space-before-colon", "Another server may see no Host.", get(b"Host : x", host=None)),
        ("host-folded", "Another server may see an empty Host.", get(b"Host:", b" x", host=None)),
        ("host-malformed-in-1-0", "Its grammar is the same.", get(host=b"a b", version=b"HTTP/1.0")),
    )
    yield from refused(
        "RFC 9110, 7.2",
        400,
        *((f"host-{name}", why, host(data)) for name, (why, data) in MALFORMED_HOSTS.items()),
    )
