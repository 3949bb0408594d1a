"""Allowed hosts: names and addresses, the server of a library user, and the cache of request heads."""

import argparse
import threading

import pytest

from reactor import HTTPError, Request, Response, Router, Server, serve
from reactor.allowed_hosts import AllowedHosts, read_name
from reactor.cli.access_options import allowed_hosts
from tests.support.in_process import Client, Harness
from tests.support.process import TIMEOUT, ClientConnection


def status(client: Client, host: str, method: str = "GET", *lines: str) -> int:
    fields = "".join(f"{line}\r\n" for line in (f"Host: {host}", *lines))
    client.send(f"{method} / HTTP/1.1\r\n{fields}\r\n".encode())
    return client.responses(method)[0].status


# The check itself; what a running server answers is tested in test_rebinding.


def test_an_empty_host_is_refused_and_a_missing_one_allowed() -> None:
    hosts = AllowedHosts()
    assert hosts.allows(None)
    assert not hosts.allows("")
    assert not hosts.allows(":80")


@pytest.mark.parametrize(
    "host", ["::1", "[127.0.0.1]", "[::1]evil", "evil[::1]", "localhost]", "[]", "localhost:80:80"]
)
def test_invalid_hosts_are_not_allowed(host: str) -> None:
    assert not AllowedHosts().allows(host)


def test_case_port_and_trailing_dot_are_ignored() -> None:
    hosts = AllowedHosts(["Files.Example."])
    assert all(map(hosts.allows, ["files.example", "FILES.EXAMPLE.", "files.example:1", "Files.Example.:1"]))
    assert not any(
        map(hosts.allows, ["files.example..", "x.files.example", "files-example", "files.example.x"])
    )


def test_a_string_is_one_name() -> None:
    hosts = AllowedHosts("files.example")
    assert hosts.allows("files.example")
    assert not hosts.allows("f")


INVALID_NAMES = [
    *(
        "",
        ".",
        "a b",
        "a\tb",
        "a:1",
        "http://a.test",
        "a.test/",
        "*.a",
        "**",
        ".a",
        "a..test",
        "-a.test",
        "a-.test",
    ),
    *("a,b", "me@a.test", "[::1]:80", "b\xfccher.example", "\u212a.test", "a" * 254, "a" * 64 + ".test"),
]


@pytest.mark.parametrize("text", INVALID_NAMES, ids=lambda text: ascii(text)[:20])
def test_an_invalid_name_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="invalid host name: "):
        read_name(text)
    with pytest.raises(ValueError, match="invalid host name: "):
        Server(Router(), port=0, allowed_hosts=[text])


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("B.test.:80", "host not allowed: 'b.test' (use --allowed-host b.test)"),
        ("127.1", "host not allowed: '127.1' (use --allowed-host 127.1)"),
        ("", "host not allowed: ''"),
        ("a%20b", "host not allowed: 'a%20b'"),
        ("[v1.x]", "host not allowed: '[v1.x]'"),
        ("'", 'host not allowed: "\'"'),
        ("x" * 8000, f"host not allowed: '{'x' * 64}...'"),
    ],
    ids=lambda text: text[:20],
)
def test_the_error_message_is_short_and_has_a_remedy(host: str, message: str) -> None:
    with Harness(allowed_hosts=AllowedHosts(advice="use --allowed-host {name}")) as server:
        client = server.connect()
        client.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        [answer] = client.responses()
    assert (answer.status, answer.content.decode()) == (403, f"{message}\n")
    assert answer.headers["content-type"] == "text/plain"
    if "--allowed-host" in message:
        assert AllowedHosts([message.removesuffix(")").split()[-1]]).allows(host)


