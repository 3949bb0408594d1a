"""Allowed hosts: which values of Host a server answers, as a protection against DNS rebinding.

    Host                            response
    localhost, NAME.localhost       allowed
    an IP address                   allowed
    a configured name               allowed; "*" allows every host
    no Host (HTTP/1.0 only)         allowed: browsers always send Host
    any other name, or empty        403

A page of evil.example can make that name resolve to 127.0.0.1. For the browser the page and this server then
have the same origin, so that the page can read every response, and Origin equals Host. But the page cannot
change the name in Host. Port, case and one trailing dot are ignored. The authority of a target in
absolute-form replaces Host (RFC 9112, 3.2.2).

If a trusted proxy names another host, that one is checked. On a loopback address, its peer may as well be a
browser of this machine, which that page has made send X-Forwarded-Host: there Host is checked, too.

The check is part of route lookup, so it runs first: before the password check (otherwise the browser
would ask the user for a password for that page), before 404 and 405, and before any byte of a body. The
cache of request heads keeps the result, so a cached head needs no check.
"""

import re
from collections.abc import Callable, Collection, Iterable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from reactor.http11.errors import HostError
from reactor.http11.message import Request, Response
from reactor.http11.proxy_header import UNIX
from reactor.routing import Route

ANY = "*"
MAX_LENGTH = 253  # characters of a host name: RFC 1035, 2.3.4
_MAX_LENGTH_WITH_PORT = MAX_LENGTH + len(".:65535")
_MAX_SHOWN = 64  # characters of a host that is not a host name, in an error message

_LABEL = r"[a-z0-9_](?:[a-z0-9_\-]{0,61}[a-z0-9_])?"
_match_name = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII).fullmatch
# Host = uri-host [ ":" port ], which is known to follow the grammar when it is read here.
_match_host = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::[0-9]*)?", re.ASCII).fullmatch


class AllowedHosts:
    """The hosts that a server answers; raises ValueError for a name that is invalid.

    ``error_route`` answers requests to all other hosts with 403. ``advice`` ends the error message for a host
    that could be allowed; ``{name}`` in it is replaced by that host. With ``only_on_loopback``, hosts are
    checked only if the server listens on a loopback address, and on no other one.
    """

    def __init__(self, names: Iterable[str] = (), advice: str = "", only_on_loopback: bool = False) -> None:
        self._names = frozenset(read_name(name) for name in ([names] if isinstance(names, str) else names))
        self._advice = advice
        self._only_on_loopback = only_on_loopback
        self.error_route = Route("", self._refuse, None)
        # Whether requests to a host are answered: the value of Host, None without one. At most 64 of them are
        # cached, since ip_address() is slow; a cached call takes 40 ns.
        self.allows: Callable[[str | None], bool] = lru_cache(maxsize=64)(self._decide)

    def at(self, addresses: Collection[str]) -> "AllowedHosts | None":
        """Return the check for a server that listens on IP addresses; None if every host is allowed.

        A server without an address has only Unix sockets, to which no browser connects.
        """
        only_loopback = bool(addresses) and all(map(is_loopback, addresses))
        if ANY in self._names or (self._only_on_loopback and not only_loopback):
            return None
        return self

    def check(self, request: Request) -> None:
        """Raise HostError(403) if the host of a request is not allowed."""
        if not self.allows(request.head.host):
            self._refuse(request)

    def refuses_peer(self, request: Request) -> bool:
        """Return whether Host itself is not allowed, of a request from a proxy at a loopback address."""
        return not self.allows(request.head.host) and request.peer != UNIX and is_loopback(request.peer)

    def _decide(self, host: str | None) -> bool:
        if host is None:
            return True
        if len(host) > _MAX_LENGTH_WITH_PORT:
            return False
        name = _name_of(host)
        if ANY in self._names or name == "localhost" or name in self._names:
            return True
        return (name.endswith(".localhost") and is_name(name)) or is_address(name)

    def _refuse(self, request: Request) -> Response:
        host = request.head.host or ""
        name = _name_of(host)
        if not is_name(name):
            shown = host if len(host) <= _MAX_SHOWN else f"{host[:_MAX_SHOWN]}..."
            raise HostError(403, f"host not allowed: {shown!r}")
        advice = f" ({self._advice.format(name=name)})" if self._advice else ""
        raise HostError(403, f"host not allowed: {name!r}{advice}")


def read_name(text: str) -> str:
    """Return a host name normalized for comparison, ``*`` for every host; raise ValueError.

    >>> read_name("Files.Example.COM.")
    'files.example.com'
    """
    if not text.isascii():
        raise ValueError(f"invalid host name: {text!r} (write it in ASCII, as in xn--bcher-kva.example)")
    name = text.lower().removesuffix(".")
    if text == ANY or is_name(name) or is_address(name):
        return name
    raise ValueError(f"invalid host name: {text!r} (example: files.example.com, without a port; * for all)")


def is_name(name: str) -> bool:
    """Return whether a text in lower case has the form of a host name, as an IPv4 address also has."""
    return len(name) <= MAX_LENGTH and _match_name(name) is not None


def is_address(text: str) -> bool:
    """Return whether a text is an IP address; an IPv6 address may be in brackets.

    >>> is_address("127.0.0.1"), is_address("[::1]"), is_address("127.1"), is_address("evil.example")
    (True, True, False, False)
    """
    in_brackets = text.startswith("[") and text.endswith("]")
    try:
        address = ip_address(text[1:-1] if in_brackets else text)
    except ValueError:
        return False
    return isinstance(address, IPv6Address) or not in_brackets


def is_loopback(address: str) -> bool:
    """Return whether an IP address can only be reached from this machine.

    >>> is_loopback("127.0.0.2"), is_loopback("::1"), is_loopback("::ffff:127.0.0.1"), is_loopback("::")
    (True, True, True, False)
    """
    parsed = ip_address(address.removeprefix("[").removesuffix("]"))
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return (mapped or parsed).is_loopback


def _name_of(host: str) -> str:
    """Return the normalized name in a value of Host, without its port; "" if it is malformed."""
    match = _match_host(host)
    return "" if match is None else match[1].lower().removesuffix(".")
