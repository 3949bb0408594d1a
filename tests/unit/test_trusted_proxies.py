"""Trusted proxies: addresses, networks and Unix sockets."""

import pytest

from reactor import Router, Server
from reactor.trusted_proxies import TrustedProxies, read_network, read_proxy

PROXIES = TrustedProxies(["127.0.0.1", "10.0.0.0/8", "fd00::/8", "::ffff:192.0.2.0/120", "2001:db8::1"])


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        ("127.0.0.1", True),
        ("127.0.0.2", False),
        ("::ffff:127.0.0.1", True),
        ("10.255.255.255", True),
        ("11.0.0.0", False),
        ("fd12::1", True),
        ("fd12::1%eth0", True),
        ("fe80::1", False),
        ("192.0.2.255", True),
        ("192.0.3.0", False),
        ("2001:db8::1", True),
        ("2001:db8:0::0:1", True),
        ("2001:db8::2", False),
        ("unix", False),
        ("", False),
        ("10.0.0.1.evil.example", False),
    ],
)
def test_a_peer_is_trusted_by_its_address(peer: str, trusted: bool) -> None:
    assert PROXIES.trusts(peer) is trusted


def test_unix_trusts_all_connections_over_unix_sockets_and_no_others() -> None:
    proxies = TrustedProxies("unix")
    assert proxies.trusts("unix")
    assert not any(map(proxies.trusts, ("127.0.0.1", "::1", "")))


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("", "examples: 127.0.0.1, 10.0.0.0/8"),
        ("localhost", "examples: "),
        ("*", "examples: "),
        ("10.0.0.0/33", "examples: "),
        ("127.0.0.1:80", "examples: "),
        ("UNIX", "examples: "),
        ("10.1.2.3/8", "the address has bits behind the prefix: write 10.0.0.0/8"),
        ("fd00::1/8", "write fd00::/8"),
    ],
)
def test_an_invalid_proxy_is_a_value_error_with_a_remedy(text: str, remedy: str) -> None:
    for read in (read_proxy, lambda each: TrustedProxies([each]), read_network):
        with pytest.raises(ValueError, match=r"^invalid proxy: ") as error:
            read(text)
        assert remedy in str(error.value)
    with pytest.raises(ValueError, match=r"^invalid proxy: "):
        Server(Router(), port=0, trusted_proxies=[text])


def test_the_proxy_protocol_needs_a_trusted_proxy() -> None:
    with pytest.raises(ValueError, match="proxy_protocol has no effect without trusted_proxies"):
        Server(Router(), port=0, proxy_protocol=True)


def test_a_server_checks_its_prefix() -> None:
    with pytest.raises(ValueError, match=r"invalid prefix: '//evil\.example'"):
        Server(Router(), port=0, prefix="//evil.example")
    with Server(Router(), port=0, prefix="/share/") as server:
        assert server.prefix == "/share"
