"""What proxies report of a request: Forwarded (RFC 7239), X-Forwarded-For, -Proto, -Host and -Prefix.

    Forwarded: for=192.0.2.7;proto=https;host=files.example, for="[2001:db8::1]:4711"
    X-Forwarded-For: 192.0.2.7, 2001:db8::1

Each proxy adds an element at the right for the client that it got the request from. Everything further left
was received from that client, which can write anything. So the list is read **from the right**:

1. The sender of the request is a trusted proxy, so the last element is true. If it names another trusted
   proxy, the element before it is true as well, and so on.
2. The first address that is not trusted is the client. If all are trusted, it is the leftmost one.
3. An element without an address (``unknown``, ``_hidden``, or malformed) stops the walk: the client is the
   trusted proxy that added it.
4. Scheme, host and prefix are those of the element at which the walk ended, the outermost one that is true.
   In the X- fields, it is the value as many places from the right as that element is in X-Forwarded-For; the
   leftmost value if there are fewer, since most proxies replace the value instead of adding one.
5. Lines with the same name form one list, in their order.

6. More than MAX_PROXIES trusted addresses in a row are an error: a client could fill a list with them.

A value that is used, but invalid, is an error, and so is a Forwarded whose quotes do not match: the proxy
has passed on what a client has written. So are Forwarded and X-Forwarded-For that name different clients, or
other different values: one of them is from the client, because the proxy sets only the other one. A proxy
must set or remove each of these fields.
"""

import re
from collections.abc import Callable, Sequence
from ipaddress import IPv6Address
from typing import NamedTuple

from reactor.http11.addresses import normalized
from reactor.http11.errors import HTTPError, ProtocolError, quote
from reactor.http11.grammar import QUOTED_STRING, TOKEN
from reactor.http11.headers import Headers
from reactor.http11.prefix import read_prefix
from reactor.http11.target import check_host

SCHEMES = ("http", "https")
MAX_PROXIES = 64  # addresses of proxies that are read of one list: each takes up to 7 us

# Returns whether an IP address is that of a trusted proxy.
Trusts = Callable[[str], bool]

# Forwarded = 1#forwarded-element                                                  RFC 7239, 4
# forwarded-element = [ forwarded-pair ] *( ";" [ forwarded-pair ] )
# forwarded-pair = token "=" value; value = token / quoted-string
# A list is divided at commas, and an element at semicolons, outside of quotes; a quote alone is an error.
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_find_elements = re.compile(rf'(?:{_QUOTED}|[^",]++)+|"').finditer
_find_parts = re.compile(rf'(?:{_QUOTED}|[^";]++)+').findall
_match_pair = re.compile(rf"({TOKEN.decode()})=(?:({TOKEN.decode()})|({QUOTED_STRING.decode()}))").fullmatch
_unescape = re.compile(r"\\(.)").sub

# node = nodename [ ":" node-port ]; node-port = port / obfport                    RFC 7239, 6
# nodename = IPv4address / "[" IPv6address "]" / "unknown" / obfnode
_match_node = re.compile(
    r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::(?:[0-9]{1,5}|_[A-Za-z0-9._\-]+))?", re.ASCII
).fullmatch


class Origin(NamedTuple):
    """The client of a request, and the URL that it used; None for what the fields do not say."""

    address: str
    scheme: str | None = None
    host: str | None = None
    prefix: str | None = None


def read_forwarded(headers: Headers, sender: str, trusts: Trusts) -> Origin:
    """Return the origin of a request that a trusted proxy has sent; raise HTTPError(400)."""
    origin = _read_x_forwarded(headers, sender, trusts)
    value = headers.get("forwarded")
    if value is None:
        return origin
    other = _read_forwarded(value, sender, trusts)
    has_client = "x-forwarded-for" in headers
    for name, ours, theirs in (
        ("clients", origin.address if has_client else other.address, other.address),
        ("schemes", origin.scheme, other.scheme),
        ("hosts", origin.host, other.host),
    ):
        if None not in (ours, theirs) and ours != theirs:
            raise HTTPError(
                400,
                f"Forwarded and X-Forwarded-* name different {name}: {quote(str(theirs))} and "
                f"{quote(str(ours))} (the proxy must set one of them, and remove the other)",
            )
    return Origin(other.address, origin.scheme or other.scheme, origin.host or other.host, origin.prefix)


