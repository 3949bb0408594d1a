"""Listening sockets: opened on a TCP address or a Unix path, or passed by another process; and their URLs."""

import errno
import fcntl
import os
import socket
import stat
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

BACKLOG = 4096
MAX_UNSENT_IN_KERNEL = 128 * 1024  # bytes
MAX_UNIX_PATH = 107  # bytes: unix(7), sun_path without the final NUL
# How often, and after how many seconds, the lock of a directory is tried in which another server starts.
LOCK_ATTEMPTS, LOCK_INTERVAL = 100, 0.01
# The address of this machine on which a server answers that listens on all addresses.
LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "::1"}

_TCP = (socket.AF_INET, socket.AF_INET6)
_PASSED = "a listening TCP or Unix stream socket"

# What to do about an error, by errno.
_TCP_ADVICE = {
    errno.EADDRINUSE: " (choose another port)",
    errno.EACCES: " (choose a port from 1024 on, or let systemd open the socket)",
}
_UNIX_ADVICE = {
    errno.ENOENT: " (create the folder first)",
    errno.EACCES: " (choose a folder that this user may write to)",
}


class Listener(socket.socket):
    """A listening socket whose ``accept`` takes 1 us less.

    It reads ``family`` and ``type`` for each connection. Here they are attributes; in the base class they are
    properties, which look up enum members.

    ``outlives_process`` is true if another process keeps the socket open when this one closes it: connections
    that wait in its accept queue are left to that process, or to the next one. ``name`` is the name that a
    service manager gave to the socket, or "".
    """

    __slots__ = ("family", "name", "outlives_process", "type", "was_passed")

    family: socket.AddressFamily
    type: socket.SocketKind

    def __init__(
        self,
        family: socket.AddressFamily,
        kind: socket.SocketKind,
        protocol: int = 0,
        fileno: int | None = None,
        name: str = "",
        outlives_process: bool = False,
    ) -> None:
        super().__init__(family, kind, protocol, fileno)
        self.family = family
        self.type = kind
        self.name = name
        self.outlives_process = outlives_process
        self.was_passed = outlives_process  # opened by a service manager

    @property
    def tcp_address(self) -> tuple[str, int] | None:
        """The host and port of a TCP socket; None for a Unix socket."""
        if self.family not in _TCP:
            return None
        host, port = self.getsockname()[:2]
        return str(host), int(port)

    @property
    def unix_path(self) -> str | None:
        """The path of a Unix socket, or @NAME in the abstract namespace; None for a TCP socket."""
        if self.family in _TCP:
            return None
        path = self.getsockname()
        return os.fsdecode(path.replace(b"\0", b"@", 1)) if isinstance(path, bytes) else str(path)

    def remove_file(self) -> None:
        """Do nothing: this socket has created no file."""


class UnixListener(Listener):
    """A listening Unix socket that removes its file when it is closed, unless it outlives the process."""

    __slots__ = ("_file", "_path")

    def __init__(self) -> None:
        super().__init__(socket.AF_UNIX, socket.SOCK_STREAM)
        self._path = ""
        self._file: os.stat_result | None = None  # until it is removed

    def bind_and_listen(self, path: str, mode: int) -> None:
        """Create the file with a mode, then listen; raise OSError.

        The mode is set by the umask, which is that of all threads for a moment: another user of the directory
        could put a link in place of the file, and chmod() would change the file that it leads to.
        """
        before = os.umask(0o777 & ~mode)
        try:
            self.bind(path)
        finally:
            os.umask(before)
        self._path = os.path.abspath(path)
        self._file = _lstat(self._path)
        self.listen(BACKLOG)
        self.setblocking(False)

    def close(self) -> None:
        """Close, and remove the file unless this socket outlives the process."""
        if not self.outlives_process:
            self.remove_file()  # before: a client that connects now gets ENOENT, not ECONNREFUSED
        super().close()

    def remove_file(self) -> None:
        """Remove the file that this socket has created, if it is still there."""
        before, self._file = self._file, None
        now = None if before is None else _lstat(self._path)
        try:
            if before is not None and now is not None and _is_same(before, now):
                os.unlink(self._path)
        except OSError:
            pass  # the directory may be read-only by now; the next server removes the file


class StartError(Exception):
    """The server cannot start; the message says why in one line. ``details`` is a traceback, or ""."""

    details = ""


class UsageError(StartError):
    """An option has no effect with the sockets on which the server listens."""


