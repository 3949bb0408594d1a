"""--listen, --unix, and the sockets that a service manager passes."""

import argparse
import os
import re
import socket
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from reactor.cli import listen_options as module
from reactor.cli.listen_options import file_mode, open_listeners, passed_descriptors
from reactor.cli.options import check_combinations, make_parser, parse_options
from reactor.server.listen import Listener, StartError, UsageError, listen
from tests.support.command import CommandServer, run_main
from tests.support.process import ClientConnection

USAGE, NOT_STARTED = 2, 3
PID = 42


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # whose own path may be too long for a Unix socket
    return tmp_path


def parse(*arguments: str, **variables: str) -> argparse.Namespace:
    parser = make_parser()
    options = parse_options(parser, arguments, variables)
    check_combinations(parser, options)
    return options


def opened(*arguments: str, **variables: str) -> Sequence[Listener]:
    return open_listeners(parse(*arguments, **variables))


# Options.


def test_host_and_port_are_left_to_the_server() -> None:
    assert list(opened("--host", "192.0.2.1", "--port", "1")) == []


def test_all_addresses_and_the_unix_socket_are_listened_on(here: Path) -> None:
    options = ("--listen", "127.0.0.1:0", "--listen", "0", "--unix", "s")
    with ExitStack() as stack:
        listeners = [stack.enter_context(each) for each in opened(*options, REACTOR_UNIX_MODE="0600")]
        assert [each.unix_path for each in listeners] == [None, None, "s"]
        assert [each.tcp_address[0] for each in listeners[:2] if each.tcp_address] == ["127.0.0.1"] * 2
        assert not any(each.outlives_process for each in listeners)
        assert stat.S_IMODE(Path("s").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("addresses", "ipv6_only"),
    [("0.0.0.0:80 [::]:80", [True, True]), ("[::]:80 [::]:81", [False, False]), ("[::]:0 0", [False, False])],
)
def test_ipv4_and_ipv6_may_share_a_port(
    addresses: str, ipv6_only: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []

    def note(host: str, port: int, only: bool) -> Listener:
        found.append(only)
        return listen("127.0.0.1", 0)

    monkeypatch.setattr(module, "listen", note)
    for each in opened(*(word for address in addresses.split() for word in ("--listen", address))):
        each.close()
    assert found == ipv6_only


def test_a_variable_lists_addresses_in_lines() -> None:
    assert parse(REACTOR_LISTEN="[::]:1\n0.0.0.0:2\n").listen == (("::", 1), ("0.0.0.0", 2))


def test_if_one_socket_cannot_be_opened_the_others_are_closed(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first: list[Listener] = []

    def note(host: str, port: int, ipv6_only: bool) -> Listener:
        first.append(listen(host, port))
        return first[0]

    monkeypatch.setattr(module, "listen", note)
    with pytest.raises(StartError, match="'missing/s'"):
        opened("--listen", "127.0.0.1:0", "--unix", "missing/s")
    assert first[0].fileno() == -1


@pytest.mark.parametrize(("text", "mode"), [("660", 0o660), ("0666", 0o666), ("777", 0o777), ("600", 0o600)])
def test_a_mode_is_octal(text: str, mode: int) -> None:
    assert file_mode(text) == mode


# TOML reads 0o660 as 432, which must not become a mode.
@pytest.mark.parametrize(
    "text", ["", "432", "0o660", "66", "6600", "680", "rw-rw----", "-660", "٦٦٠", "660\n"]
)
def test_any_other_mode_is_an_error(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=re.escape(f"invalid mode: {text!r} (octal digits")):
        file_mode(text)


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        ("--host 127.0.0.1 --listen :1", {}, "invalid HOST:PORT: ':1'"),
        ("--listen 1 --port 2", {}, "--port has no effect with --listen"),
        ("--listen 1 -b ::1", {}, "-b has no effect with --listen"),
        ("--unix s --port 2", {}, "--port has no effect with --unix"),
        ("--port 2", {"LISTEN": "1"}, "--port has no effect with REACTOR_LISTEN"),
        ("", {"LISTEN": "1", "HOST": "::1"}, "REACTOR_HOST has no effect with REACTOR_LISTEN"),
        ("--unix s --unix t", {}, "--unix is given twice"),
        ("--listen 1 --listen 127.0.0.1:1", {}, "cannot both listen on 127.0.0.1:1: choose another port"),
        ("--listen [::1]:1 --inspect [::1]:1", {}, "cannot both listen on [::1]:1: choose another port"),
        ("--port 1 --inspect 1", {}, "cannot both listen on 127.0.0.1:1: choose another port"),
        ("--open --unix s", {}, "--open has no effect with only a Unix socket, which has no URL"),
    ],
)
def test_contradictions_are_errors(
    arguments: str, variables: dict[str, str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse(*arguments.split(), **{f"REACTOR_{name}": text for name, text in variables.items()})
    assert stopped.value.code == USAGE
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        ("--listen 1", {"HOST": "::1", "PORT": "2"}),
        ("--unix s", {"PORT": "2", "OPEN": "1"}),
        ("--unix s --listen 1 --open", {}),
        ("", {"UNIX_MODE": "666"}),
        ("--listen 0 --listen 0 --inspect 0", {}),
        ("--inspect 4221", {}),  # a service manager may pass sockets: --port is not used
    ],
)
def test_the_command_line_takes_precedence(arguments: str, variables: dict[str, str]) -> None:
    parse(*arguments.split(), **{f"REACTOR_{name}": text for name, text in variables.items()})


