"""Errors that prevent the server from starting are one line each; and the options that it accepts."""

import os
import re
import resource
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from reactor.cli.options import describe_default, option_name
from reactor.handlers.files.paths import TEMPORARY_PREFIX
from reactor.settings import Settings
from tests.support.command import CommandServer, run_main
from tests.support.process import ROOT, TIMEOUT, ServerProcess, environment

USAGE, NOT_STARTED = 2, 3


def assert_refuses(code: int, *arguments: str, saying: str = "", **environment: str) -> None:
    """Assert that the server exits with a code, and prints one line that contains ``saying``."""
    port = () if "--port" in arguments else ("--port", "0")
    done = run_main(*port, *arguments, **environment)
    assert_one_line(code, done.returncode, done.stderr, done.stdout, saying)


def assert_one_line(expected: int, code: int, stderr: str, stdout: str, saying: str) -> None:
    assert stdout == ""
    assert stderr.startswith("reactor: ")
    assert stderr.endswith("\n")
    assert stderr.count("\n") == 1, stderr
    assert saying in stderr
    assert code == expected


# Exit code 3: the server could not start.


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert_refuses(NOT_STARTED, "--port", port, saying=port)


def test_a_port_of_another_server() -> None:
    with CommandServer() as server:
        assert_refuses(NOT_STARTED, "--port", str(server.port), saying=str(server.port))
        assert server.get("/").status == 200


def test_a_missing_directory(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    assert_refuses(NOT_STARTED, "--directory", missing, saying=missing)


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: make_socket(path)], ids=["a FIFO", "a socket"])
def test_a_path_that_is_neither_directory_nor_file(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "special"
    make(path)
    assert_refuses(
        NOT_STARTED, str(path), saying=f"cannot share {str(path)!r}: neither a file nor a directory"
    )


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def test_a_directory_with_a_nul_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "reactor.toml").write_text(r'directory = "a\u0000b"')
    assert_refuses(
        NOT_STARTED, "--config", f"{tmp_path}/reactor.toml", saying="cannot share 'a\\x00b': embedded null"
    )


def test_a_file_with_a_trailing_slash(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert_refuses(NOT_STARTED, f"{tmp_path}/file/", saying="Not a directory")


def test_a_file_whose_name_is_not_utf_8(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    Path(name).touch()
    assert_refuses(NOT_STARTED, name, saying="the file name is not UTF-8")


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("192.0.2.1", id="an address of another machine"),
        pytest.param("a..b", id="an empty label"),
        pytest.param("a" * 64, id="a label too long"),
        pytest.param("é" * 64, id="a label too long in ASCII"),
    ],
)
def test_an_address_that_cannot_be_bound(host: str) -> None:
    assert_refuses(NOT_STARTED, "--host", host, saying="cannot listen")


