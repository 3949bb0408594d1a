"""Access options of the command: headers, CORS, passwords, warnings, the start line, opening a browser."""

import os
import queue
import re
import webbrowser
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reactor import Router, Server
from tests.support.command import CommandServer, run_main
from tests.support.in_process import Answer, Harness
from tests.support.process import TIMEOUT, RunningServer, ServerProcess
from tests.unit.cli.test_start_errors import USAGE, assert_one_line

SECRET = "horse"
PAIR = f"anna:{SECRET}"
BASIC = f"Authorization: Basic {b64encode(PAIR.encode()).decode()}"


def refused(*arguments: str, **environment: str) -> str:
    """Assert that the options are rejected in one line that contains no password; return the line."""
    done = run_main("--port", "0", *arguments, **environment)
    assert_one_line(USAGE, done.returncode, done.stderr, done.stdout, "")
    assert SECRET not in done.stderr
    return done.stderr


def joined(value: object) -> str:
    """Return the options as the id of a test case."""
    return " ".join(value) if isinstance(value, list) else ""


def messages(server: CommandServer) -> list[str]:
    """Stop the server; return its messages after the start lines, except for the last one."""
    server.terminate()
    others = ("Server.stop()", "reactor: also on ")
    return [line for line in server.stderr.rest() if not any(each in line for each in others)]


# Headers of every response.


def raw_answers(server: RunningServer) -> Iterator[tuple[str, Answer]]:
    """Yield a response of each kind, with a description."""
    requests = {
        "200": "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "200 from HTTP/1.0": "GET / HTTP/1.0\r\n\r\n",
        "200 compressed": "GET /echo/aaaa HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n",
        "200 of a file": "GET /files/f HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "201": "POST /files/g HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx",
        "204": "OPTIONS / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "400": "GET / HTTP/1.1\r\n\r\n",
        "400 of nonsense": "\x01\x02\r\n\r\n",
        "404": "GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "405": "PUT / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "413": f"POST /files/h HTTP/1.1\r\nHost: localhost\r\nContent-Length: {1 << 40}\r\n\r\n",
        "501": "BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "505": "GET / HTTP/2.0\r\nHost: localhost\r\n\r\n",
    }
    for what, request in requests.items():
        connection = server.connect()
        connection.send(request.encode("latin-1"))
        yield what, connection.answer()


def test_every_response_has_the_default_headers(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"f" * 100_000)
    options = ("--header", "X-A: 1", "--header=X-B: two words", "--directory", str(tmp_path))
    with CommandServer(*options) as server:
        for what, answer in raw_answers(server):
            assert answer.status == int(what[:3])
            assert (answer.headers["x-a"], answer.headers["x-b"]) == ("1", "two words"), what
            assert "date" in answer.headers, what


def test_default_headers_follow_the_date() -> None:
    fields = (("X-A", "1"), ("X-B", "2"))
    for date_header in (True, False):
        with Harness(default_headers=fields, date_header=date_header) as server:
            client = server.connect()
            client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            head = client.read().decode()
        date = "Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n" if date_header else ""
        assert head == f"HTTP/1.1 200 OK\r\n{date}X-A: 1\r\nX-B: 2\r\nContent-Length: 0\r\n\r\n"


def test_default_headers_stay_when_the_date_changes() -> None:
    with Harness(default_headers=(("X-A", "1"),)) as server:
        client = server.connect()
        dates = set()
        for _ in range(3):
            answer = client.get("/")
            assert answer.headers["x-a"] == "1"
            dates.add(answer.headers["date"])
            server.wall += 1
            server.clock.advance(1)
    assert len(dates) == 3


def test_the_library_checks_default_headers() -> None:
    with Server(Router(), port=0, default_headers=(("X-A", "1"),)):
        pass
    with pytest.raises(ValueError, match="Content-Type cannot be added to every response"):
        Server(Router(), port=0, default_headers=(("Content-Type", "text/html"),))