def _read_x_forwarded(headers: Headers, sender: str, trusts: Trusts) -> Origin:
    address, steps = _walk(_members(headers.get("x-forwarded-for", "")), sender, trusts)
    scheme, host, prefix = (
        _corresponding(headers.get(f"x-forwarded-{name}", ""), steps) for name in ("proto", "host", "prefix")
    )
    return Origin(
        address,
        scheme and _read_scheme("X-Forwarded-Proto", scheme),
        host and _read_host("X-Forwarded-Host", host),
        prefix and _read_prefix(prefix),
    )


def _read_forwarded(value: str, sender: str, trusts: Trusts) -> Origin:
    elements = _elements(value)[-1 - MAX_PROXIES :]
    address, steps = _walk([_pairs(each).get("for", "") for each in elements], sender, trusts)
    pairs = _pairs(elements[-1 - steps]) if elements else {}
    scheme, host = pairs.get("proto") or None, pairs.get("host") or None
    return Origin(
        address,
        scheme and _read_scheme("proto in Forwarded", scheme),
        host and _read_host("host in Forwarded", host),
    )


def _walk(nodes: Sequence[str], sender: str, trusts: Trusts) -> tuple[str, int]:
    """Return the client's address, and at which element, counted from the right and from 0, it ended."""
    address = sender
    for steps, node in enumerate(reversed(nodes)):
        if steps == MAX_PROXIES:
            raise HTTPError(400, f"more than {MAX_PROXIES} trusted proxies in Forwarded or X-Forwarded-For")
        found = read_address(node)
        if found is None:
            return address, steps
        address = found
        if not trusts(address):
            return address, steps
    return address, max(0, len(nodes) - 1)


def read_address(node: str) -> str | None:
    """Return the IP address of a node, without its port; None for anything else.

    >>> read_address("[2001:db8::17]:4711"), read_address("192.0.2.7:80"), read_address("unknown")
    ('2001:db8::17', '192.0.2.7', None)
    """
    match = _match_node(node)
    try:
        if match is not None and match[1] is not None:
            return normalized(str(IPv6Address(match[1])))
        return normalized(node if match is None else match[2])  # IPv6 has no brackets in X-Forwarded-For
    except ValueError:
        return None


def _members(value: str) -> list[str]:
    """Return the members of a list that are not empty."""
    return [each for part in value.split(",") if (each := part.strip(" \t"))]


def _corresponding(value: str, steps: int) -> str | None:
    """Return the member that is ``steps`` places from the right; see rule 4 at the top of this file."""
    members = _members(value)
    return members[max(0, len(members) - 1 - steps)] if members else None


def _elements(value: str) -> list[str]:
    """Divide Forwarded into its elements that are not empty; raise HTTPError(400)."""
    elements = []
    for match in _find_elements(value):
        element = match[0]
        if element == '"':
            raise HTTPError(400, f"malformed Forwarded: unmatched quote in {quote(value)}")
        if element.strip("; \t"):
            elements.append(element)
    return elements


def _pairs(element: str) -> dict[str, str]:
    """Return the pairs of an element by name in lower case; empty if it is malformed."""
    pairs: dict[str, str] = {}
    for part in _find_parts(element):
        text = part.strip(" \t")
        match = _match_pair(text)
        if match is None and not text:
            continue
        if match is None or match[1].lower() in pairs:
            return {}
        pairs[match[1].lower()] = match[2] or _unescape(r"\1", match[3][1:-1])
    return pairs


def _read_scheme(name: str, text: str) -> str:
    if text.lower() not in SCHEMES:
        raise HTTPError(400, f"invalid {name}: {quote(text)} (expected http or https)")
    return text.lower()


def _read_host(name: str, text: str) -> str:
    try:
        check_host(text.encode("latin-1"))
        if not text.startswith(":"):
            return text
    except ProtocolError:
        pass
    raise HTTPError(400, f"invalid {name}: {quote(text)} (example: files.example:8443)")


def _read_prefix(text: str) -> str:
    try:
        return read_prefix(text)
    except ValueError as error:
        raise HTTPError(400, f"X-Forwarded-Prefix: {error}") from None