@pytest.mark.parametrize(
    ("addresses", "checked"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.7", False),
        ("::ffff:192.168.1.7", False),
        ("fe80::1%eth0", False),
        ("127.0.0.1 ::1", True),
        ("127.0.0.1 192.168.1.7", False),
        ("", False),  # Unix sockets only
    ],
)
def test_only_on_loopback_checks_loopback_addresses(addresses: str, checked: bool) -> None:
    on_loopback = AllowedHosts(only_on_loopback=True)
    assert on_loopback.at(addresses.split()) is (on_loopback if checked else None)
    always = AllowedHosts(["a.test"])
    assert always.at(addresses.split()) is always
    assert AllowedHosts(["*", "a.test"]).at(addresses.split()) is None


# The cache of request heads.


def test_cached_heads_are_checked() -> None:
    with Harness(allowed_hosts=AllowedHosts(["a.test"])) as server:
        client = server.connect()
        for _ in range(5):
            for host, expected in (("a.test", 200), ("b.test", 403), ("localhost", 200)):
                assert status(client, host) == expected
                # Here the rest of the head is cached, but not the target.
                assert status(client, host, "HEAD") == expected
                # Here one more line follows the cached part.
                assert status(client, host, "GET", "X-A: 1") == expected
        assert server.context.head_reader.heads
        for data, read in server.context.head_reader.heads.items():
            assert (b"b.test" in data) == (read[2].host == "b.test")


def test_hosts_are_checked_after_routes_are_added() -> None:
    routes = Router()
    with Harness(routes, allowed_hosts=AllowedHosts()) as server:
        client = server.connect()
        for host, expected in (("b.test", 403), ("localhost", 404)):
            # More than it takes until the head and its route are cached. In turn, two heads whose hashes
            # collide would never be.
            assert [status(client, host) for _ in range(4)] == [expected] * 4
        assert server.context.head_reader.heads
        routes.get("/")(lambda _: Response(200))
        assert [status(client, host) for host in ("b.test", "localhost")] == [403, 200]


# The library and the command line.


@pytest.mark.parametrize(
    ("hosts", "expected"), [(None, 200), ((), 403), (["b.test"], 200), (["a.test"], 403), (["*"], 200)]
)
def test_the_library_checks_configured_hosts(hosts: list[str] | None, expected: int) -> None:
    routes = Router()
    routes.get("/")(lambda _: Response(200))
    with Server(routes, port=0, allowed_hosts=hosts) as server:
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            with ClientConnection(server.address[1]) as connection:
                connection.send(b"GET / HTTP/1.1\r\nHost: b.test\r\n\r\n")
                assert connection.answer().status == expected
        finally:
            server.stop()
            thread.join(TIMEOUT)


def test_serve_accepts_allowed_hosts() -> None:
    routes = Router()
    refused: list[str] = []

    def look(server: Server) -> None:
        request = Request(*server.context.head_reader.read(b"GET / HTTP/1.1\r\nHost: b.test\r\n\r\n"))
        try:
            server.context.resolve(request).handler(request)
        except HTTPError as error:
            refused.append(error.reason)
        server.stop()

    serve(routes, port=0, access_log=None, on_ready=look, allowed_hosts=["a.test"])
    assert refused == ["host not allowed: 'b.test'"]


@pytest.mark.parametrize(
    ("host", "given", "allowed", "refused"),
    [
        ("127.0.0.1", (), "localhost", "b.test"),
        ("myname", (), "MyName:80", "b.test"),
        ("MyName.lan.", ("a.test",), "myname.lan", "b.test"),
        ("::1", ("a.test",), "a.test", "b.test"),
        ("no name", (), "localhost", "no"),
        ("127.0.0.1", ("*",), "b.test", None),
    ],
)
def test_the_command_allows_its_own_and_configured_hosts(
    host: str, given: tuple[str, ...], allowed: str, refused: str | None
) -> None:
    for options in ({"host": host, "listen": ()}, {"host": "x", "listen": (("::1", 80), (host, 0))}):
        hosts = allowed_hosts(argparse.Namespace(**options, allowed_host=given))
        assert hosts.allows(allowed)
        assert refused is None or not hosts.allows(refused)
