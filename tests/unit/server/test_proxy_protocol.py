"""Connections that begin with a PROXY header: their client, and what happens without one."""

import io
import json
import logging
import socket

import pytest

from reactor.http11.proxy_header import V2
from reactor.inspector.snapshot import Snapshot
from reactor.observe.events import peer_of
from reactor.observe.instrumented import InstrumentedReactor
from reactor.observe.metrics import Metrics
from reactor.server.connection import STOP_GRACE
from reactor.server.context import ServerState
from reactor.server.state import State
from tests.support.in_process import Client, Harness
from tests.support.requests import request
from tests.unit.server.test_behind_a_proxy import CLIENT, OTHER, PROXY, SEEN_BY_OTHERS, routes_that_show

V1 = f"PROXY TCP4 {CLIENT} {OTHER} 4711 80\r\n".encode()
V2_TCP4 = V2 + b"\x21\x11\x00\x0c" + bytes([203, 0, 113, 7, 192, 0, 2, 1, 0, 1, 0, 80])
V2_UNIX = V2 + b"\x21\x31\x00\xd8" + bytes(216)
LOCAL = V2 + b"\x20\x00\x00\x00"
FORWARDED = "X-Forwarded-For: 198.51.100.66"


def proxied(trusted: tuple[str, ...] = (PROXY,), **options: object) -> Harness:
    return Harness(routes_that_show(), trusted_proxies=trusted, proxy_protocol=True, **options)  # type: ignore[arg-type]


def peer_seen(client: Client) -> str:
    peer: str = json.loads(client.assert_responds().content)["peer"]
    return peer


@pytest.mark.parametrize("header", [V1, V2_TCP4], ids=["v1", "v2"])
@pytest.mark.parametrize("step", [1, 10, 1000])
def test_the_header_names_the_client_of_all_requests(header: bytes, step: int) -> None:
    log = io.StringIO()
    with proxied(access_log=log) as server:
        client = server.connect(PROXY)
        data = header + request("/show", FORWARDED)
        for start in range(0, len(data), step):
            client.send(data[start : start + step])
        assert peer_seen(client) == CLIENT
        client.send(request("/show"))
        assert peer_seen(client) == CLIENT
        assert client.connection.peer == CLIENT
        client.send(header)  # only once
        client.assert_responds(400)
    assert [line.split()[0] for line in log.getvalue().splitlines()] == [CLIENT] * 3


@pytest.mark.parametrize(
    ("header", "peer"),
    [(LOCAL, "198.51.100.66"), (b"PROXY UNKNOWN\r\n", PROXY), (V2 + b"\x21\x00\x00\x00", PROXY)],
    ids=["LOCAL", "v1 UNKNOWN", "v2 without a family"],
)
def test_without_an_address_only_the_proxy_itself_is_trusted(header: bytes, peer: str) -> None:
    with proxied() as server:
        client = server.connect(PROXY)
        client.send(header + request("/show"))
        assert peer_seen(client) == PROXY
        client.send(request("/show", FORWARDED))
        assert peer_seen(client) == peer


def test_fields_are_judged_by_the_address_in_the_header() -> None:
    with proxied((PROXY, "203.0.113.0/24", "unix")) as server:
        client = server.connect(PROXY)
        client.send(V1 + request("/show", FORWARDED))
        assert peer_seen(client) == "198.51.100.66"
        of_unix = server.connect(PROXY)
        of_unix.send(V2_UNIX + request("/show", FORWARDED))  # of the proxy's socket, not of ours
        assert peer_seen(of_unix) == "unix"


@pytest.mark.parametrize("header", [V1, V2_TCP4], ids=["v1", "v2"])
def test_a_header_of_another_peer_is_a_malformed_request(header: bytes) -> None:
    log = io.StringIO()
    with proxied(access_log=log) as server:
        client = server.connect(OTHER)
        client.send(header + request("/show"))
        client.assert_responds(400)
        plain = server.connect(OTHER)
        plain.send(request("/show", FORWARDED))
        assert json.loads(plain.assert_responds().content) == SEEN_BY_OTHERS
    assert [line.split()[0] for line in log.getvalue().splitlines()] == [OTHER] * 2


