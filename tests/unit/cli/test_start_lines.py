"""The start lines, which the command prints and the library does not."""

import socket
import urllib.request
from collections.abc import Iterator

import pytest

from reactor.cli import start_lines as module
from reactor.cli.start_lines import start_lines, urls_of
from reactor.routing import Router
from reactor.server.server import Server, serve
from reactor.trusted_proxies import TrustedProxies
from tests.support.command import CommandServer

HERE = "this machine only"
ADDRESSES = ["192.0.2.7", "127.0.0.1", "169.254.1.2", "198.51.100.1", "2001:db8::7", "fe80::1", "192.0.2.7"]


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def closed_socket() -> socket.socket:
    with socket.socket() as sock:
        return sock


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 loopback")


@pytest.mark.parametrize(
    ("host", "directory", "notes", "shared", "details"),
    [
        ("127.0.0.1", "", (), "", HERE),
        ("127.0.0.1", "", ("", "gzip by isal", ""), "", f"{HERE}; gzip by isal"),
        ("127.0.0.1", "/srv/a b", ("a", "b"), "/srv/a b ", f"{HERE}; a; b"),
    ],
)
def test_the_line_lists_directory_address_and_audience(
    host: str, directory: str, notes: tuple[str, ...], shared: str, details: str
) -> None:
    with Server(Router(), host, 0) as server:
        url = f"http://{host}:{server.address[1]}/"
        assert urls_of(server) == [url]
        lines = list(start_lines(server, [url], directory, notes))
        assert lines == [f"reactor: serving {shared}on {url} ({details})"]


@pytest.mark.parametrize(
    ("host", "reach"),
    [("127.0.0.1", "this machine, and clients of its proxy"), ("0.0.0.0", "reachable from the network")],
)
def test_a_proxy_extends_the_audience(host: str, reach: str) -> None:
    with Server(Router(), host, 0, trusted_proxies=TrustedProxies(["127.0.0.1"])) as server:
        line, *_ = start_lines(server, urls_of(server), "", ())
        assert line.endswith(f" ({reach})")


@needs_ipv6
def test_an_ipv6_address_is_in_brackets() -> None:
    with Server(Router(), "::1", 0) as server:
        assert urls_of(server) == [f"http://[::1]:{server.address[1]}/"]


# All addresses of the machine.


@pytest.mark.parametrize(
    ("host", "ipv6_only", "hosts"),
    [
        ("0.0.0.0", False, ["127.0.0.1", "192.0.2.7", "198.51.100.1"]),
        pytest.param("::", True, ["[::1]", "[2001:db8::7]"], marks=needs_ipv6),
        pytest.param("::", False, ["[::1]", "192.0.2.7", "198.51.100.1", "[2001:db8::7]"], marks=needs_ipv6),
    ],
)
def test_all_addresses_get_one_line_each(
    host: str, ipv6_only: bool, hosts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_addresses", lambda: ADDRESSES)
    monkeypatch.setattr(module, "_ipv6_only", lambda listener: ipv6_only)
    with Server(Router(), host, 0) as server:
        port = server.address[1]
        urls = urls_of(server)
        assert urls == [f"http://{each}:{port}/" for each in hosts]
        first, *others = start_lines(server, urls, "", ())
        assert first == f"reactor: serving on {urls[0]} (reachable from the network)"
        assert others == [f"reactor: also on {url}" for url in urls[1:]]


@needs_ipv6
@pytest.mark.parametrize("value", [0, 1])
def test_whether_an_ipv6_socket_accepts_ipv4_is_read_from_it(value: int) -> None:
    with socket.socket(socket.AF_INET6) as listener:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, value)
        assert module._ipv6_only(listener) is bool(value)
    assert module._ipv6_only(listener)


def test_every_url_that_is_printed_reaches_the_server() -> None:
    with CommandServer("--host", "0.0.0.0") as server:
        for url in (f"{server.url}/", *also_on(server)):
            with urllib.request.urlopen(url, timeout=20) as answer:
                assert answer.status == 200


def also_on(server: CommandServer) -> Iterator[str]:
    """Yield the URLs of the lines after the first one."""
    for _ in module._hosts("0.0.0.0", closed_socket())[1:]:
        line = server.stderr.next() or ""
        assert line.startswith("reactor: also on http://")
        yield line.removeprefix("reactor: also on ")


def refuse(*arguments: object) -> Iterator[str]:
    raise OSError


@pytest.mark.parametrize("source", ["_routed_addresses", "_ipv4_addresses", "_ipv6_addresses"])
def test_a_failing_source_of_addresses_is_skipped(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_routed_addresses", "_ipv4_addresses", "_ipv6_addresses"):
        monkeypatch.setattr(module, name, lambda name=name: iter([name]))
    monkeypatch.setattr(module, source, refuse)
    assert source not in module._addresses()
    assert len(module._addresses()) == 2


def test_an_unreachable_address_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    broadcast, loopback = (socket.AF_INET, "255.255.255.255"), (socket.AF_INET, "127.0.0.1")
    monkeypatch.setattr(module, "_ELSEWHERE", (broadcast, loopback))
    assert list(module._routed_addresses()) == ["127.0.0.1"]


def test_without_any_address_the_loopback_url_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = closed_socket()
    monkeypatch.setattr(socket, "if_nameindex", refuse)
    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr("builtins.open", refuse)
    assert [module._hosts(host, closed) for host in ("0.0.0.0", "::")] == [["127.0.0.1"], ["::1"]]


def test_an_interface_without_an_ipv4_address_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    known = set(module._ipv4_addresses())
    names = [*socket.if_nameindex(), (99, "none")]
    monkeypatch.setattr(socket, "if_nameindex", lambda: names)
    assert set(module._ipv4_addresses()) == known


def test_the_library_prints_nothing_and_passes_the_server(capfd: pytest.CaptureFixture[str]) -> None:
    urls: list[str] = []

    def stop(server: Server) -> None:
        urls.append(server.url)
        server.stop()

    serve(Router(), port=0, access_log=None, on_ready=stop)
    assert urls[0].startswith("http://127.0.0.1:")
    assert capfd.readouterr() == ("", "")
