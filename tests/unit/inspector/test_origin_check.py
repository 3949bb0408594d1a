"""Access control of the inspector: Host, Origin and Sec-Fetch-Site."""

import pytest

from reactor.http11.message import Response
from reactor.inspector.origin_check import LocalRouter
from tests.support.in_process import Harness


def status(host: str, *lines: str, named: str = "127.0.0.1", method: str = "GET") -> int:
    routes = LocalRouter(named)
    routes.get("/")(lambda request: Response.text("in"))
    routes.post("/")(lambda request: Response.text("in"))
    with Harness(routes) as server:
        client = server.connect()
        fields = "".join(f"{line}\r\n" for line in (f"Host: {host}", "Content-Length: 0", *lines))
        client.send(f"{method} / HTTP/1.1\r\n{fields}\r\n".encode())
        return client.responses()[0].status


@pytest.mark.parametrize(
    "host", ["127.0.0.1:4222", "127.0.0.1", "localhost", "LOCALHOST:4222", "[::1]:4222", "192.168.1.7:4222"]
)
def test_localhost_and_ip_addresses_are_allowed(host: str) -> None:
    assert status(host) == 200


@pytest.mark.parametrize(
    "host", ["rebound.example", "rebound.example:4222", "localhost.example", "127.0.0.1.example", ""]
)
def test_other_host_names_are_refused(host: str) -> None:
    assert status(host) == 403


def test_the_configured_host_name_is_allowed() -> None:
    assert status("teacher.example:4222", named="teacher.example") == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Origin: http://127.0.0.1:4222", 200),
        ("Origin: http://127.0.0.1:4221", 403),
        ("Origin: https://127.0.0.1:4222", 200),  # behind a proxy with TLS
        ("Origin: http://evil.example", 403),
        ("Origin: null", 403),
        ("Sec-Fetch-Site: same-origin", 200),
        ("Sec-Fetch-Site: same-origin\r\nOrigin: null", 403),
        ("Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: same-origin", 403),
        ("Sec-Fetch-Site: none", 200),
        ("Sec-Fetch-Site: same-site", 403),
        ("Sec-Fetch-Site: cross-site", 403),
    ],
)
def test_cross_origin_requests_are_refused(method: str, line: str, expected: int) -> None:
    assert status("127.0.0.1:4222", line, method=method) == expected


def test_refused_requests_do_not_reveal_routes() -> None:
    routes = LocalRouter("127.0.0.1")
    with Harness(routes) as server:
        client = server.connect()
        client.send(b"BREW /nothing HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        client.assert_responds(403)


NAVIGATION = ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")


def test_navigation_to_the_page_from_another_site_is_allowed() -> None:
    assert status("127.0.0.1:4222", *NAVIGATION) == 200


@pytest.mark.parametrize(
    ("method", "lines"),
    [
        ("POST", NAVIGATION),
        ("GET", (*NAVIGATION, "Origin: http://evil.example")),
        ("GET", ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: script")),
        ("GET", ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe")),
    ],
)
def test_other_requests_of_another_site_are_refused(method: str, lines: tuple[str, ...]) -> None:
    assert status("127.0.0.1:4222", *lines, method=method) == 403


def test_navigation_to_other_paths_from_another_site_is_refused() -> None:
    routes = LocalRouter("127.0.0.1")
    routes.get("/events")(lambda request: Response.text("in"))
    with Harness(routes) as server:
        client = server.connect()
        fields = "".join(f"{line}\r\n" for line in ("Host: localhost", *NAVIGATION))
        client.send(f"GET /events HTTP/1.1\r\n{fields}\r\n".encode())
        client.assert_responds(403)


def test_allowed_hosts_of_the_server_are_allowed_by_the_inspector() -> None:
    routes = LocalRouter("0.0.0.0", ["metrics.example"])
    routes.get("/metrics")(lambda request: Response.text("in"))
    with Harness(routes) as server:
        for host, expected in (("metrics.example:4222", 200), ("evil.example", 403), ("localhost", 200)):
            client = server.connect()
            client.send(f"GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            client.assert_responds(expected)
