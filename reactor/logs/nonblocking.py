"""A line writer that never blocks: lines that a terminal, pipe or socket does not accept are dropped.

    Stream                       Written through
    regular file, block device   a duplicate of its descriptor: the same offset and O_APPEND; never blocks
    terminal, device, FIFO       the same file opened again with O_NONBLOCK
    socket                       a duplicate of its descriptor, with MSG_DONTWAIT
    no descriptor (StringIO)     its own write(): in memory, never full

O_NONBLOCK is a flag of the open file description, which the server shares with the shell and other programs.
So it is never set on an inherited file descriptor. Waiting for POLLOUT would not be enough: a terminal is
writable as soon as it can accept one byte.

Several processes may write to the same stream, such as workers. Lines stay whole: one write to a file is
atomic, and pipes and sockets get at most PIPE_BUF bytes at once, which they accept completely or not at all.
A terminal that accepts a part of a line is the exception: other processes may write before the rest.
"""

import errno
import os
import select
import socket
import stat
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TextIO
from weakref import WeakValueDictionary, finalize

Send = Callable[[bytes], int]


class Remainder:
    """The unwritten rest of an entry; it is written before anything else."""

    __slots__ = ("__weakref__", "lock", "unsent")

    def __init__(self) -> None:
        self.unsent = b""
        self.lock = threading.RLock()  # logging may be called from other threads and from signal handlers


# One per open file, by device and inode: standard output and standard error are often the same terminal or
# pipe, and a message must not be written into the middle of a log line.
_remainders: WeakValueDictionary[tuple[int, int], Remainder] = WeakValueDictionary()


def _forget_remainders() -> None:
    for each in list(_remainders.values()):
        each.unsent = b""


# The parent writes the rest of its entry; a forked child must not write it again.
os.register_at_fork(after_in_child=_forget_remainders)


class LineWriter:
    """Writes entries of one or more whole lines to a text stream, and drops those that do not fit.

    ``failed`` is true if the last write failed, and ``reason`` is the reason why entries were last dropped.
    The constructor opens the file, while file descriptors are available; ``write`` opens it again if that
    failed, or after ``close``.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._send: Send | None = None
        self._close: Callable[[], object] | None = None
        self._size = 0  # maximum bytes per write; 0: no limit
        self._remainder = Remainder()
        self.failed = False
        self.reason = ""
        with suppress(OSError, ValueError, AttributeError):  # the first write reports the error
            self._open(stream.fileno())

    def write(self, entries: Sequence[str]) -> int:
        """Write entries; return the number of dropped ones. Never block or raise."""
        self.failed = False
        try:
            descriptor = self._stream.fileno()
        except (OSError, ValueError, AttributeError):
            return self._write_in_memory(entries)
        text = "".join(entries).encode("utf-8", "backslashreplace")
        try:
            send = self._send or self._open(descriptor)
        except OSError as error:
            self._fail(error)
            return len(entries)
        remainder = self._remainder
        with remainder.lock:
            data = remainder.unsent + text if remainder.unsent else text
            sent = self._send_all(send, data)
            if sent == len(data):
                remainder.unsent = b""
                return 0
            return self._keep_remainder(entries, data, sent, len(data) - len(text))

    def close(self) -> None:
        """Close the writer's own file descriptor; the stream stays open."""
        if self._send is not None and self._remainder.unsent:
            self.write(())
        if self._close is not None:
            self._close()
        self._send = self._close = None

    def _write_in_memory(self, entries: Sequence[str]) -> int:
        try:
            self._stream.write("".join(entries))
        except (OSError, ValueError) as error:  # ValueError: the stream is closed
            self._fail(error)
            return len(entries)
        return 0

    def _send_all(self, send: Send, data: bytes) -> int:
        """Send as much as the file accepts; return the number of bytes sent."""
        size = self._size or len(data)
        start = 0
        try:
            while start < len(data):
                end = len(data)
                if end - start > size:  # as many whole lines as fit, or a part of a longer one
                    end = data.rfind(b"\n", start, start + size) + 1 or start + size
                sent = send(data[start:end])
                if not sent:
                    break
                start += sent
        except BlockingIOError:
            pass
        except OSError as error:
            self._fail(error)
        if start < len(data) and not self.failed:
            self.reason = f"{self._name()} is not being read fast enough"
        return start

    def _keep_remainder(self, entries: Sequence[str], data: bytes, sent: int, start: int) -> int:
        """Keep the rest of the entry at position ``sent``; return the number of dropped entries.

        The entries begin at ``start``, after the remainder of an earlier one.
        """
        if sent < start:
            self._remainder.unsent = data[sent:start]
            return len(entries)
        for index, entry in enumerate(entries):
            if sent == start:
                self._remainder.unsent = b""
                return len(entries) - index
            end = start + len(entry.encode("utf-8", "backslashreplace"))
            if sent < end:
                self._remainder.unsent = data[sent:end]
                return len(entries) - index - 1
            start = end
        return 0

    def _fail(self, error: OSError | ValueError) -> None:
        self.failed = True
        self.reason = getattr(error, "strerror", None) or str(error)

    def _name(self) -> str:
        name = getattr(self._stream, "name", None)
        return name.strip("<>") if isinstance(name, str) else f"file descriptor {name}"

    def _open(self, descriptor: int) -> Send:
        """Open the file of a descriptor again; raise OSError.

        Later writes do not use the stream's own descriptor: if the application closes it, the kernel may
        reuse its number for a connection or an upload.
        """
        status = os.fstat(descriptor)
        is_file = not (stat.S_ISFIFO(status.st_mode) or stat.S_ISSOCK(status.st_mode))
        self._size = 0 if is_file else select.PIPE_BUF  # atomic up to this size
        try:
            send, close = _open_again(descriptor, status)
        except OSError as error:
            reason = f"cannot open {self._name()} in non-blocking mode: {error.strerror}"
            raise OSError(error.errno, reason) from None
        self._remainder = _remainders.setdefault(_identity(descriptor, status), self._remainder)
        self._close = finalize(self, close)
        self._send = send
        return send


