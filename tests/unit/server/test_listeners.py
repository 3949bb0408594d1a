"""A server with several listening sockets, over TCP and Unix sockets."""

import io
import os
import signal
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from reactor.allowed_hosts import AllowedHosts
from reactor.http11.message import Request
from reactor.observe.events import peer_of
from reactor.routing import Router
from reactor.server import server as module
from reactor.server.listen import Listener, StartError, adopt, listen, listen_unix
from reactor.server.server import Server
from reactor.settings import Settings
from reactor.testing import running

MODE = 0o660


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)  # whose own path may be too long for a Unix socket
    return "s"


def open_both(path: str) -> list[Listener]:
    return [listen_unix(path, MODE), listen("127.0.0.1", 0), listen("127.0.0.1", 0)]


def peers() -> Router:
    routes = Router()
    routes.get("/peer")(lambda request: f"{request.peer}")
    return routes


def get(family: int, address: Any, target: str = "/peer", bound: bytes | str = "") -> bytes:
    """Send a request, and return the body of the response."""
    with socket.socket(family) as client:
        client.settimeout(20)
        if bound:
            client.bind(bound)
        client.connect(address)
        client.sendall(f"GET {target} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n".encode())
        with client.makefile("rb") as file:
            return file.read().partition(b"\r\n\r\n")[2]


# What is served.


def test_every_socket_is_served(path: str) -> None:
    listeners, log = open_both(path), io.StringIO()
    with running(peers(), listeners=listeners, access_log=log) as url:
        assert url == f"http://127.0.0.1:{listeners[1].getsockname()[1]}"
        for each in listeners[1:]:
            assert get(socket.AF_INET, each.getsockname()) == b"127.0.0.1"
        for bound in ("", "client", b"\0reactor"):
            assert get(socket.AF_UNIX, path, bound=bound) == b"unix"
    assert [line.split()[0] for line in log.getvalue().splitlines()] == ["127.0.0.1"] * 2 + ["unix"] * 3
    assert [each.fileno() for each in listeners] == [-1] * 3
    assert not os.path.exists(path)


def listen_on_all() -> Listener:
    """Return a listener that accepts both IPv4 and IPv6, or skip the test."""
    try:
        listener = listen("::", 0)
    except StartError:
        pytest.skip("no IPv6")
    if listener.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
        listener.close()
        pytest.skip("sockets for IPv6 accept no IPv4 here")
    return listener


def test_a_client_over_ipv4_has_the_same_address_on_an_ipv6_socket() -> None:
    shown: list[str] = []
    server: list[Server] = []

    def note(request: Request) -> str:
        shown.extend(peer_of(each) for each in server[0].context.connections.values())
        return str(request.peer)

    routes = Router()
    routes.get("/")(note)
    listener, log = listen_on_all(), io.StringIO()
    port = listener.getsockname()[1]
    with running(routes, server.append, listeners=[listener], access_log=log):
        assert get(socket.AF_INET, ("127.0.0.1", port), "/") == b"127.0.0.1"
        assert get(socket.AF_INET6, ("::1", port), "/") == b"::1"
    assert [line.split()[0] for line in log.getvalue().splitlines()] == ["127.0.0.1", "::1"]
    assert [each.rpartition(":")[0] for each in shown] == ["127.0.0.1", "[::1]"]


@pytest.mark.parametrize("bound", ["", "client", b"\0reactor"])
def test_the_inspector_shows_the_peer_of_a_unix_socket(path: str, bound: bytes | str) -> None:
    shown: list[str] = []
    server: list[Server] = []

    def note(request: Request) -> str:
        shown.extend(peer_of(each) for each in server[0].context.connections.values())
        return ""

    routes = Router()
    routes.get("/")(note)
    with running(routes, server.append, listeners=[listen_unix(path, MODE)]):
        get(socket.AF_UNIX, path, "/", bound)
    assert shown == ["unix"]


def test_the_connection_limit_is_that_of_all_sockets(path: str) -> None:
    """The third client waits: no connection is idle."""
    with (
        ExitStack() as stack,
        Server(peers(), listeners=open_both(path), settings=Settings(max_connections=2)) as server,
    ):
        for each in server.listeners:
            client = stack.enter_context(socket.socket(each.family))
            client.connect(each.getsockname())
            client.sendall(b"GET /peer")
        for _ in range(6):
            server.reactor.turn(may_sleep=False)
        assert len(server.context.connections) == 2