def test_a_variable_has_one_field_per_line_and_options_override() -> None:
    extra = {"REACTOR_HEADER": "X-A: 1\nX-B: 2\n"}
    with CommandServer(extra=extra) as server:
        headers = server.get("/").headers
        assert (headers["x-a"], headers["x-b"]) == ("1", "2")
    with CommandServer("--header", "X-C: 3", "--header", "X-D: 4", extra=extra) as server:
        headers = server.get("/").headers
        assert (headers["x-c"], headers["x-d"]) == ("3", "4")
        assert "x-a" not in headers


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("X-A", "invalid header"),
        ("X-A: 1\r\nX-B: 2", "invalid header"),
        ("X-A: 1\nX-B: 2", "invalid header"),
        ("X-A: \u20ac", "ISO 8859-1"),
        ("Date: x", "set by the server"),
        ("Content-Length: 0", "set by the server"),
        ("Content-Type: text/html", "single response"),
    ],
)
def test_an_invalid_default_header_is_a_start_error(text: str, reason: str) -> None:
    assert reason in refused("--header", text)


def test_an_invalid_default_header_names_its_variable() -> None:
    assert "REACTOR_HEADER: ETag cannot be" in refused(REACTOR_HEADER="X-A: 1\nETag: 2")
    assert "REACTOR_HEADER" in refused(REACTOR_HEADER="X-A: 1\r\nX-B: 2")


# CORS.


@pytest.mark.parametrize(
    ("options", "origin", "credentials"),
    [
        (["--cors"], "*", None),
        (["--cors", "https://A.test"], "https://a.test", None),
        (["--cors", "https://a.test", "--auth", PAIR], "https://a.test", "true"),
        (["--cors", "https://a.test", "--auth-upload", PAIR, "-d", "."], "https://a.test", "true"),
        (["--cors", "--auth", PAIR], "*", None),
        (["--cors", "null", "--auth", PAIR], "null", None),
    ],
    ids=joined,
)
def test_every_response_has_the_allowed_origin(
    options: list[str], origin: str, credentials: str | None
) -> None:
    with CommandServer(*options) as server:
        for answer in (
            server.get("/"),
            server.get("/none"),
            server.get("/", "Host: two"),
            server.get("/", BASIC),
        ):
            assert answer.headers["access-control-allow-origin"] == origin
            assert answer.headers.get("access-control-allow-credentials") == credentials
            assert "ETag" in answer.headers["access-control-expose-headers"].split(", ")
            assert "origin" not in answer.headers.get("vary", "").lower()


def test_a_preflight_needs_no_password(tmp_path: Path) -> None:
    options = ("--cors", "https://a.test", "--auth", PAIR, "--directory", str(tmp_path))
    with CommandServer(*options) as server, server.connect() as connection:
        connection.send_head(
            "OPTIONS", "/files/x", "Origin: https://a.test", "Access-Control-Request-Method: POST"
        )
        answer = connection.answer("OPTIONS")
        assert answer.status == 204
        assert answer.headers["access-control-allow-methods"] == answer.headers["allow"]
        assert "Authorization" in answer.headers["access-control-allow-headers"].split(", ")
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert connection.get("/files/x").status == 401


def test_without_cors_there_are_no_cors_fields() -> None:
    with CommandServer() as server, server.connect() as connection:
        connection.send_head("OPTIONS", "/", "Origin: https://a.test", "Access-Control-Request-Method: GET")
        for answer in (connection.answer("OPTIONS"), connection.get("/", "Origin: https://a.test")):
            assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("text", ["", "a.test", "https://a.test/", "https://a.test\r\nX-B: 2", "https://a,b"])
def test_an_invalid_origin_is_a_start_error(text: str) -> None:
    assert "invalid origin" in refused(f"--cors={text}")
    assert "REACTOR_CORS" in refused(REACTOR_CORS=text)


def test_a_default_header_set_by_cors_is_refused() -> None:
    line = refused("--cors", "--header", "access-control-allow-origin: https://a.test")
    assert "'access-control-allow-origin' (--cors sends it already)" in line


# Passwords.