def test_no_browser_is_opened_without_a_url(here: Path) -> None:
    with pytest.raises(UsageError) as caught:
        opened("--unix", "s", REACTOR_OPEN="1")
    assert str(caught.value).startswith("REACTOR_OPEN has no effect: the server listens on Unix sockets only")
    assert not Path("s").exists()


# Sockets of the service manager.


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, []),
        ({"FDS": "2"}, []),
        ({"PID": "42"}, []),
        ({"PID": "41", "FDS": "2"}, []),
        ({"PID": "41", "FDS": "x", "FDNAMES": "a:b"}, []),
        ({"PID": "42", "FDS": "0"}, []),
        ({"PID": "42", "FDS": "1"}, [(3, "")]),
        ({"PID": "42", "FDS": "2", "FDNAMES": "web:"}, [(3, "web"), (4, "")]),
        ({"PID": "42", "FDS": "3", "FDNAMES": "a:b:c"}, [(3, "a"), (4, "b"), (5, "c")]),
    ],
)
def test_descriptors_are_passed_to_the_process(
    variables: dict[str, str], expected: list[tuple[int, str]]
) -> None:
    environment = {**{f"LISTEN_{name}": text for name, text in variables.items()}, "OTHER": "1"}
    assert passed_descriptors(environment, PID) == expected
    assert environment == {"OTHER": "1"}


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"PID": "42", "FDS": "1025"}, "invalid LISTEN_FDS: '1025' (at most 1024)"),
        ({"PID": "x", "FDS": "1"}, "invalid LISTEN_PID: 'x' (expected a whole number)"),
        ({"PID": "42", "FDS": "-1"}, "invalid LISTEN_FDS: '-1' (expected a whole number)"),
        ({"PID": "42", "FDS": "1" * 5000}, "invalid LISTEN_FDS: '1111"),
        ({"PID": "42", "FDS": "٣"}, "invalid LISTEN_FDS: '٣'"),
        (
            {"PID": "42", "FDS": "2", "FDNAMES": "web"},
            "invalid LISTEN_FDNAMES: 'web' has 1 names (LISTEN_FDS has 2)",
        ),
    ],
)
def test_malformed_variables_are_errors(variables: dict[str, str], message: str) -> None:
    with pytest.raises(StartError) as caught:
        passed_descriptors({f"LISTEN_{name}": text for name, text in variables.items()}, PID)
    assert str(caught.value).startswith(message)