def limit_open_files(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    """Simulate ``ulimit -n``."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))


@pytest.mark.parametrize("limit", [16, 62])
def test_a_too_low_limit_on_open_files(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    with monkeypatch.context() as patch:
        limit_open_files(patch, limit)
        assert_refuses(NOT_STARTED, saying=f"open-file limit too low: {limit}")


def test_the_inspector_needs_open_files_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        limit_open_files(patch, 108)
        saying = "open-file limit too low: 108 (minimum: 109; see ulimit -n)"
        assert_refuses(NOT_STARTED, "--inspect", "127.0.0.1:0", saying=saying)


@pytest.mark.system
def test_too_few_open_files_are_a_start_error() -> None:
    command = ("sh", "-c", 'ulimit -n 62; exec "$@"', "sh", sys.executable, "-m", "reactor", "--port", "0")
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    assert_one_line(NOT_STARTED, done.returncode, done.stderr, done.stdout, "open-file limit too low: 62")


@pytest.mark.system
def test_the_lowest_sufficient_limit_on_open_files() -> None:
    with ServerProcess(launcher=("sh", "-c", 'ulimit -n 63; exec "$@"', "sh")) as server:
        assert server.get("/").status == 200


@pytest.mark.system
def test_a_too_low_soft_limit_is_raised() -> None:
    with ServerProcess(launcher=("sh", "-c", 'ulimit -S -n 16; exec "$@"', "sh")) as server:
        clients = [server.connect() for _ in range(40)]
        assert {client.get("/").status for client in clients} == {200}


def test_more_connections_than_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        limit_open_files(patch, 64)
        assert_refuses(NOT_STARTED, "--max-connections", "64", saying="64")


# Exit code 2: invalid options.


@pytest.mark.parametrize("port", ["65536", "-1", "http", "", "²"])
def test_an_invalid_port(port: str) -> None:
    assert_refuses(USAGE, f"--port={port}", saying="--port")


def test_an_error_escapes_an_argument_that_controls_the_terminal(tmp_path: Path) -> None:
    assert_refuses(USAGE, str(tmp_path), "a\x1b[31m\nb", saying=r"a\x1b[31m\nb")
    assert_refuses(NOT_STARTED, "--host", "a\x1b", saying=r"a\x1b")


@pytest.mark.parametrize("option", ["--unknown", "--Port=1", "-x", "--directory", "--read-only=1", "a b"])
def test_an_unknown_option(option: str) -> None:
    assert_refuses(USAGE, *option.split())


@pytest.mark.parametrize("value", ["xml", "", "JSON"])
def test_an_invalid_choice(value: str) -> None:
    assert_refuses(USAGE, f"--log-format={value}", saying="--log-format")


@pytest.mark.parametrize("value", ["-1", "0", "many", "", "1.5", "1_000", "nan", "9" * 40])
def test_an_invalid_limit(value: str) -> None:
    assert_refuses(USAGE, f"--max-fields={value}", saying="fields")


@pytest.mark.parametrize("value", ["-1", "0", "64X", "K", "1.5K", "²K"])
def test_an_invalid_size(value: str) -> None:
    assert_refuses(USAGE, f"--max-head={value}", saying="head")


@pytest.mark.parametrize("value", ["-1", "0", "soon", "nan", "inf"])
def test_an_invalid_timeout(value: str) -> None:
    assert_refuses(USAGE, f"--head-timeout={value}", saying="head")


def test_a_low_water_mark_above_the_high_one() -> None:
    variables = {"REACTOR_LOW_WATER": "2K", "REACTOR_HIGH_WATER": "1K"}
    message = "invalid REACTOR_LOW_WATER: 2048 (must be less than REACTOR_HIGH_WATER, 1024)"
    assert_refuses(USAGE, saying=message, **variables)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REACTOR_PORT", "http"),
        ("REACTOR_PORT", "65536"),
        ("REACTOR_MAX_BODY", "-1"),
        ("REACTOR_MAX_FIELDS", "0"),
        ("REACTOR_HEAD_TIMEOUT", "soon"),
        ("REACTOR_READ_ONLY", "maybe"),
        ("REACTOR_LOG_FORMAT", "xml"),
    ],
)
def test_an_invalid_environment_variable(name: str, value: str) -> None:
    done = run_main(**{name: value})
    assert_one_line(USAGE, done.returncode, done.stderr, done.stdout, "")
    option = name.removeprefix("REACTOR_").lower().replace("_", "-")
    assert name in done.stderr or f"--{option}" in done.stderr


# Accepted options.


def test_help_lists_every_option_with_its_default() -> None:
    done = run_main("--help")
    assert (done.returncode, done.stderr) == (0, "")
    options = dict(re.findall(r"^  (--[a-z-]+)(.*?)(?=^  -|^$|\Z)", done.stdout, re.MULTILINE | re.DOTALL))
    settings = [each for each in fields(Settings) if each.metadata.get("group", "advanced") != "advanced"]
    defaults = {option_name(each): describe_default(each) for each in settings}
    defaults |= {"--host": "127.0.0.1", "--port": "4221", "--directory": "none"}
    defaults |= {"--log-format": "combined", "--log-level": "info", "--types": "binary"}
    defaults |= {"--trace": "none", "--inspect": "none", "--config": "none"}
    defaults |= {"--auth": "none", "--auth-upload": "none", "--cors": "none", "--header": "none"}
    defaults |= {"--wsgi": "none", "--threads": "4 with --wsgi"}
    defaults |= {"--listen": "none", "--unix": "none"}
    defaults |= {"--allowed-host": "none if only this machine can connect, otherwise *"}
    switches = {"--read-only", "--hidden", "--fsync", "--open", "--no-access-log", "--no-date-header"}
    switches |= {"--allow-delete", "--precompressed", "--resumable", "--explain"}
    assert set(options) == set(defaults) | switches | {"--version"}
    for option, default in defaults.items():
        assert f"(default: {default})" in " ".join(options[option].split()), option


@pytest.mark.parametrize("arguments", [("--help", "--port", "http"), ("--port", "0", "-h")])
def test_help_does_not_start_a_server(arguments: tuple[str, ...]) -> None:
    assert run_main(*arguments).stdout.startswith("usage: ")


@pytest.mark.system
def test_port_0_prints_the_real_port() -> None:
    with ServerProcess() as server:
        details = "(this machine only; no directory shared)"
        assert server.start_line == f"reactor: serving on http://127.0.0.1:{server.port}/ {details}"
        assert server.port != 0
        assert server.get("/").status == 200


def test_the_start_line_names_the_directory(tmp_path: Path) -> None:
    with CommandServer("--directory", str(tmp_path)) as server:
        assert server.start_line.startswith(
            f"reactor: serving {tmp_path} on {server.url}/ (this machine only; "
        )


def test_the_start_line_names_the_parent_of_the_target_of_a_link(tmp_path: Path) -> None:
    (tmp_path / "far" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("far/deep")
    with CommandServer("--directory", f"{tmp_path}/link/..") as server:
        assert server.start_line.startswith(f"reactor: serving {tmp_path}/far on http")
    with CommandServer("--directory", f"{tmp_path}/link/.") as server:
        assert server.start_line.startswith(f"reactor: serving {tmp_path}/link on http")


@pytest.mark.parametrize("is_file", [False, True], ids=["directory", "file"])
def test_the_start_line_escapes_a_path_that_controls_the_terminal(tmp_path: Path, is_file: bool) -> None:
    path = tmp_path / "a\x1b]0;b\x07\nreactor: c\x9b\u202e"
    path.touch() if is_file else path.mkdir()
    with CommandServer(str(path)) as server:
        shown = rf"{tmp_path}/a\x1b]0;b\x07\nreactor: c\x9b\u202e on http://"
        assert shown in server.start_line
        assert server.start_line.isprintable()


def test_a_directory_whose_name_is_not_utf_8_is_shared(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe")
    os.makedirs(os.path.join(path, os.fsdecode(b"\xff")))
    Path(path, "file").write_bytes(b"content")
    with CommandServer(path) as server:
        assert rf"{tmp_path}/\udcff\udcfe on http://" in server.start_line
        assert server.get("/files/file").content == b"content"
        assert server.get("/files/", "User-Agent: curl", "Accept: text/plain").content == b"file\n"


@pytest.mark.parametrize("source", ["argument", "-d", "environment", "configuration file"])
def test_a_single_file_is_shared_instead_of_a_directory(tmp_path: Path, source: str) -> None:
    file, config = tmp_path / "a file", tmp_path / "reactor.toml"
    file.write_bytes(b"content")
    config.write_text(f"directory = '{file}'")
    arguments, extra = {
        "argument": ([str(file)], {}),
        "-d": (["-d", str(file)], {}),
        "environment": ([], {"REACTOR_DIRECTORY": str(file)}),
        "configuration file": (["--config", str(config)], {}),
    }[source]
    with CommandServer("--host", "0.0.0.0", *arguments, extra=extra) as server:
        details = "(reachable from the network; anyone may read; uploads disabled)"
        assert server.start_line == f"reactor: serving the file {file} on {server.url}/ {details}"
        assert server.get("/files/a%20file").content == b"content"
        assert server.get("/files/reactor.toml").status == 404
        page = server.get("/", "Accept: text/html").content
        assert b"a%20file" in page
        assert b"reactor.toml" not in page
        with server.connect() as client:
            assert client.post("/files/a%20file", b"x").status == 405
        server.terminate()
        assert not [line for line in server.stderr.rest() if "upload" in line]
    assert file.read_bytes() == b"content"


def test_a_single_file_start_removes_no_leftovers(tmp_path: Path) -> None:
    leftover = tmp_path / f"{TEMPORARY_PREFIX}1-1"
    for path in (leftover, tmp_path / "file"):
        path.touch()
    with CommandServer(str(tmp_path / "file")) as server:
        assert server.get("/files/file").status == 200
    assert leftover.exists()


def test_the_port_can_be_reused_immediately() -> None:
    with CommandServer() as first:
        assert first.get("/", "Connection: close").status == 200  # the server's socket is in TIME_WAIT
        port = str(first.port)
        first.kill()
    with CommandServer("--port", port) as second:
        assert second.get("/").status == 200


def test_an_ipv6_address_is_printed_in_brackets() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"no IPv6 loopback: {error}")
    with CommandServer("--host", "::1") as server:
        assert server.url == f"http://[::1]:{server.port}"
        with socket.create_connection(("::1", server.port), timeout=20) as sock:
            sock.sendall(b"GET /echo/six HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n")
            assert b"".join(iter(lambda: sock.recv(4096), b"")).endswith(b"\r\n\r\nsix")


def test_an_environment_variable_sets_an_option(tmp_path: Path) -> None:
    variables = {"REACTOR_DIRECTORY": str(tmp_path), "REACTOR_MAX_BODY": "5", "REACTOR_NO_DATE_HEADER": "1"}
    with CommandServer(extra=variables) as server, server.connect() as client:
        assert client.post("/files/x", b"12345").status == 201
        answer = client.post("/files/y", b"123456")
        assert answer.status == 413
        assert "date" not in answer.headers


def test_an_option_overrides_its_environment_variable(tmp_path: Path) -> None:
    variables = {"REACTOR_DIRECTORY": str(tmp_path / "missing"), "REACTOR_MAX_BODY": "5"}
    options = ("--directory", str(tmp_path), "--max-body", "6")
    with CommandServer(*options, extra=variables) as server, server.connect() as client:
        assert client.post("/files/x", b"123456").status == 201
        assert client.post("/files/y", b"1234567").status == 413


@pytest.mark.parametrize(("text", "status"), [("1", 405), ("true", 405), ("0", 201), ("", 201)])
def test_a_switch_has_an_environment_variable(tmp_path: Path, text: str, status: int) -> None:
    variables = {"REACTOR_READ_ONLY": text}
    with CommandServer("--directory", str(tmp_path), extra=variables) as server, server.connect() as client:
        assert client.post("/files/x", b"x").status == status


@pytest.mark.parametrize(("text", "size"), [("1K", 1024), ("1KiB", 1024), ("1kb", 1024), ("1000", 1000)])
def test_a_size_may_have_a_unit(tmp_path: Path, text: str, size: int) -> None:
    with (
        CommandServer("--directory", str(tmp_path), "--max-body", text) as server,
        server.connect() as client,
    ):
        assert client.post("/files/x", bytes(size)).status == 201
        assert client.post("/files/x", bytes(size + 1)).status == 413
