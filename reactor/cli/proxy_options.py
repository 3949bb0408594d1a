"""Proxy options: --trusted-proxy, --proxy-protocol and --prefix."""

import argparse

from reactor.cli.option_types import Group, Repeatable, with_own_message
from reactor.http11.prefix import read_prefix
from reactor.trusted_proxies import TrustedProxies, read_proxy


def add_options(group: Group) -> None:
    """Add the options to a group."""
    group.add_argument(
        "--trusted-proxy",
        action=Repeatable,
        default=(),
        type=with_own_message(read_proxy),
        metavar="ADDRESS",
        help="trust what this proxy reports of its clients (X-Forwarded-For, -Proto, -Host and -Prefix; "
        "Forwarded): an IP address, a network such as 10.0.0.0/8, or unix for all connections over a Unix "
        "socket; repeatable, in the environment variable one per line (default: none)",
    )
    group.add_argument(
        "--proxy-protocol",
        action="store_true",
        help="expect a PROXY header, of version 1 or 2, on each connection of a --trusted-proxy",
    )
    group.add_argument(
        "--prefix",
        type=with_own_message(read_prefix),
        default="",
        metavar="PATH",
        help="serve everything below PATH, such as /share, for a proxy that does not remove it "
        "(default: none)",
    )


def trusted_proxies(options: argparse.Namespace) -> TrustedProxies | None:
    """Return the trusted proxies, None without any."""
    return TrustedProxies(options.trusted_proxy) if options.trusted_proxy else None
