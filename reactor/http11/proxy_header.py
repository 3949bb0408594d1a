"""The PROXY protocol: the header with which a proxy begins a connection, and that names its client.

    Version 1   PROXY TCP4 192.0.2.7 198.51.100.1 56324 443 CRLF     (or TCP6, or UNKNOWN and anything)
    Version 2   12 bytes of signature, version and command, family and protocol, length (2 bytes),
                the addresses and ports, and extensions (TLVs), which are skipped

    Command or family                      Result
    PROXY with TCP over IPv4 or IPv6       the client's address
    PROXY with a Unix socket               ``unix``
    PROXY without a family (UNKNOWN)       the address of the proxy stays, but the client is not the proxy
    LOCAL, such as a health check          the client is the proxy

The format is defined in proxy-protocol.txt of HAProxy. A header of version 1 has at most 107 bytes; one of
version 2 may have more here than the 536 bytes that fit into any packet, but its length is limited.
"""

import re
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from reactor.http11.addresses import unmapped
from reactor.http11.errors import ProtocolError

UNIX = "unix"
MAX_V1 = 107  # bytes, with CRLF
MAX_V2 = 2048  # bytes, of which extensions may use nine tenths
V1 = b"PROXY "
V2 = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED = 16  # bytes of version 2 before the addresses

_match_v1 = re.compile(
    rb"PROXY (?:UNKNOWN(?: .*)?|TCP([46]) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) ([0-9]{1,5}) ([0-9]{1,5}))"
).fullmatch

LOCAL, PROXY = 0x20, 0x21  # version and command
UNSPECIFIED, TCP4, TCP6, UNIX_STREAM = 0x00, 0x11, 0x21, 0x31
# The bytes of the addresses of each family, and the size of one address, which is the source at first.
_SIZES = {UNSPECIFIED: (0, 0), TCP4: (12, 4), TCP6: (36, 16), UNIX_STREAM: (216, 108)}


class ProxyHeader(NamedTuple):
    """The client's address, None to keep that of the proxy, and the length of the header in bytes.

    ``is_local`` is true if the proxy itself has made the connection, for no client.
    """

    address: str | None
    length: int
    is_local: bool = False


def read_proxy_header(data: bytes) -> ProxyHeader | None:
    """Return the header at the beginning of some bytes, None if it is incomplete; raise ProtocolError."""
    if data.startswith(V2[: len(data)]):
        return _read_v2(data)
    if data.startswith(V1[: len(data)]):
        return _read_v1(data)
    raise ProtocolError(400, "no PROXY header at the beginning of the connection")


def _read_v1(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, MAX_V1)
    if end < 0:
        if len(data) >= MAX_V1:
            raise ProtocolError(400, f"PROXY header of version 1 exceeds {MAX_V1} bytes")
        return None
    match = _match_v1(data[:end])
    if match is None or any(int(port) > 65535 for port in match.groups()[3:] if port is not None):
        raise ProtocolError(400, "malformed PROXY header of version 1")
    if match[1] is None:
        return ProxyHeader(None, end + 2)
    kind = IPv4Address if match[1] == b"4" else IPv6Address
    try:
        source, _ = (kind(address.decode("ascii")) for address in match.group(2, 3))
    except ValueError:
        raise ProtocolError(400, "malformed address in the PROXY header") from None
    return ProxyHeader(_text(source), end + 2)


def _read_v2(data: bytes) -> ProxyHeader | None:
    if len(data) < _FIXED:
        return None
    command, family = data[12], data[13]
    length = _FIXED + int.from_bytes(data[14:16], "big")
    if command not in (LOCAL, PROXY):
        raise ProtocolError(400, f"unsupported version or command of the PROXY header: {command:#04x}")
    if length > MAX_V2:
        raise ProtocolError(400, f"PROXY header of {length} bytes (limit: {MAX_V2})")
    if command == PROXY and (family not in _SIZES or length < _FIXED + _SIZES[family][0]):
        raise ProtocolError(400, f"unsupported or incomplete addresses in the PROXY header: {family:#04x}")
    if len(data) < length:
        return None
    if command == LOCAL or family == UNSPECIFIED:
        return ProxyHeader(None, length, command == LOCAL)
    return ProxyHeader(_source(family, data), length)


def _source(family: int, data: bytes) -> str:
    if family == UNIX_STREAM:
        return UNIX
    source = data[_FIXED : _FIXED + _SIZES[family][1]]
    return _text(IPv4Address(source) if family == TCP4 else IPv6Address(source))


def _text(address: IPv4Address | IPv6Address) -> str:
    return str(unmapped(address))
