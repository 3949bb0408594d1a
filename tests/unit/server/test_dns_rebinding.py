"""DNS rebinding: responses of the command to a web page whose own name resolves to this machine."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import CommandServer, run_main
from tests.support.in_process import Answer
from tests.support.process import ClientConnection
from tests.unit.cli.test_start_errors import USAGE, assert_one_line
from tests.unit.inspector.microscope import inspector_port

EVIL = "evil.example"
FORM = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="new"\r\n\r\nevil\r\n--b--\r\n',
    "Content-Type: multipart/form-data; boundary=b",
)


def ask(
    client: ClientConnection,
    method: str = "GET",
    target: str = "/",
    *lines: str,
    host: str | None = EVIL,
    content: bytes = b"",
    version: str = "HTTP/1.1",
) -> Answer:
    """Send a request as a browser does for the page of a host, and wait for the response."""
    fields = [f"Host: {host}"] if host is not None else []
    if content:
        fields.append(f"Content-Length: {len(content)}")
    head = "\r\n".join([f"{method} {target} {version}", *fields, *lines, "", ""])
    client.send(head.encode("latin-1") + content)
    return client.answer(method)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_bytes(b"content")
    return tmp_path


@pytest.fixture
def server(shared: Path) -> Iterator[CommandServer]:
    with CommandServer("--directory", str(shared), "--allow-delete", "--resumable") as one:
        yield one


def names(directory: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in directory.iterdir()}


# Every route refuses another host, and keeps its files as they are.


@pytest.mark.parametrize(
    ("method", "target", "lines", "content"),
    [
        ("GET", "/", (), b""),
        ("HEAD", "/", (), b""),
        ("GET", "/echo/x", (), b""),
        ("GET", "/user-agent", (), b""),
        ("GET", "/files/", ("Accept: text/html",), b""),
        ("GET", "/files/", ("Accept: application/json",), b""),
        ("GET", "/files/secret", (), b""),
        ("HEAD", "/files/secret", (), b""),
        ("GET", "/files/secret", ("Range: bytes=0-1",), b""),
        ("GET", "/files/secret", ("If-None-Match: *",), b""),
        ("POST", "/files/", (FORM[1],), FORM[0]),
        ("POST", "/files/secret", (), b"evil"),
        ("PUT", "/files/secret", (), b"evil"),
        ("PUT", "/files/new", ("Upload-Complete: ?0", "Upload-Draft-Interop-Version: 8"), b"evil"),
        ("PATCH", "/uploads/token", ("Upload-Offset: 0",), b"evil"),
        ("HEAD", "/uploads/token", (), b""),
        ("DELETE", "/files/secret", (), b""),
        ("OPTIONS", "/files/secret", ("Access-Control-Request-Method: PUT",), b""),
        ("OPTIONS", "*", (), b""),
        ("GET", "/none", (), b""),
        ("DELETE", "/", (), b""),
        ("BREW", "/", (), b""),
        ("TRACE", "/", (), b""),
    ],
)
def test_every_route_refuses_other_hosts(
    server: CommandServer, shared: Path, method: str, target: str, lines: tuple[str, ...], content: bytes
) -> None:
    origin = (f"Origin: http://{EVIL}:{server.port}", "Sec-Fetch-Site: same-origin")
    client = server.connect()
    answer = ask(client, method, target, *origin, *lines, host=f"{EVIL}:{server.port}", content=content)
    assert answer.status == 403
    if method != "HEAD":
        assert f"--allowed-host {EVIL} ".encode() in answer.content.replace(b")", b" ")
    assert "allow" not in answer.headers
    assert names(shared) == {"secret": b"content"}


@pytest.mark.parametrize("framing", ["Content-Length: 900000000", "Transfer-Encoding: chunked"])
def test_no_100_continue_for_other_hosts(server: CommandServer, shared: Path, framing: str) -> None:
    client = server.connect()
    answer = ask(client, "PUT", "/files/secret", framing, "Expect: 100-continue")
    assert answer.status == 403  # and no 100 before it
    assert names(shared) == {"secret": b"content"}


@pytest.mark.parametrize("path", ["/", "/events", "/metrics", "/readyz", "/healthz", "/connections", "/none"])
def test_the_inspector_refuses_other_hosts(path: str) -> None:
    options = ("--inspect", "127.0.0.1:0", "--no-access-log")
    with CommandServer(*options) as server, ClientConnection(inspector_port(server)) as client:
        answer = ask(client, "GET", path)
        assert (answer.status, b"--allowed-host" in answer.content) == (403, True)
        assert ask(server.connect(), "GET", "/").status == 403


# Which hosts those are.

ALLOWED = [
    *("localhost", "localhost:4221", "localhost:", "LocalHost", "localhost.", "localhost.:80"),
    *("files.localhost", "a.b.LOCALHOST:1", "127.0.0.1", "127.0.0.1:4221", "192.168.1.7", "[::1]"),
    *("[::1]:4221", "[2001:db8::1]:80", "[::ffff:127.0.0.1]"),
]
REFUSED = [
    *(EVIL, "", ":80", ".", "localhost..", ".localhost", "a..localhost", "localhost.evil.example"),
    *("evil-localhost", "evillocalhost", "localhost-evil.example", "127.0.0.1.evil.example"),
    *("127.0.0.1.evil.example:4221", "127.1", "127.0.0.01", "0x7f.1", "0x7f000001", "2130706433", "0"),
    *("%6cocalhost", "localhost%00.evil.example", "localhost;evil.example", "[v1.localhost]"),
    *("x" * 8000, "a." * 4000 + "localhost"),
]


def host_id(host: object) -> str:
    return ascii(host)[:40]


@pytest.mark.parametrize("host", ALLOWED, ids=host_id)
@pytest.mark.parametrize("form", ["origin", "absolute"])
def test_allowed_hosts_are_accepted(server: CommandServer, host: str, form: str) -> None:
    if form == "origin":
        assert ask(server.connect(), "GET", "/echo/hi", host=host).content == b"hi"
        assert ask(server.connect(), "OPTIONS", "*", f"Host: {host} \t", host=None).status == 204
    else:
        assert ask(server.connect(), "GET", f"http://{host}/echo/hi").content == b"hi"


@pytest.mark.parametrize("host", REFUSED, ids=host_id)
def test_other_hosts_are_refused(server: CommandServer, host: str) -> None:
    answer = ask(server.connect(), "GET", "/echo/hi", host=host)
    assert answer.status == 403
    assert len(answer.content) < 700


@pytest.mark.parametrize("host", REFUSED, ids=host_id)
def test_the_authority_of_the_target_overrides_host(server: CommandServer, host: str) -> None:
    expected = 400 if host in ("", ":80") else 403  # 400: a target without a host
    target = f"http://{host}/echo/hi"[:8000]
    assert ask(server.connect(), "GET", target, host="localhost").status == expected


# Every malformed or repeated Host is 400 in conformance/corpus, whose server allows every host.
@pytest.mark.parametrize("line", ["Host: localhost@evil.example", "Host: localhost\r\nHost: localhost"])
def test_a_malformed_or_repeated_host_is_400(server: CommandServer, line: str) -> None:
    assert ask(server.connect(), "GET", "/", line, host=None).status == 400


def test_http_1_0_without_host_is_allowed() -> None:
    with CommandServer() as server:
        for host, status in ((None, 200), ("localhost", 200), (EVIL, 403), ("", 403)):
            assert ask(server.connect(), "GET", "/", host=host, version="HTTP/1.0").status == status


# On one connection, and with heads that are cached.


def test_each_request_of_a_connection_is_checked(server: CommandServer) -> None:
    hosts = ["localhost", EVIL, "localhost", "127.0.0.1", EVIL, EVIL, "localhost"]
    client = server.connect()
    for _ in range(5):  # in the last rounds these heads are in the cache
        heads = [f"GET /echo/hi HTTP/1.1\r\nHost: {host}\r\n\r\n" for host in hosts]
        client.send("".join(heads).encode())
        assert [client.answer().status for _ in hosts] == [200, 403, 200, 200, 403, 403, 200]


def test_more_hosts_than_cache_entries_are_checked_correctly(server: CommandServer) -> None:
    client = server.connect()
    for round_ in range(3):
        for number in range(200):
            assert ask(client, host=f"{number}.{EVIL}").status == 403
            assert ask(client, host=f"10.0.{round_}.{number}").status == 200


# The options.


def test_only_configured_hosts_are_accepted() -> None:
    options = ("--allowed-host", "Files.Example.", "--allowed-host", "x_1.test")
    with CommandServer(*options) as server:
        for host in ("files.example", "FILES.example.:80", "x_1.test:4221", "localhost", "[::1]"):
            assert ask(server.connect(), host=host).status == 200
        for host in ("a.files.example", "example", "files.example.evil", "x_1.test.", EVIL):
            assert ask(server.connect(), host=host).status == (200 if host == "x_1.test." else 403)


def test_the_environment_variable_has_one_host_per_line() -> None:
    with CommandServer(extra={"REACTOR_ALLOWED_HOST": "a.test\nb.test\n"}) as server:
        statuses = [ask(server.connect(), host=host).status for host in ("a.test", "b.test", "c.test")]
        assert statuses == [200, 200, 403]


def test_an_asterisk_allows_every_host() -> None:
    with CommandServer("--allowed-host", "*") as server:
        for host in (EVIL, "", "2130706433"):
            assert ask(server.connect(), host=host).status == 200


def test_the_host_name_listened_on_is_accepted() -> None:
    name = socket.gethostname()
    try:
        address = str(socket.getaddrinfo(name, None, socket.AF_INET)[0][4][0])
    except OSError:
        pytest.skip("the name of this machine does not resolve")
    with (
        CommandServer("--host", name, "--allowed-host", "other.test") as server,
        socket.create_connection((address, server.port), 20) as sock,
    ):
        sock.sendall(f"GET / HTTP/1.1\r\nHost: {name.upper()}\r\nConnection: close\r\n\r\n".encode())
        assert sock.recv(15) == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize("host", ["0.0.0.0", "::ffff:0.0.0.0"])
@pytest.mark.parametrize(("options", "status"), [((), 200), (("--allowed-host", "a.test"), 403)])
def test_on_other_addresses_only_configured_hosts_are_checked(
    host: str, options: tuple[str, ...], status: int
) -> None:
    with CommandServer("--host", host, *options) as server:
        assert ask(server.connect(), host=EVIL).status == status
        assert ask(server.connect(), host="a.test").status == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::ffff:127.0.0.1"])
def test_every_loopback_address_is_checked(host: str) -> None:
    with CommandServer("--host", host) as server:
        family = socket.AF_INET6 if server.url.startswith("http://[::1]") else socket.AF_INET
        assert "this machine only" in server.start_line
        with socket.socket(family) as sock:
            sock.settimeout(20)
            sock.connect(("::1" if family is socket.AF_INET6 else "127.0.0.1", server.port))
            sock.sendall(f"GET / HTTP/1.1\r\nHost: {EVIL}\r\n\r\n".encode())
            assert sock.recv(12) == b"HTTP/1.1 403"


@pytest.mark.parametrize("text", ["", "*.a.test"])
def test_an_invalid_host_name_is_a_start_error(text: str) -> None:
    done = run_main("--port", "0", f"--allowed-host={text}")
    assert_one_line(USAGE, done.returncode, done.stderr, done.stdout, f"invalid host name: {text!r}")


# With other options.


def test_other_hosts_get_no_password_challenge() -> None:
    with CommandServer("--auth", "anna:horse") as server:
        answer = ask(server.connect())
        assert (answer.status, "www-authenticate" in answer.headers) == (403, False)
        assert ask(server.connect(), host="localhost").status == 401


def test_a_cross_origin_preflight_is_answered_for_an_allowed_host() -> None:
    lines = ("Origin: https://a.test", "Access-Control-Request-Method: POST")
    with CommandServer("--cors", "https://a.test") as server:
        answer = ask(server.connect(), "OPTIONS", "/echo/x", *lines, host="localhost")
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (204, "https://a.test")
        assert ask(server.connect(), "OPTIONS", "/echo/x", *lines).status == 403


def test_a_refusal_is_logged_with_the_option() -> None:
    with CommandServer(extra={"REACTOR_LINGER_TIMEOUT": "0.1"}) as server:
        ask(server.connect())
        server.terminate()
        assert server.exit_code() == 0
        [line] = [line for line in server.stderr.rest() if "403" in line]
        assert line == (
            f"reactor: c1: 403 host not allowed: '{EVIL}' "
            f"(to allow it, start the server with --allowed-host {EVIL})"
        )
        assert '" 403 ' in (server.stdout.next() or "")