@pytest.mark.parametrize(
    ("source", "end"),
    [
        ("command line", ""),
        ("variable", ""),
        ("file of a variable", "\n"),
        ("file", ""),
        ("file", "\r\n"),
        ("file", "\nsecond:line\n"),
    ],
)
def test_a_password_may_come_from_a_file_or_variable(tmp_path: Path, source: str, end: str) -> None:
    file = tmp_path / "password"
    file.write_bytes(PAIR.encode() + end.encode())
    options = {"command line": ("--auth", PAIR), "file": ("--auth", f"@{file}")}.get(source, ())
    extra = {"variable": PAIR, "file of a variable": f"@{file}"}.get(source)
    with CommandServer(*options, extra={"REACTOR_AUTH": extra} if extra else {}) as server:
        assert server.get("/").status == 401
        assert server.get("/", BASIC).status == 200
        told = "\n".join(messages(server))
    assert SECRET not in told


@pytest.mark.parametrize(
    ("options", "extra", "warned"),
    [
        (("--auth", PAIR), {}, ["auth"]),
        (("--auth", PAIR, "--auth-upload", PAIR, "-d", "."), {}, ["auth", "auth-upload"]),
        (("--auth", PAIR), {"REACTOR_AUTH": PAIR}, ["auth"]),
        (("--auth", "@{}"), {}, []),
        ((), {"REACTOR_AUTH": PAIR, "REACTOR_AUTH_UPLOAD": PAIR}, []),
        ((), {}, []),
    ],
)
def test_a_password_on_the_command_line_is_a_warning(
    tmp_path: Path, options: tuple[str, ...], extra: dict[str, str], warned: list[str]
) -> None:
    file = tmp_path / "password"
    file.write_text(PAIR)
    done = run_main(
        "--host", "192.0.2.1", *(each.format(file) for each in options), **extra
    )  # cannot be bound
    assert re.findall(r"can read the password of --([a-z-]+) ", done.stderr) == warned
    assert SECRET not in done.stderr


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--auth", ""),
        ("--auth-upload", ""),
        ("--auth", SECRET),
        ("--auth", f":{SECRET}"),
        ("--auth-upload", "anna:"),
        ("--auth", f"an\nna:{SECRET}"),
        ("--auth-upload", f"anna:{SECRET}\x7f"),
        ("--auth", "@"),
        ("--auth", "@/"),
        ("--auth-upload", "@/none/x"),
    ],
)
def test_an_invalid_password_is_refused_without_quoting_it(option: str, text: str) -> None:
    assert f"argument {option}: " in refused(f"{option}={text}")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "both non-empty"),
        (b"\nanna:horse", "both non-empty"),
        (b"anna:horse\xff", "not UTF-8"),
        (b"anna:" + b"horse" * 1000, "exceed 1024 bytes"),
        (b"\0:horse", "control character"),
    ],
)
def test_a_file_without_a_password_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    file = tmp_path / "password"
    file.write_bytes(data)
    assert reason in refused("--auth", f"@{file}")


# The start line, and warnings.

HERE, NETWORK = "this machine only", "reachable from the network"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "anyone may read and upload"),
        (["--read-only"], "anyone may read; uploads disabled"),
        (["--auth-upload", PAIR], "anyone may read; password required to upload"),
        (["--auth", PAIR], "password required"),
        (["--auth", PAIR, "--auth-upload", PAIR], "password required to read; password required to upload"),
        (["--auth", PAIR, "--read-only"], "password required to read; uploads disabled"),
    ],
    ids=joined,
)
def test_the_start_line_describes_sharing_and_safety(tmp_path: Path, options: list[str], said: str) -> None:
    with CommandServer("--directory", str(tmp_path), *options) as server:
        assert server.start_line == f"reactor: serving {tmp_path} on {server.url}/ ({HERE}; {said})"
        assert messages(server) == []


@pytest.mark.parametrize(("options", "said"), [([], ""), (["--auth", PAIR], "; password required")])
def test_the_start_line_without_files(options: list[str], said: str) -> None:
    with CommandServer(*options) as server:
        assert server.start_line == f"reactor: serving on {server.url}/ ({HERE}; no directory shared{said})"


