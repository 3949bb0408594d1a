"""Trusted proxies: whose Forwarded and X-Forwarded fields, and PROXY headers, are true.

    127.0.0.1, ::1            one address
    10.0.0.0/8, fd00::/8      a network
    unix                      every connection over a Unix socket

For a request that a trusted proxy has sent, the client's address, the scheme, the host and the prefix are
those that it reports (``http11/forwarded.py``). From any other peer, the fields are headers like all others,
without a meaning.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from reactor.http11.addresses import unmapped
from reactor.http11.forwarded import read_forwarded
from reactor.http11.headers import Headers
from reactor.http11.message import Head, Request, Site
from reactor.http11.proxy_header import UNIX
from reactor.http11.target import Target

Network = IPv4Network | IPv6Network


class _Forwarded(NamedTuple):
    """What one proxy reports with one request head; None for an unchanged target.

    The cached route of a target depends on the host and the scheme: others need a target of their own.
    """

    proxy: str
    peer: str
    head: Head
    headers: Headers
    target: Target | None


class TrustedProxies:
    """The proxies that a server trusts; raises ValueError for a name that is invalid."""

    def __init__(self, names: Iterable[str]) -> None:
        given = [names] if isinstance(names, str) else list(names)
        self._unix = UNIX in given
        self._networks = tuple(read_network(each) for each in given if each != UNIX)
        # Whether a peer is trusted: an IP address, or "unix". Parsing an address takes 2 us.
        self.trusts: Callable[[str], bool] = lru_cache(maxsize=256)(self._decide)

    def apply(self, request: Request) -> None:
        """Set what a trusted proxy, the request's ``peer``, reports of its client; raise HTTPError(400).

        Requests with the same bytes share their head, headers and target, with the cached route. So these are
        replaced, not changed. The result is cached, too, which saves 8 of 16 us.
        """
        cached = request.target.cached_client
        if not isinstance(cached, _Forwarded) or cached.proxy != request.peer:
            request.target.cached_client = cached = self._read(request)
        request.peer, request.head, request.headers = cached.peer, cached.head, cached.headers
        if cached.target is not None:
            request.target = cached.target

    def _read(self, request: Request) -> "_Forwarded":
        proxy = request.peer
        origin = read_forwarded(request.headers, proxy, self.trusts)
        if origin.scheme is None and origin.host is None and origin.prefix is None:
            return _Forwarded(proxy, origin.address, request.head, request.headers, None)
        head, removed = request.head, origin.prefix or ""
        site = Site(origin.scheme or head.site.scheme, removed + head.site.prefix, removed, True)
        changed, headers = head.with_host(origin.host or head.host, site), request.headers
        if origin.host is not None and origin.host != head.host:
            headers = headers.replacing("Host", origin.host)
        is_other = headers is not request.headers or request.target.scheme == "https"
        target = request.target.copy() if is_other else None
        return _Forwarded(proxy, origin.address, changed, headers, target)

    def _decide(self, peer: str) -> bool:
        if peer == UNIX:
            return self._unix
        try:
            address = unmapped(ip_address(peer))
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def read_proxy(text: str) -> str:
    """Check the name of a trusted proxy, and return it; raise ValueError."""
    if text != UNIX:
        read_network(text)
    return text


def read_network(text: str) -> Network:
    """Return the network of an address or a network, an IPv4-mapped one as IPv4; raise ValueError.

    >>> str(read_network("10.0.0.0/8")), str(read_network("::ffff:192.0.2.1"))
    ('10.0.0.0/8', '192.0.2.1/32')
    """
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError(f"invalid proxy: {text!r} ({_remedy(text)})") from None
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is not None:  # so the prefix has 96 bits or more: ``ip_network`` allows no bits behind it
        return IPv4Network((mapped, network.prefixlen - 96))
    return network


def _remedy(text: str) -> str:
    """Return what would be right in place of an invalid proxy."""
    try:
        return f"the address has bits behind the prefix: write {ip_network(text, strict=False)}"
    except ValueError:
        return "examples: 127.0.0.1, 10.0.0.0/8, fd00::/8, unix"