def test_each_socket_after_the_first_needs_a_descriptor(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []

    def limit(wanted: int, reserved: int, threads: int, listeners: int) -> int:
        counts.append(listeners)
        return 4

    monkeypatch.setattr(module, "connection_limit", limit)
    with Server(peers(), listeners=open_both(path)), Server(peers(), port=0):
        assert counts == [3, 1]


# Address and URL.


@pytest.mark.parametrize(
    ("hosts", "local", "checked"),
    [
        (["127.0.0.1", "127.0.0.2"], True, True),
        (["127.0.0.1", "unix"], True, True),
        (["unix", "127.0.0.1", "0.0.0.0"], False, False),
        (["0.0.0.0"], False, False),
        (["unix"], True, False),
    ],
)
def test_hosts_are_checked_if_all_addresses_are_loopback(
    path: str, hosts: Sequence[str], local: bool, checked: bool
) -> None:
    listeners = [listen_unix(path, MODE) if each == "unix" else listen(each, 0) for each in hosts]
    hosts_allowed = AllowedHosts(only_on_loopback=True)
    with running(
        peers(), lambda server: seen.append(server), listeners=listeners, allowed_hosts=hosts_allowed
    ):
        (server,) = seen
        assert server.local is local
        for each in listeners:
            address = each.unix_path or ("127.0.0.1", each.getsockname()[1])
            if each.tcp_address is not None and each.tcp_address[0] == "127.0.0.2":
                address = each.tcp_address
            body = get(each.family, address)
            assert body.startswith(b"host not allowed" if checked else b"unix" if each.unix_path else b"127.")
    seen.clear()


seen: list[Server] = []


def test_the_address_is_that_of_the_first_tcp_socket(path: str) -> None:
    listeners = open_both(path)
    address = listeners[1].getsockname()
    routes = peers()
    with Server(routes, listeners=listeners) as server:
        assert (server.address, routes.address) == (address, address)
        assert server.url == f"http://127.0.0.1:{address[1]}"
        assert server.listeners == tuple(listeners)


def test_a_server_with_a_unix_socket_only_has_no_http_url(path: str) -> None:
    routes = peers()
    with Server(routes, listeners=[listen_unix(path, MODE)]) as server:
        assert (server.url, server.address, routes.address) == (
            "unix:s",
            ("localhost", 80),
            ("localhost", 80),
        )


# Closing.


def fail(*arguments: object) -> None:
    raise StartError("planted")


@pytest.mark.parametrize(
    ("named", "patched"),
    [
        ({"threads": 0}, None),
        ({"default_headers": (("a", "\n"),)}, None),
        ({"allowed_hosts": ["a b"]}, None),
        ({"settings": Settings(max_connections=10**9)}, None),
        ({}, "connection_limit"),
        ({}, "Wakeup"),
        ({}, "Reactor"),
        ({}, "tcp_addresses"),
        ({}, "SignalHandle"),
        ({}, "WorkerPool"),
        ({}, "Acceptor"),
        ({}, "Watchdog"),
    ],
)
def test_the_sockets_are_closed_if_the_server_cannot_start(
    path: str, named: dict[str, Any], patched: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    listeners = open_both(path)
    if patched is not None:
        monkeypatch.setattr(module, patched, fail)
    with pytest.raises((ValueError, StartError)):
        Server(peers(), listeners=listeners, **named)
    assert [each.fileno() for each in listeners] == [-1] * 3
    assert not os.path.exists(path)


def test_a_stopping_server_leaves_a_passed_socket_open() -> None:
    with listen("127.0.0.1", 0) as kept:
        passed = adopt(os.dup(kept.fileno()))
        with running(peers(), listeners=[passed]):
            assert get(socket.AF_INET, kept.getsockname()) == b"127.0.0.1"
        assert passed.fileno() == -1
        with socket.create_connection(kept.getsockname()) as client:
            accepted, address = kept.accept()
            accepted.close()
            assert address == client.getsockname()


def test_the_status_counts_connections(path: str) -> None:
    with (
        Server(peers(), listeners=[listen_unix(path, MODE)]) as server,
        socket.socket(socket.AF_UNIX) as client,
    ):
        assert server.run_loop is server.reactor
        assert server.status() == "serving; open connections: 0"
        client.connect(path)
        server.reactor.turn(may_sleep=False)
        assert server.status() == "serving; open connections: 1"
        server.on_signal(signal.SIGTERM)
        assert server.status() == "stopping; open connections: 1"


def test_on_stopping_is_called_once_when_a_shutdown_begins() -> None:
    calls: list[str] = []

    def report() -> None:
        calls.append("stopping")

    with Server(
        peers(), port=0, on_stopping=report, on_stop=lambda server: calls.append("stopped")
    ) as server:
        server.stop()
        server.stop()
        server.run()
    assert calls == ["stopping", "stopped"]