@pytest.fixture
def passing(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[socket.socket]]:
    """A TCP and a Unix socket that are passed to this process, from a high descriptor on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket(family)) for family in (socket.AF_INET, socket.AF_UNIX)]
        sockets[0].bind(("127.0.0.1", 0))
        sockets[1].bind("s")
        first = 700
        for number, each in enumerate(sockets):
            each.listen()
            stack.callback(close, os.dup2(each.fileno(), first + number))
        monkeypatch.setattr(module, "FIRST_DESCRIPTOR", first)
        monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
        monkeypatch.setenv("LISTEN_FDS", "2")
        yield sockets


def close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:
        pass  # the server has closed it


def test_passed_sockets_are_listened_on(
    passing: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LISTEN_FDNAMES", "web:admin")
    with ExitStack() as stack:
        listeners = [stack.enter_context(each) for each in opened(REACTOR_UNIX="t")]
        assert [each.getsockname() for each in listeners] == [each.getsockname() for each in passing]
        assert [each.name for each in listeners] == ["web", "admin"]
        assert all(each.outlives_process for each in listeners)
    assert not [name for name in os.environ if name.startswith("LISTEN_")]
    assert list(opened()) == []


NO_UNIX = "has no effect: the server listens on no Unix socket (trust an address, such as 127.0.0.1)"
ONLY_UNIX = "has no effect: the server listens on a Unix socket only (trust unix)"


@pytest.mark.parametrize(
    ("given", "variables", "message"),
    [
        ("--trusted-proxy unix", {}, f"--trusted-proxy unix {NO_UNIX}"),
        ("--listen 0 --trusted-proxy unix", {}, f"--trusted-proxy unix {NO_UNIX}"),
        ("--unix s --trusted-proxy ::1", {}, f"--trusted-proxy ::1 {ONLY_UNIX}"),
        ("", {"UNIX": "s", "TRUSTED_PROXY": "::1"}, f"REACTOR_TRUSTED_PROXY ::1 {ONLY_UNIX}"),
        ("--unix s --trusted-proxy unix", {}, None),
        ("--unix s --trusted-proxy unix --trusted-proxy ::1", {}, None),
        ("--unix s --listen 0 --trusted-proxy ::1", {}, None),
        ("--unix s", {"TRUSTED_PROXY": "::1"}, None),
        ("--listen 0", {"TRUSTED_PROXY": "unix"}, None),
        ("", {"TRUSTED_PROXY": "unix"}, None),
        ("--trusted-proxy ::1", {}, None),
    ],
)
def test_a_trusted_proxy_must_be_able_to_connect(
    given: str, variables: dict[str, str], message: str | None, here: Path
) -> None:
    prefixed = {f"REACTOR_{name}": text for name, text in variables.items()}
    if message is None:
        for each in opened(*given.split(), **prefixed):
            each.close()
        return
    with pytest.raises(UsageError) as caught:
        opened(*given.split(), **prefixed)
    assert str(caught.value) == message
    assert not Path("s").exists()


def test_an_option_without_effect_on_the_sockets_is_a_usage_error() -> None:
    done = run_main("--trusted-proxy", "unix")
    assert done == (USAGE, "", f"reactor: --trusted-proxy unix {NO_UNIX}\n")


@pytest.mark.parametrize("given", ["--host ::1", "-p 1", "--listen 1", "--unix t"])
def test_listen_options_contradict_passed_sockets(given: str, passing: list[socket.socket]) -> None:
    with pytest.raises(UsageError) as caught:
        opened(*given.split())
    name = given.split()[0]
    assert str(caught.value) == f"{name} has no effect with the sockets of the service manager (LISTEN_FDS)"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(module.FIRST_DESCRIPTOR)


@pytest.mark.parametrize("own", [True, False], ids=["opened by the server", "closed"])
def test_a_descriptor_that_was_not_passed_is_an_error(
    own: bool, passing: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LISTEN_FDNAMES", "web:admin")
    if own:
        os.set_inheritable(701, False)
    else:
        os.close(701)
    with pytest.raises(StartError) as caught:
        opened()
    assert str(caught.value) == (
        "cannot listen on descriptor 701 ('admin'): the service manager has not passed it (see LISTEN_FDS)"
    )


# The command.


def get(address: int | str) -> int:
    with ClientConnection(address) as client:
        return client.get("/").status


def test_the_start_lines_name_every_socket(here: Path) -> None:
    options = ("--listen", "127.0.0.1:0", "--listen", "localhost:0", "--unix", "s")
    with CommandServer(*options) as server:
        assert server.start_line.endswith("/ (this machine only; no directory shared)")
        second = re.fullmatch(r"reactor: also on http://127.0.0.1:(\d+)/", server.stderr.next() or "")
        assert second is not None
        assert int(second[1]) != server.port
        assert server.stderr.next() == "reactor: also on the Unix socket s"
        assert [get(each) for each in (server.port, int(second[1]), "s")] == [200] * 3
    assert not Path("s").exists()


def test_a_unix_socket_alone_has_a_start_line(here: Path) -> None:
    with CommandServer("--unix", "a\x1bb") as server:
        line = r"reactor: serving on the Unix socket a\x1bb (this machine only; no directory shared)"
        assert server.start_line == line
        assert get("a\x1bb") == 200


def test_the_network_is_named_if_one_socket_is_reachable(here: Path) -> None:
    with CommandServer("--listen", "127.0.0.1:0", "--listen", "0.0.0.0:0", "--unix", "s") as server:
        assert server.start_line.endswith("/ (reachable from the network; no directory shared)")
        lines = [server.stderr.next() or ""]
        while "Unix" not in lines[-1]:
            lines.append(server.stderr.next() or "")
        assert re.fullmatch(r"reactor: also on http://127.0.0.1:\d+/", lines[0])
        assert lines[-1] == "reactor: also on the Unix socket s"


@pytest.mark.parametrize("names", ["web:admin", ""])
def test_the_start_lines_name_passed_sockets(
    names: str, passing: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2", "LISTEN_FDNAMES": names}
    web, admin = ("socket web of", "socket admin of") if names else ("socket of", "socket of")
    with CommandServer(extra=variables) as server:
        port = passing[0].getsockname()[1]
        assert server.start_line == (
            f"reactor: serving on http://127.0.0.1:{port}/ "
            f"({web} the service manager; this machine only; no directory shared)"
        )
        line = f"reactor: also on the Unix socket s ({admin} the service manager)"
        assert server.stderr.next() == line
        assert [get(each) for each in (port, "s")] == [200] * 2


def test_a_path_in_use_is_an_error_in_one_line(here: Path) -> None:
    with CommandServer("--unix", "s"):
        done = run_main("--unix", "s")
        reason = "already in use by another process (choose another path)"
        assert done == (NOT_STARTED, "", f"reactor: cannot listen on the Unix socket 's': {reason}\n")
        assert get("s") == 200
