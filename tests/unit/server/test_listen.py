"""Listening sockets: Unix sockets and their files, and sockets that another process passes."""

import errno
import fcntl
import os
import socket
import stat
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from reactor.server import listen as module
from reactor.server.listen import (
    MAX_UNIX_PATH,
    Listener,
    StartError,
    UnixListener,
    adopt,
    listen,
    listen_unix,
)
from tests.unit.cli.test_start_lines import needs_ipv6

MODE = 0o660


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # whose own path may be too long for a Unix socket
    return Path("s")


def connect(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def leave_stale(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))


# The file of a Unix socket.


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666, 0o777])
@pytest.mark.parametrize("umask", [0, 0o027, 0o777])
def test_the_mode_does_not_depend_on_the_umask(path: Path, mode: int, umask: int) -> None:
    before = os.umask(umask)
    try:
        listener = listen_unix(str(path), mode)
    finally:
        os.umask(before)
    with listener:
        assert stat.S_IMODE(path.stat().st_mode) == mode
        assert not listener.getblocking()
        assert not listener.get_inheritable()
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        connect(path)


def test_a_link_in_place_of_the_new_file_is_not_followed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = path.parent / "target"
    target.touch(0o600)
    bind = socket.socket.bind

    def bind_and_replace(sock: socket.socket, address: str) -> None:
        bind(sock, address)
        path.unlink()
        path.symlink_to("target")

    monkeypatch.setattr(socket.socket, "bind", bind_and_replace)
    with listen_unix(str(path), MODE):
        assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_servers_that_start_at_the_same_time_exclude_each_other(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_stale(path)
    bind, waits = UnixListener.bind_and_listen, []
    monkeypatch.setattr(threading.Event, "wait", lambda event, seconds: waits.append(seconds))

    def start_another(listener: UnixListener, file: str, mode: int) -> None:
        listener.bind(file)  # looks stale until it listens
        assert_refused(str(path), "another process keeps its directory locked")
        path.unlink()
        bind(listener := UnixListener(), file, mode)
        listener.outlives_process = True
        others.append(listener)

    others: list[UnixListener] = []
    with monkeypatch.context() as patch:
        patch.setattr(UnixListener, "bind_and_listen", start_another)
        with listen_unix(str(path), MODE):
            pass
    assert waits == [module.LOCK_INTERVAL] * (module.LOCK_ATTEMPTS - 1)
    with closing(others[0]):
        assert_refused(str(path), "already in use by another process")  # the lock was released


@pytest.mark.parametrize("failing", ["open", "flock"])
def test_a_directory_that_cannot_be_locked_is_not_locked(
    path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def refuse(*arguments: object) -> int:
        raise OSError(errno.EBADF, "planted")

    monkeypatch.setattr(os if failing == "open" else fcntl, failing, refuse)
    with listen_unix(str(path), MODE):
        connect(path)


def test_the_file_is_removed_when_the_socket_is_closed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listener = listen_unix(str(path), MODE)
    assert (listener.unix_path, listener.tcp_address) == ("s", None)
    elsewhere = path.absolute().parent / "elsewhere"
    elsewhere.mkdir()
    file = path.absolute()
    monkeypatch.chdir(elsewhere)
    listener.close()
    assert not file.exists()
    listener.close()


@pytest.mark.parametrize("make", [Path.touch, lambda path: leave_stale(path), Path.mkdir])
def test_a_file_that_has_replaced_the_socket_stays(path: Path, make: Callable[[Path], None]) -> None:
    listener = listen_unix(str(path), MODE)
    path.unlink()
    make(path)
    listener.close()
    assert path.exists()


def test_the_file_of_a_socket_that_outlives_the_process_stays(path: Path) -> None:
    listener = listen_unix(str(path), MODE)
    with socket.socket(fileno=os.dup(listener.fileno())):
        listener.outlives_process = True
        listener.close()
        connect(path)


def test_a_file_that_cannot_be_removed_does_not_prevent_the_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = listen_unix(str(path), MODE)

    def refuse(path: str) -> None:
        raise OSError(errno.EROFS, "planted")

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", refuse)
        listener.close()
    assert listener.fileno() == -1
    with listen_unix(str(path), MODE):
        connect(path)


def test_a_failed_start_leaves_no_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(listener: UnixListener, backlog: int) -> None:
        raise OSError(errno.EPERM, "planted")

    monkeypatch.setattr(UnixListener, "listen", refuse)
    with pytest.raises(StartError, match="cannot listen on the Unix socket 's': planted"):
        listen_unix(str(path), MODE)
    assert not path.exists()


# What is at the path already.


def test_a_stale_socket_is_replaced(path: Path) -> None:
    leave_stale(path)
    with listen_unix(str(path), MODE):
        connect(path)


def test_a_stale_socket_that_another_server_removes_is_no_error(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_stale(path)
    status = path.lstat()
    path.unlink()
    found = [status, None]
    with monkeypatch.context() as patch:
        patch.setattr(module, "_lstat", lambda _: found.pop(0) if found else status)
        listener = listen_unix(str(path), MODE)
    connect(path)
    listener.close()


def test_a_socket_that_a_process_listens_on_is_in_use(path: Path) -> None:
    with listen_unix(str(path), MODE):
        assert_refused(str(path), "already in use by another process")
        connect(path)


def test_a_full_accept_queue_is_in_use(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as busy, ExitStack() as stack:
        busy.bind(str(path))
        busy.listen(0)
        client = stack.enter_context(socket.socket(socket.AF_UNIX))
        client.connect(str(path))
        assert_refused(str(path), "already in use by another process")
        assert path.exists()


def test_a_datagram_socket_is_in_use(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        assert_refused(str(path), "already in use by another process")


def test_a_socket_that_may_not_be_connected_to_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_stale(path)
    monkeypatch.setattr(socket.socket, "connect_ex", lambda self, address: errno.EACCES)
    assert_refused(str(path), "Permission denied (choose a folder that this user may write to)")
    assert path.exists()


def test_an_error_says_what_to_do(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_refused("no/s", "No such file or directory (create the folder first)")

    def refuse(sock: socket.socket, address: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Listener, "bind", refuse)
    with pytest.raises(StartError) as caught:
        listen("127.0.0.1", 80)
    advice = "choose a port from 1024 on, or let systemd open the socket"
    assert str(caught.value) == f"cannot listen on 127.0.0.1 port 80: Permission denied ({advice})"


def test_the_socket_of_a_server_that_has_just_started_stays(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_stale(path)
    os.utime(path, (1, 1))  # long ago
    servers = []

    def start_another(client: socket.socket, address: str) -> int:
        path.unlink()
        server = UnixListener()
        servers.append(server)
        server.bind_and_listen(str(path), MODE)
        return errno.ECONNREFUSED

    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "connect_ex", start_another)
        assert_refused(str(path), os.strerror(errno.EADDRINUSE))
    with closing(servers[0]):
        connect(path)


def make_link(path: Path) -> None:
    leave_stale(path.parent / "target")
    path.symlink_to("target")


@pytest.mark.parametrize(
    "make",
    [Path.touch, Path.mkdir, os.mkfifo, make_link, lambda path: path.symlink_to("missing")],
    ids=["file", "directory", "FIFO", "link", "dangling link"],
)
def test_any_other_file_stays(path: Path, make: Callable[[Path], None]) -> None:
    make(path)
    before = path.lstat()
    assert_refused(str(path), "the file exists and is not a socket (choose another path)")
    assert path.lstat() == before


LONG = "x" * MAX_UNIX_PATH


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "the path is empty"),
        ("a\0b", "the path contains a NUL"),
        ("@s", "expected a path (for a file of this name, write ./@s)"),
        ("\0abstract", "the path contains a NUL"),
        (LONG + "x", f"the path has {MAX_UNIX_PATH + 1} bytes (at most {MAX_UNIX_PATH})"),
        ("é" * 54, "the path has 108 bytes"),
        ("missing/s", os.strerror(errno.ENOENT)),
    ],
)
def test_an_invalid_path_is_refused(path: Path, name: str, reason: str) -> None:
    assert_refused(name, reason)


def test_the_longest_path_is_accepted(path: Path) -> None:
    with listen_unix(LONG, MODE):
        connect(Path(LONG))


def assert_refused(path: str, reason: str) -> None:
    with pytest.raises(StartError) as caught:
        listen_unix(path, MODE)
    assert str(caught.value).startswith(f"cannot listen on the Unix socket {path!r}: {reason}")


# TCP.


@needs_ipv6
def test_ipv6_only_leaves_ipv4_to_another_socket() -> None:
    with listen("0.0.0.0", 0) as ipv4:
        port = ipv4.getsockname()[1]
        with pytest.raises(StartError, match=f"cannot listen on :: port {port}: .* in use"):
            listen("::", port)
        with listen("::", port, ipv6_only=True) as ipv6:
            assert ipv6.tcp_address == ("::", port)


# Sockets that another process passes.


def passed(kind: str, path: Path) -> socket.socket:
    """Return a socket as a service manager passes it."""
    family = socket.AF_UNIX if kind.startswith("Unix") else socket.AF_INET6 if "6" in kind else socket.AF_INET
    kinds = {"datagram": socket.SOCK_DGRAM, "packet": socket.SOCK_SEQPACKET}
    sock = socket.socket(family, kinds.get(kind.split()[-1], socket.SOCK_STREAM))
    sock.bind(str(path) if family == socket.AF_UNIX else ("::1" if "6" in kind else "127.0.0.1", 0))
    if "listening" in kind:
        sock.listen(7)
    return sock


def inheritable(sock: socket.socket) -> int:
    """Return a copy of the descriptor that child processes inherit."""
    copy = os.dup(sock.fileno())
    os.set_inheritable(copy, True)
    return copy


@pytest.mark.parametrize("kind", ["listening TCP", "listening TCP 6", "Unix listening"])
def test_a_listening_socket_is_adopted(kind: str, path: Path) -> None:
    with passed(kind, path) as sock:
        with adopt(inheritable(sock), "web") as listener:
            assert listener.getsockname() == sock.getsockname()
            assert (listener.name, listener.outlives_process) == ("web", True)
            assert not listener.getblocking()
            assert not listener.get_inheritable()
            if sock.family != socket.AF_UNIX:
                assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                assert listener.tcp_address == sock.getsockname()[:2]
        if sock.family == socket.AF_UNIX:
            connect(path)  # the file stays


def test_a_descriptor_of_a_file_is_refused(path: Path) -> None:
    with path.open("w") as file, pytest.raises(StartError) as caught:
        adopt(file.fileno())
    assert str(caught.value).endswith(
        "Socket operation on non-socket (expected a listening TCP or Unix stream socket)"
    )


@pytest.mark.parametrize("kind", ["TCP", "TCP datagram", "Unix", "Unix datagram", "Unix listening packet"])
def test_any_other_socket_is_refused(kind: str, path: Path) -> None:
    with passed(kind, path) as sock:
        descriptor = os.dup(sock.fileno())
        with pytest.raises(StartError) as caught:
            adopt(descriptor, "web")
        assert str(caught.value) == (
            f"cannot use descriptor {descriptor} ('web') as a listening socket: not listening "
            "(expected a listening TCP or Unix stream socket)"
        )


def test_a_socket_without_the_options_of_tcp_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with passed("TCP listening", path) as sock:
        monkeypatch.setattr(module, "_set_tcp_options", lambda listener: listener.setsockopt(9999, 1, 1))
        descriptor = os.dup(sock.fileno())
        with pytest.raises(StartError, match=f"cannot use descriptor {descriptor} as a listening socket: "):
            adopt(descriptor)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_a_descriptor_that_is_not_a_socket_is_refused(path: Path) -> None:
    with (
        path.open("wb") as file,
        pytest.raises(StartError, match=r"cannot use descriptor \d+ as a .*: Socket"),
    ):
        adopt(file.fileno())
    with pytest.raises(StartError, match=r"cannot use descriptor 987654 as a listening socket: Bad file"):
        adopt(987654)


def test_the_abstract_namespace_is_shown_with_an_at_sign() -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"\0reactor {os.getpid()}")
        sock.listen()
        with adopt(os.dup(sock.fileno())) as listener:
            assert listener.unix_path == f"@reactor {os.getpid()}"


def test_tcp_addresses_are_those_of_tcp_sockets(path: Path) -> None:
    with ExitStack() as stack:
        listeners: list[Listener] = [stack.enter_context(listen_unix(str(path), MODE))]
        listeners += [stack.enter_context(listen("127.0.0.1", 0)) for _ in range(2)]
        assert module.tcp_addresses(listeners) == [each.getsockname() for each in listeners[1:]]
