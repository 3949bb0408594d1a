"""The start lines: what is shared, the URL to open on this machine, and notes; then the URLs for others.

reactor: serving /srv/files on http://127.0.0.1:4221/ (reachable from the network; anyone may read)
reactor: also on http://192.0.2.7:4221/
"""

import fcntl
import ipaddress
import socket
import struct
from collections.abc import Iterable, Iterator

from reactor.server.listen import LOOPBACK_OF, url_of
from reactor.server.server import Server

# ioctl request of Linux: the IPv4 address of a network interface                          netdevice(7)
_SIOCGIFADDR = 0x8915
# Addresses for documentation (RFC 5737, RFC 3849): connecting a UDP socket to one sends nothing.
_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


def start_lines(server: Server, urls: list[str], shared: str, notes: Iterable[str]) -> Iterator[str]:
    """Yield the lines; ``shared`` is "" if nothing is shared, and empty notes are omitted."""
    reach = "this machine only" if server.local else "reachable from the network"
    details = "; ".join(note for note in (reach, *notes) if note)
    yield f"reactor: serving {shared and shared + ' '}on {urls[0]} ({details})"
    for url in urls[1:]:
        yield f"reactor: also on {url}"


def urls_of(server: Server) -> list[str]:
    """Return the URLs of a server's page, the one for this machine first.

    There is more than one if the server listens on all addresses of the machine.
    """
    host, port = server.address
    return [f"{url_of(each, port)}{server.prefix}/" for each in _hosts(host)]


def _hosts(host: str) -> list[str]:
    if host not in LOOPBACK_OF:
        return [host]
    families = (4,) if host == "0.0.0.0" else (6,) if _ipv6_only() else (6, 4)
    others = [
        str(each)
        for each in dict.fromkeys(map(ipaddress.ip_address, _addresses()))
        if each.version in families and not (each.is_loopback or each.is_link_local)
    ]
    return [LOOPBACK_OF[host], *others]


def _ipv6_only() -> bool:
    """Return whether a socket for IPv6 accepts no connections over IPv4, or that is unknown."""
    try:
        with socket.socket(socket.AF_INET6) as one:
            return bool(one.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))
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
