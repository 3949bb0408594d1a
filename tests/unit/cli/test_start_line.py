"""The start line, which the command prints and the library does not."""

import socket

import pytest

from reactor.cli.start_line import start_line
from reactor.routing import Router
from reactor.server.server import Server, serve

HERE = "this machine only"


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("host", "directory", "notes", "shared", "details"),
    [
        ("127.0.0.1", "", (), "", HERE),
        ("127.0.0.1", "", ("", "gzip by isal", ""), "", f"{HERE}; gzip by isal"),
        ("127.0.0.1", "/srv/a b", ("a", "b"), "/srv/a b ", f"{HERE}; a; b"),
        ("0.0.0.0", "/srv", (), "/srv ", "reachable from the network"),
    ],
)
def test_it_names_what_is_served_where_and_for_whom(
    host: str, directory: str, notes: tuple[str, ...], shared: str, details: str
) -> None:
    with Server(Router(), host, 0) as server:
        url = f"http://{host}:{server.address[1]}"
        assert start_line(server, directory, notes) == f"reactor: serving {shared}on {url} ({details})"


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 loopback")
def test_an_ipv6_address_is_in_brackets() -> None:
    with Server(Router(), "::1", 0) as server:
        assert f"on http://[::1]:{server.address[1]} ({HERE})" in start_line(server, "", ())


def test_the_library_prints_nothing_and_passes_the_server(capfd: pytest.CaptureFixture[str]) -> None:
    urls: list[str] = []

    def stop(server: Server) -> None:
        urls.append(server.url)
        server.stop()

    serve(Router(), port=0, access_log=None, on_ready=stop)
    assert urls[0].startswith("http://127.0.0.1:")
    assert capfd.readouterr() == ("", "")