def test_without_the_option_a_header_of_the_proxy_is_a_malformed_request() -> None:
    with Harness(routes_that_show(), trusted_proxies=[PROXY]) as server:
        client = server.connect(PROXY)
        client.send(V1 + request("/show"))
        client.assert_responds(400)


@pytest.mark.parametrize(
    "data", [request("/show"), b"PROXY TCP4 x\r\n", V2[:-1] + b"\r", b"\x16\x03\x01", b"\r\nGET"]
)
def test_a_malformed_header_closes_the_connection_with_one_line(
    data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    log = io.StringIO()
    with proxied(access_log=log) as server:
        client = server.connect(PROXY)
        client.send(data)
        client.assert_closed()
        assert server.context.connections == {}
    [record] = caplog.records
    assert record.levelno == logging.INFO
    assert record.getMessage().startswith(f"c1: closed connection of the proxy {PROXY}: ")
    assert log.getvalue() == ""


def test_a_connection_without_a_complete_header_is_closed_silently(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log = io.StringIO()
    with proxied(access_log=log, proxy_header_timeout=3.0) as server:
        silent, partial, gone = (server.connect(PROXY) for _ in range(3))
        partial.send(V1[:10])
        gone.close()
        server.clock.advance(2.9)
        silent.assert_open()
        partial.send(V1[10:12])  # does not renew the deadline
        server.clock.advance(0.2)
        silent.assert_closed()
        partial.assert_closed()
        checked = server.connect(PROXY)
        checked.send(LOCAL)
        checked.close()
        assert server.context.connections == {}
    assert caplog.messages == []
    assert log.getvalue() == ""


def test_the_timeout_of_a_new_connection_begins_after_the_header() -> None:
    with proxied(proxy_header_timeout=3.0, first_octet_timeout=20.0) as server:
        client = server.connect(PROXY)
        server.clock.advance(2.0)
        client.send(V1)
        assert client.connection.state is State.ACCEPTED
        server.clock.advance(19.9)
        client.assert_open()
        server.clock.advance(0.2)
        client.assert_closed()


def test_a_stopping_server_waits_for_the_header_and_a_request_for_a_moment() -> None:
    with proxied() as server:
        clients = [server.connect(PROXY) for _ in range(3)]
        for client in clients:
            server.context.state = ServerState.STOPPING
            client.connection.stop()
        server.clock.advance(STOP_GRACE / 2)
        clients[0].send(V1 + request("/show"))
        assert peer_seen(clients[0]) == CLIENT
        clients[1].send(V1)
        clients[1].assert_open()
        server.clock.advance(STOP_GRACE)
        for client in clients:
            client.assert_closed()


def test_connections_without_a_header_are_closed_at_the_connection_limit() -> None:
    with proxied() as server:
        connection = server.connect(PROXY).connection
        assert connection.state is State.RECEIVING_PROXY_HEADER
        assert connection.is_between_requests


def test_a_connection_without_its_header_has_no_active_request() -> None:
    with proxied() as server:
        client = server.connect(PROXY)
        client.send(V1[:10])
        assert client.connection.state is State.RECEIVING_PROXY_HEADER
        families = Metrics().families(server.context)
    (active,) = [each for each in families if each.name == "http_server_active_requests"]
    assert active.series == [((), 0)]


def test_the_client_is_shown_without_the_port_of_the_proxy() -> None:
    with proxied(subscribers=[lambda events: None]) as server:
        assert isinstance(server.reactor, InstrumentedReactor)
        snapshot = Snapshot(server.reactor, (), 1.0)
        server.reactor.subscribe(snapshot)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            theirs = socket.create_connection(listener.getsockname())
            client = server.attach(listener.accept()[0], theirs, PROXY)
        server.run()
        assert snapshot.records[1].history[0][2] == State.RECEIVING_PROXY_HEADER.index
        assert snapshot.records[1].peer == PROXY
        client.send(V1 + request("/show"))
        server.run()
        assert peer_of(client.connection) == snapshot.records[1].peer == CLIENT
