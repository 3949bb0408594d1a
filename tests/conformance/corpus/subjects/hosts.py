"""Refused: Host missing, repeated, in conflict, or in no form that a host has."""

from collections.abc import Iterator

from tests.conformance.corpus.entry import Entry
from tests.conformance.corpus.written import get, post, refused


def host(octets: bytes) -> bytes:
    """Write a request with this Host."""
    return get(host=octets)


def entries() -> Iterator[Entry]:
    """Yield the entries of this subject."""
    yield from refused(
        "RFC 9112, 3.2",
        400,
        ("host-missing", "HTTP/1.1 has a Host line.", get(host=None)),
        ("host-missing-but-similar", "X-Host is another field.", get(b"X-Host: corpus.test", host=None)),
        ("host-missing-in-1-2", "A higher minor version has one, too.", get(host=None, version=b"HTTP/1.2")),
        ("host-twice-same", "Host stands once.", get(b"Host: corpus.test")),
        ("host-twice-different", "One of two hosts would be believed.", get(b"Host: evil.test")),
        ("host-twice-first-empty", "An empty Host is one, too.", get(b"Host: evil.test", host=b"")),
        ("host-twice-second-empty", "An empty Host is one, too.", get(b"Host:")),
        ("host-twice-in-other-case", "Field names have no case.", get(b"hOST: evil.test")),
        ("host-twice-apart", "Lines between them change nothing.", get(b"A: b", b"C: d", b"Host: evil.test")),
        ("host-three-times", "Host stands once.", get(b"Host: corpus.test", b"Host: corpus.test")),
        (
            "host-twice-in-1-0",
            "Where it stands in HTTP/1.0 it stands once.",
            get(b"Host: evil.test", version=b"HTTP/1.0"),
        ),
        ("host-twice-with-content", "Before any content is read.", post(b"Host: b", b"Content-Length: 0")),
        ("host-space-before-colon", "Another server would see no Host.", get(b"Host : x", host=None)),
        ("host-folded", "Another server would see an empty Host.", get(b"Host:", b" x", host=None)),
        ("host-malformed-in-1-0", "Its grammar is the same.", get(host=b"a b", version=b"HTTP/1.0")),
    )
    yield from refused(
        "RFC 9110, 7.2",
        400,
        ("host-space", "A host is one word.", host(b"corpus.test evil.test")),
        ("host-tab", "A host is one word.", host(b"corpus.test\tevil.test")),
        ("host-list", "A host is no list.", host(b"corpus.test, evil.test")),
        ("host-comma", "Two lines combined would look the same.", host(b"corpus.test,evil.test")),
        ("host-user", "A host has no user information.", host(b"me@corpus.test")),
        ("host-password", "A host has no user information.", host(b"me:x@corpus.test")),
        ("host-empty-user", "A host has no user information.", host(b"@corpus.test")),
        ("host-slash", "A host has no path.", host(b"corpus.test/")),
        ("host-path", "A host has no path.", host(b"corpus.test/echo/a")),
        ("host-uri", "A host is no URI.", host(b"http://corpus.test")),
        ("host-query", "A host has no query.", host(b"corpus.test?a")),
        ("host-fragment", "A host has no fragment.", host(b"corpus.test#a")),
        ("host-backslash", "A backslash is in no host.", host(b"corpus.test\\evil.test")),
        ("host-quotes", "Quotation marks are in no host.", host(b'"corpus.test"')),
        ("host-angles", "Angle brackets are in no host.", host(b"<corpus.test>")),
        ("host-braces", "Braces are in no host.", host(b"{corpus.test}")),
        ("host-bar", "A bar is in no host.", host(b"corpus|test")),
        ("host-percent-alone", "Two digits follow a percent sign.", host(b"corpus%2.test")),
        ("host-percent-no-digits", "The digits are hexadecimal.", host(b"corpus%zz.test")),
        ("host-raw-utf-8", "A host beyond ASCII is encoded.", host("café.test".encode())),
        ("host-port-letters", "A port is digits.", host(b"corpus.test:http")),
        ("host-port-plus", "A port has no sign.", host(b"corpus.test:+80")),
        ("host-port-minus", "A port has no sign.", host(b"corpus.test:-80")),
        ("host-port-space", "A port is digits.", host(b"corpus.test: 80")),
        ("host-port-twice", "There is one port.", host(b"corpus.test:80:81")),
        ("host-port-superscript", "A digit is one of ASCII.", host(b"corpus.test:8\xb2")),
        ("host-port-and-at", "What stands behind the port is no user.", host(b"corpus.test:80@evil.test")),
        ("host-address-without-brackets", "Brackets hold an IPv6 address.", host(b"::1")),
        ("host-address-open", "A bracket is closed.", host(b"[::1")),
        ("host-address-unopened", "A bracket is opened.", host(b"::1]")),
        ("host-address-empty", "Brackets hold an address.", host(b"[]")),
        ("host-address-two-gaps", "An address has one gap.", host(b"[1::2::3]")),
        ("host-address-nine-groups", "An address has eight groups.", host(b"[1:2:3:4:5:6:7:8:9]")),
        ("host-address-three-groups", "Without a gap there are eight.", host(b"[1:2:3]")),
        ("host-address-long-group", "A group has four digits.", host(b"[12345::]")),
        ("host-address-letter", "A group is hexadecimal.", host(b"[::g]")),
        ("host-address-zone", "A zone means nothing to others.", host(b"[fe80::1%25eth0]")),
        ("host-address-bad-ipv4", "An octet is 255 at most.", host(b"[::1.2.3.256]")),
        ("host-address-and-name", "Nothing but a port follows the bracket.", host(b"[::1]evil.test")),
        ("host-address-and-bad-port", "A port is digits.", host(b"[::1]:x")),
        ("host-ipv4-in-brackets", "Brackets hold an IPv6 address.", host(b"[127.0.0.1]")),
        ("host-name-in-brackets", "Brackets hold an address.", host(b"[corpus.test]")),
        ("host-future-without-version", "A future address has a version.", host(b"[v.x]")),
        ("host-future-empty", "A future address has octets.", host(b"[v1.]")),
    )