@pytest.mark.parametrize(
    ("options", "warning"),
    [
        (["--directory", "{}"], "anyone on the network may upload"),
        (["--directory", "{}", "--read-only"], None),
        (["--directory", "{}", "--auth-upload", "@{}/p"], "passwords are sent unencrypted"),
        (["--directory", "{}", "--auth", "@{}/p"], "passwords are sent unencrypted"),
        (["--auth", "@{}/p"], "passwords are sent unencrypted"),
        ([], None),
    ],
    ids=joined,
)
def test_unsafe_settings_on_the_network_are_a_warning(
    tmp_path: Path, options: list[str], warning: str | None
) -> None:
    (tmp_path / "p").write_text(PAIR)
    with CommandServer("--host", "0.0.0.0", *(each.format(tmp_path) for each in options)) as server:
        assert f"({NETWORK}" in server.start_line
        told = messages(server)
    if warning is None:
        assert told == []
    else:
        assert [line.startswith(f"reactor: warning: {warning}") for line in told] == [True]


# A browser.


def browser(tmp_path: Path, *then: str) -> tuple[str, Path]:
    """Write a browser script that sends its URL to a pipe, and then runs some commands."""
    pipe, script = tmp_path / "pipe", tmp_path / "browser"
    os.mkfifo(pipe)
    script.write_text("\n".join(["#!/bin/sh", f'echo "$1" > {pipe}', *then]))
    script.chmod(0o755)
    return f"{script} %s", pipe


@pytest.mark.parametrize("options", [[], ["{}"]], ids=["nothing shared", "a directory"])
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_browser_is_opened_with_the_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], host: str
) -> None:
    opened: queue.SimpleQueue[str] = queue.SimpleQueue()

    def fake_open(url: str) -> bool:
        opened.put(url)
        return True

    monkeypatch.setattr(webbrowser, "open", fake_open)
    arguments = ["--open", "--host", host, *(each.format(tmp_path) for each in options)]
    with CommandServer(*arguments) as server:
        assert opened.get(timeout=TIMEOUT) == f"http://127.0.0.1:{server.port}/"
        opening = f"reactor: opening http://127.0.0.1:{server.port}/ in a browser"
        assert opening in messages(server)


@pytest.mark.system
def test_a_running_browser_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "never")
    command, pipe = browser(tmp_path, f"read line < {tmp_path / 'never'}")
    with ServerProcess("--open", extra={"BROWSER": command}) as server:
        assert pipe.read_text() == f"{server.url}/\n"
        assert server.get("/echo/meanwhile").content == b"meanwhile"
        server.terminate()
        assert server.exit_code() == 0
        with open(tmp_path / "never", "w") as never:  # the browser exits
            never.write("\n")


def assert_no_browser_is_opened(server: RunningServer) -> None:
    """Assert that the server logs that it cannot open a browser, and serves."""
    assert server.stderr.next() == f"reactor: opening {server.url}/ in a browser"
    assert server.stderr.next() == f"reactor: warning: cannot open a browser: open {server.url}/ yourself"
    assert server.get("/").status == 200


def fail_to_open(url: str) -> bool:
    raise webbrowser.Error(url)


@pytest.mark.parametrize("fake_open", [lambda url: False, fail_to_open], ids=["none", "an error"])
def test_without_a_browser_the_server_serves_with_a_message(
    monkeypatch: pytest.MonkeyPatch, fake_open: Callable[[str], bool]
) -> None:
    monkeypatch.setattr(webbrowser, "open", fake_open)
    with CommandServer("--open") as server:
        assert_no_browser_is_opened(server)
        assert messages(server) == []


@pytest.mark.system
@pytest.mark.parametrize("command", ["/none/browser %s", "'", "'%s", "false %s"])
def test_an_invalid_browser_command_is_reported(command: str) -> None:
    extra = {"BROWSER": command, "DISPLAY": "", "WAYLAND_DISPLAY": "", "TERM": "", "PATH": "/bin:/none"}
    with ServerProcess("--open", extra=extra) as server:
        assert_no_browser_is_opened(server)
        server.terminate()
        assert [line for line in server.stderr.rest() if "SIGTERM" not in line] == []