def _identity(descriptor: int, status: os.stat_result) -> tuple[int, int]:
    """Return a key that is equal for all descriptors of a file; /dev/tty has an inode of its own."""
    with suppress(OSError):
        os.tcgetpgrp(descriptor)  # raises unless it is the controlling terminal
        return 0, 0
    return status.st_dev, status.st_ino


def _open_again(descriptor: int, status: os.stat_result) -> tuple[Send, Callable[[], None]]:
    """Return functions that write to the file of a descriptor without blocking, and close it."""
    if stat.S_ISSOCK(status.st_mode):
        # With SOCK_NONBLOCK, Python treats the socket as non-blocking and does not change its mode, even
        # after socket.setdefaulttimeout().
        kind = socket.SOCK_STREAM | getattr(socket, "SOCK_NONBLOCK", 0)
        sock = socket.socket(type=kind, fileno=os.dup(descriptor))
        return lambda data: sock.send(data, socket.MSG_DONTWAIT), sock.close
    write: Callable[[int, bytes], int] = os.write
    if stat.S_ISCHR(status.st_mode):
        own = _open_device(descriptor, status.st_rdev)
    elif stat.S_ISFIFO(status.st_mode):
        try:
            own = _reopen(f"/proc/self/fd/{descriptor}")
        except OSError:  # no /proc, another user's pipe, or a FIFO without a reader
            own = os.dup(descriptor)
            write = _write_to_shared_pipe
    else:
        own = os.dup(descriptor)
    return partial(write, own), partial(os.close, own)


def _reopen(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)


def _open_device(descriptor: int, device: int) -> int:
    """Open the terminal or device of a descriptor again, with O_NONBLOCK; raise OSError."""
    try:
        return _reopen(f"/proc/self/fd/{descriptor}")
    except OSError as error:
        first_error = error
    with suppress(OSError):  # a system without /proc
        own = _reopen(os.ttyname(descriptor))
        if os.fstat(own).st_rdev == device:
            return own
        os.close(own)
    with suppress(OSError):
        # After "su", the terminal belongs to another user, but /dev/tty can still be opened.
        os.tcgetpgrp(descriptor)  # raises unless it is the controlling terminal
        return _reopen("/dev/tty")
    raise first_error


def _write_to_shared_pipe(descriptor: int, data: bytes) -> int:
    """Write at most PIPE_BUF bytes to a pipe in blocking mode, if it is writable; return the number.

    A writable pipe accepts PIPE_BUF bytes, unless another process fills it between poll() and write().
    RWF_NOWAIT (Linux 6.4, unnamed pipes) avoids that race. Elsewhere it is accepted: the alternative is to
    drop every line of a server started by another user (su-exec in a container) or on macOS.
    """
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    if not poll.poll(0):
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    try:
        return os.pwritev(descriptor, [data], -1, os.RWF_NOWAIT)
    except AttributeError:
        pass
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
    return os.write(descriptor, data)
