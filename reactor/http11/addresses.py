"""IP addresses as text, in one form for each address, so that they can be compared and logged."""

from ipaddress import IPv4Address, IPv6Address, ip_address


def normalized(text: str) -> str:
    """Return an IP address in its usual form, an IPv4-mapped one as IPv4; raise ValueError.

    A zone is an error: it may be any text.

    >>> normalized("::FFFF:192.0.2.1"), normalized("2001:DB8:0::1")
    ('192.0.2.1', '2001:db8::1')
    """
    if "%" in text:
        raise ValueError(f"IPv6 address with a zone: {text!r}")
    return str(unmapped(ip_address(text)))


def peer_address(text: str) -> str:
    """Return the address of a connection's peer, as the kernel writes it, an IPv4-mapped one as IPv4.

    ``normalized`` would take a hundred times as long for each connection, and accepts no zone.

    >>> peer_address("::ffff:192.0.2.1"), peer_address("::ffff:0:c000:201"), peer_address("fe80::1%eth0")
    ('192.0.2.1', '::ffff:0:c000:201', 'fe80::1%eth0')
    """
    mapped = text.removeprefix("::ffff:")
    return text if ":" in mapped else mapped


def unmapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address in an IPv4-mapped IPv6 address; others unchanged."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
