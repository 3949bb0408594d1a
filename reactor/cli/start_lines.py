"""The start lines: what is shared, the URL to open on this machine, and notes; then the URLs for others.

reactor: serving /srv/files on http://127.0.0.1:4221/ (reachable from the network; anyone may read)
reactor: also on http://192.0.2.7:4221/
reactor: also on the Unix socket /run/reactor.sock (socket admin of the service manager)
"""

import fcntl
import ipaddress
import socket
import struct
from collections.abc import Iterable, Iterator

from reactor.logs.stderr import escape_unprintable
from reactor.server.listen import LOOPBACK_OF, Listener, url_of
from reactor.server.server import Server

# ioctl request of Linux: the IPv4 address of a network interface                          netdevice(7)
_SIOCGIFADDR = 0x8915
# Addresses for documentation (RFC 5737, RFC 3849): connecting a UDP socket to one sends nothing.
_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


def start_lines(server: Server, urls: list[str], shared: str, notes: Iterable[str]) -> Iterator[str]:
    """Yield the lines; ``shared`` is "" if nothing is shared, and empty notes are omitted.

    ``urls`` are those of the first TCP socket; without one, the first line names a Unix socket.
    """
    reach = "this machine only" if server.local else "reachable from the network"
    if server.local and server.context.trusted_proxies is not None:
        reach = "this machine, and clients of its proxy"
    tcp = [each for each in server.listeners if each.tcp_address is not None]
    unix = [each for each in server.listeners if each.tcp_address is None]
    places = [(each, url) for each in tcp for url in (urls if each is tcp[0] else _urls(each, server.prefix))]
    places += [(each, f"the Unix socket {escape_unprintable(each.unix_path or '')}") for each in unix]
    (first, place), *others = places
    details = "; ".join(note for note in (_origin(first), reach, *notes) if note)
    yield f"reactor: serving {shared and shared + ' '}on {place} ({details})"
    for listener, place in others:
        origin = _origin(listener)
        yield f"reactor: also on {place}{origin and f' ({origin})'}"


def _origin(listener: Listener) -> str:
    """Return a note on a socket that another process has opened, or ""."""
    if not listener.was_passed:
        return ""
    return f"socket {escape_unprintable(listener.name)}{' ' * bool(listener.name)}of the service manager"


def urls_of(server: Server) -> list[str]:
    """Return the URLs of a server's page, the one for this machine first; none with Unix sockets only.

    They are those of the first TCP socket. There is more than one if it listens on all addresses of the
    machine.
    """
    tcp = (each for each in server.listeners if each.tcp_address is not None)
    return next((_urls(each, server.prefix) for each in tcp), [])


def _urls(listener: Listener, prefix: str) -> list[str]:
    assert listener.tcp_address is not None, "no TCP socket"
    host, port = listener.tcp_address
    return [f"{url_of(each, port)}{prefix}/" for each in _hosts(host, listener)]


def _hosts(host: str, listener: socket.socket) -> list[str]:
    if host not in LOOPBACK_OF:
        return [host]
    families = (4,) if host == "0.0.0.0" else (6,) if _ipv6_only(listener) else (6, 4)
    others = [
        str(each)
        for each in dict.fromkeys(map(ipaddress.ip_address, _addresses()))
        if each.version in families and not (each.is_loopback or each.is_link_local)
    ]
    return [LOOPBACK_OF[host], *others]


def _ipv6_only(listener: socket.socket) -> bool:
    """Return whether a socket for IPv6 accepts no connections over IPv4, or that is unknown."""
    try:
        return bool(listener.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))
    except OSError:
        return True


def _addresses() -> list[str]:
    """Return the addresses of this machine, without those that cannot be read."""
    addresses: list[str] = []
    for source in (_routed_addresses, _ipv4_addresses, _ipv6_addresses):
        try:
            addresses.extend(source())
        except OSError:
            pass  # fewer addresses are shown
    return addresses


def _routed_addresses() -> Iterator[str]:
    """Yield the addresses from which this machine reaches the internet."""
    for family, address in _ELSEWHERE:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as one:
                one.connect((address, 9))
                yield one.getsockname()[0]
        except OSError:
            pass  # no route, or no IPv6


def _ipv4_addresses() -> Iterator[str]:
    """Yield the first address of each interface; none on systems other than Linux."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        for _, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(one, _SIOCGIFADDR, struct.pack("256s", name.encode()))
            except OSError:
                continue
            yield socket.inet_ntoa(answer[20:24])


def _ipv6_addresses() -> Iterator[str]:
    """Yield all addresses; none on systems other than Linux."""
    with open("/proc/net/if_inet6") as file:
        for line in file:
            yield socket.inet_ntop(socket.AF_INET6, bytes.fromhex(line.split()[0]))