def listen(host: str, port: int, ipv6_only: bool = False) -> Listener:
    """Return a non-blocking listening socket; raise StartError if that fails.

    On most systems, a socket that listens on ``::`` accepts connections over IPv4, too, unless ``ipv6_only``.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = Listener(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        # Not the error itself: it would form a reference cycle with this frame.
        raise StartError(f"cannot listen on {host}: {_reason(error)}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if ipv6_only and family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        _set_tcp_options(listener)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except (OSError, OverflowError) as error:
        listener.close()
        advice = _TCP_ADVICE.get(getattr(error, "errno", 0), "")
        # Not the error itself: it would form a reference cycle with this frame.
        raise StartError(f"cannot listen on {host} port {port}: {_reason(error)}{advice}") from None
    return listener


def _set_tcp_options(listener: socket.socket) -> None:
    """Set options that connections inherit; raise OSError."""
    # Responses are sent in one piece, so Nagle's algorithm would only delay them.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        # Buffer responses to slow clients in the write buffer, which is bounded, instead of in megabytes of
        # kernel memory.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MAX_UNSENT_IN_KERNEL)


def listen_unix(path: str, mode: int) -> UnixListener:
    """Return a non-blocking listening Unix socket whose file has a mode; raise StartError if that fails.

    A socket file on which no process listens is replaced; any other file is an error.
    """
    listener = None
    try:
        _check_path(path)
        with _lock_of_directory(path):
            _remove_stale(path)
            listener = UnixListener()
            listener.bind_and_listen(path, mode)
    except OSError as error:
        if listener is not None:
            listener.close()
        # Not the error itself: it would form a reference cycle with this frame.
        advice = _UNIX_ADVICE.get(error.errno or 0, "")
        raise StartError(f"cannot listen on the Unix socket {path!r}: {_reason(error)}{advice}") from None
    return listener


def _check_path(path: str) -> None:
    """Raise OSError for a path that a Unix socket cannot have."""
    length = len(os.fsencode(path))
    if not path:
        raise OSError(errno.EINVAL, "the path is empty")
    if "\0" in path:
        raise OSError(errno.EINVAL, "the path contains a NUL")
    if path.startswith("@"):  # in systemd and others, a name in the abstract namespace of Linux
        raise OSError(errno.EINVAL, f"expected a path (for a file of this name, write ./{path})")
    if length > MAX_UNIX_PATH:
        raise OSError(errno.ENAMETOOLONG, f"the path has {length} bytes (at most {MAX_UNIX_PATH})")


@contextmanager
def _lock_of_directory(path: str) -> Iterator[None]:
    """Lock the directory of a path; raise OSError if another process keeps the lock.

    Between ``bind`` and ``listen``, the file of another server looks stale: servers that start at the same
    time would remove each other's files. A directory that cannot be opened or locked is not locked.
    """
    try:
        descriptor = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        yield
        return
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    for attempt in range(LOCK_ATTEMPTS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if attempt == LOCK_ATTEMPTS - 1:
                raise OSError(errno.EAGAIN, "another process keeps its directory locked") from None
            threading.Event().wait(LOCK_INTERVAL)  # at the start, before any loop runs
        except OSError:  # such as EBADF on NFS
            return
        else:
            return


def _remove_stale(path: str) -> None:
    """Remove a socket file on which no process listens; raise OSError if another file or server is there."""
    before = _lstat(path)
    if before is None:
        return
    if not stat.S_ISSOCK(before.st_mode):
        raise OSError(errno.EEXIST, "the file exists and is not a socket (choose another path)")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.setblocking(False)  # the accept queue of a busy server may be full: EAGAIN
        error = client.connect_ex(path)
    if error in (0, errno.EAGAIN, errno.EPROTOTYPE):  # EPROTOTYPE: a socket for datagrams
        raise OSError(errno.EADDRINUSE, "already in use by another process (choose another path)")
    if error not in (errno.ECONNREFUSED, errno.ENOENT):
        raise OSError(error, os.strerror(error))
    now = _lstat(path)
    if now is not None and _is_same(before, now):  # not the file of a server that has started since
        os.unlink(path)


def _is_same(before: os.stat_result, now: os.stat_result) -> bool:
    """Return whether a file is the same as before; an inode alone may be that of a removed file."""
    return os.path.samestat(before, now) and before.st_mtime_ns == now.st_mtime_ns


def _lstat(path: str) -> os.stat_result | None:
    """Return the status of a file, which may be a symbolic link; None if it is missing."""
    try:
        return os.lstat(path)
    except OSError:
        return None


def adopt(descriptor: int, name: str = "") -> Listener:
    """Return the listener of a listening socket that another process has opened, and keeps.

    Raise StartError for any other descriptor. ``name`` is that of the service manager.
    """
    which = f"descriptor {descriptor}" + (f" ({name!r})" if name else "")
    try:
        passed = socket.socket(fileno=descriptor)
    except OSError as error:
        reason = f"{_reason(error)} (expected {_PASSED})"
        raise StartError(f"cannot use {which} as a listening socket: {reason}") from None
    with passed:
        is_stream = passed.family in (*_TCP, socket.AF_UNIX) and passed.type == socket.SOCK_STREAM
        if not is_stream or not passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            reason = f"not listening (expected {_PASSED})"
            raise StartError(f"cannot use {which} as a listening socket: {reason}")
        family, kind, protocol = passed.family, passed.type, passed.proto
        listener = Listener(family, kind, protocol, passed.detach(), name, outlives_process=True)
    try:
        listener.set_inheritable(False)
        listener.setblocking(False)
        if family in _TCP:
            _set_tcp_options(listener)
    except OSError as error:  # such as a socket of another protocol than TCP
        listener.close()
        raise StartError(f"cannot use {which} as a listening socket: {_reason(error)}") from None
    return listener


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def tcp_addresses(listeners: Iterable[Listener]) -> Sequence[tuple[str, int]]:
    """Return the hosts and ports of the TCP sockets among listeners."""
    return [each.tcp_address for each in listeners if each.tcp_address is not None]


def url_of(host: str, port: int) -> str:
    """Return the URL of a server that listens on an address, without a path.

    >>> url_of("127.0.0.1", 4221), url_of("::1", 4221)
    ('http://127.0.0.1:4221', 'http://[::1]:4221')
    """
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
