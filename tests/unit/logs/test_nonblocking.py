"""The line writer: each kind of stream gets whole lines, in order, and none blocks the caller."""

import errno
import fcntl
import io
import itertools
import os
import random
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, TextIO

import pytest

from reactor.logs import nonblocking
from reactor.logs.nonblocking import LineWriter
from tests.support.process import ROOT, TIMEOUT, environment
from tests.system.test_access_log_pipe import in_time

LINES = 5000  # more than any of the streams below can buffer


class Target:
    """A stream whose other end is read only on request."""

    def __init__(self, stream: TextIO, read: Callable[[int], bytes]) -> None:
        self.stream = stream
        self._read = read
        self.received = b""

    def read(self, size: int) -> bool:
        """Read up to ``size`` bytes; return False if nothing is available."""
        try:
            data = self._read(size)
        except BlockingIOError:
            return False
        self.received += data.replace(b"\r", b"")  # a terminal ends its lines with CRLF
        return bool(data)

    def lines(self) -> list[str]:
        """Read everything; return the lines, all of them whole."""
        while self.read(65536):
            pass
        assert not self.received or self.received.endswith(b"\n"), self.received[-100:]
        return self.received.decode().split("\n")[:-1]

    def blocking(self) -> bool:
        return not fcntl.fcntl(self.stream.fileno(), fcntl.F_GETFL) & os.O_NONBLOCK


def open_pty() -> tuple[int, int]:
    """Open a terminal; return its non-blocking master side and the terminal."""
    master, terminal = os.openpty()
    os.set_blocking(master, False)
    return master, terminal


@pytest.fixture(params=["terminal", "pipe", "another user's pipe", "old pipe", "old kernel", "socket"])
def target(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    if request.param == "socket":
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        with ours, theirs, os.fdopen(ours.detach(), "w") as stream:
            yield Target(stream, theirs.recv)
        return
    reader, writer = open_pty() if request.param == "terminal" else os.pipe()
    os.set_blocking(reader, False)
    if request.param in ("another user's pipe", "old pipe", "old kernel"):
        monkeypatch.setattr(nonblocking, "_reopen", refuse)
    if request.param == "old pipe":
        monkeypatch.delattr(os, "pwritev")
    if request.param == "old kernel":
        monkeypatch.setattr(os, "pwritev", unsupported)
    with os.fdopen(writer, "w") as stream:
        yield Target(stream, lambda size: os.read(reader, size))
        os.close(reader)


def unsupported(*_: object) -> int:
    raise OSError(errno.EOPNOTSUPP, "Operation not supported")


def refuse(path: str) -> int:
    raise PermissionError(13, "Permission denied", path)


def test_an_unread_stream_drops_lines_and_keeps_its_blocking_mode(target: Target) -> None:
    writer = LineWriter(target.stream)
    dropped: list[int] = []
    in_time(lambda: dropped.extend(writer.write([f"{number} {'x' * 80}\n"]) for number in range(LINES)))
    assert 0 < sum(dropped) < LINES
    assert not writer.failed
    assert writer.reason.endswith("is not being read fast enough")
    assert target.blocking()
    while target.read(65536):
        pass
    assert writer.write(["last\n"]) == 0
    lines = target.lines()
    assert lines.pop() == "last"
    kept = [number for number, lost in enumerate(dropped) if not lost]
    assert [int(line.split()[0]) for line in lines] == kept
    writer.close()


@pytest.mark.parametrize("seed", range(5))
def test_a_slow_reader_gets_whole_lines_and_the_rest_are_counted(target: Target, seed: int) -> None:
    chance = random.Random(seed)
    writer = LineWriter(target.stream)
    written = [f"{number} {'y' * chance.choice([1, 80, 900, 9000])}\n" for number in range(2000)]
    dropped = 0

    def write() -> None:
        nonlocal dropped
        start = 0
        while start < len(written):
            entries = written[start : start + chance.randrange(1, 40)]
            dropped += writer.write(entries)
            start += len(entries)
            target.read(chance.choice([1, 300, 5000, 50_000]))

    in_time(write)
    while not target.received.endswith(b"\nlast\n"):
        while target.read(65536):
            pass
        writer.write(["last\n"])
        target.read(65536)
    *lines, last = target.lines()
    assert last == "last"
    lines = [line for line in lines if line != "last"]
    assert len(lines) + dropped == len(written)
    assert dropped > 0
    by_number = {line.split()[0]: line for line in written}
    assert all(by_number[line.split()[0]] == f"{line}\n" for line in lines)
    numbers = [int(line.split()[0]) for line in lines]
    assert numbers == sorted(numbers)
    writer.close()


def test_messages_and_log_lines_do_not_mix_on_a_terminal() -> None:
    master, terminal = open_pty()
    with os.fdopen(terminal, "w") as stdout, os.fdopen(os.dup(terminal), "w") as stderr:
        target = Target(stdout, lambda size: os.read(master, size))
        log, messages = LineWriter(stdout), LineWriter(stderr)
        in_time(lambda: log.write([f"{'x' * 997}\n"] * 100))
        while target.read(65536):
            pass
        assert not target.received.endswith(b"\n"), "the terminal accepted only whole lines"
        assert messages.write(["message\n"]) == 0
        *lines, last = target.lines()
        assert last == "message"
        assert {len(line) for line in lines} == {997}
        log.close()
        messages.close()
    os.close(master)


@pytest.mark.system
def test_a_terminal_of_another_user_is_opened_as_the_controlling_terminal() -> None:
    script = (
        "import fcntl, os, sys, termios\n"
        "from reactor.logs import nonblocking as line_writer\n"
        "os.setsid()\n"
        "fcntl.ioctl(1, termios.TIOCSCTTY, 0)\n"
        "reopen = line_writer._reopen\n"
        "def refuse(path):\n"
        "    if path != '/dev/tty':\n"
        "        raise PermissionError(13, 'Permission denied')\n"
        "    return reopen(path)\n"
        "line_writer._reopen = refuse\n"
        "writer = line_writer.LineWriter(sys.stdout)\n"
        "sys.exit(writer.write(['hello\\n'] * 5000) in (0, 5000))\n"
    )
    master, terminal = open_pty()
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=environment(),
        stdout=terminal,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0
    assert os.read(master, 100).startswith(b"hello\r\nhello\r\n")
    os.close(terminal)
    os.close(master)


def test_a_terminal_that_cannot_be_reopened_is_not_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nonblocking, "_reopen", refuse)
    master, terminal = open_pty()
    with os.fdopen(terminal, "w") as stream:
        writer = LineWriter(stream)
        assert writer.write(["one\n", "two\n"]) == 2
        assert writer.failed
        assert (
            writer.reason == f"cannot open file descriptor {terminal} in non-blocking mode: Permission denied"
        )
        monkeypatch.undo()
        assert writer.write(["three\n"]) == 0
        assert not writer.failed
        assert os.read(master, 100) == b"three\r\n"
        writer.close()
    os.close(master)


def test_a_hung_up_terminal_is_a_failure() -> None:
    master, terminal = open_pty()
    with os.fdopen(terminal, "w") as stream:
        writer = LineWriter(stream)
        assert writer.write(["one\n"]) == 0
        os.close(master)
        assert writer.write(["two\n", "three\n"]) == 2
        assert (writer.failed, writer.reason) == (True, "Input/output error")
        writer.close()


def test_a_pipe_receives_only_whole_lines() -> None:
    reader, end = os.pipe()
    os.set_blocking(reader, False)
    with os.fdopen(end, "w") as stream:
        writer = LineWriter(stream)
        assert 0 < writer.write([f"{'z' * 700}\n"] * 1000) < 1000
        assert Target(stream, lambda size: os.read(reader, size)).lines()  # whole, without another write
        writer.close()
    os.close(reader)


def test_a_default_socket_timeout_has_no_effect() -> None:
    ours, theirs = socket.socketpair()
    with theirs, os.fdopen(ours.detach(), "w") as stream:
        socket.setdefaulttimeout(TIMEOUT)
        try:
            writer = LineWriter(stream)
            in_time(lambda: writer.write(["line\n"] * 200_000))
            assert Target(stream, theirs.recv).blocking()
            assert writer.reason.endswith("is not being read fast enough")
        finally:
            socket.setdefaulttimeout(None)
        writer.close()


@pytest.mark.system
@pytest.mark.parametrize("mode", ["w", "a"])
def test_a_regular_file_keeps_its_shared_offset(tmp_path: Path, mode: Literal["w", "a"]) -> None:
    path = tmp_path / "log"
    path.write_text("before\n")
    with path.open(mode) as stream:
        writer = LineWriter(stream)
        assert writer.write(["one\n"]) == 0
        subprocess.run(["echo", "two"], stdout=stream, check=True)
        assert writer.write(["three\n"]) == 0
        writer.close()
    assert path.read_text() == "before\n" * (mode == "a") + "one\ntwo\nthree\n"


def test_a_reused_descriptor_is_not_written(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as stream, (tmp_path / "upload").open("w") as upload:
        writer = LineWriter(stream)
        writer.write(["one\n"])
        os.dup2(upload.fileno(), stream.fileno())
        writer.write(["two\n"])
        writer.close()
    assert (tmp_path / "log").read_text() == "one\ntwo\n"
    assert (tmp_path / "upload").read_text() == ""


def test_a_full_device_is_a_failure_until_a_write_succeeds() -> None:
    with open("/dev/full", "w") as stream:
        writer = LineWriter(stream)
        assert writer.write(["one\n", "two\n"]) == 2
        assert (writer.failed, writer.reason) == (True, "No space left on device")
        writer.close()


def test_an_in_memory_stream_is_written_until_closed(tmp_path: Path) -> None:
    memory = io.StringIO()
    assert LineWriter(memory).write(["one\n", "two\n"]) == 0
    assert memory.getvalue() == "one\ntwo\n"
    file = (tmp_path / "log").open("w")
    writers = [LineWriter(memory), LineWriter(file)]
    writers[1].write(["one\n"])
    memory.close()
    file.close()
    for writer in writers:
        assert writer.write(["one\n", "two\n"]) == 2
        assert writer.failed
        assert "closed file" in writer.reason
        writer.close()


def test_a_closed_or_collected_writer_closes_its_descriptor(target: Target) -> None:
    before = os.listdir("/dev/fd")
    for _ in range(3):
        closed, forgotten = LineWriter(target.stream), LineWriter(target.stream)
        closed.write(["one\n"])
        forgotten.write(["two\n"])
        assert len(os.listdir("/dev/fd")) == len(before) + 2
        closed.close()
        closed.write(["three\n"])
        closed.close()
        del forgotten
        assert os.listdir("/dev/fd") == before
    assert target.lines() == ["one", "two", "three"] * 3


@pytest.mark.parametrize("target", ["pipe", "socket"], indirect=True)
def test_lines_of_two_processes_are_whole(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    # Writers of one process share the rest of a line; those of two processes do not.
    numbers = itertools.count()
    monkeypatch.setattr(nonblocking, "_identity", lambda descriptor, status: (descriptor, next(numbers)))
    writers = [LineWriter(target.stream), LineWriter(target.stream)]
    assert writers[0]._remainder is not writers[1]._remainder
    chance, kept = random.Random(1), 0
    for _ in range(300):
        for name, writer in zip("ab", writers, strict=True):
            entries = [f"<{name * chance.randrange(1, 3000)}>\n" for _ in range(20)]
            kept += len(entries) - writer.write(entries)
        target.read(chance.randrange(1, 50_000))
    lines = target.lines()
    assert len(lines) == kept
    assert [line for line in lines if not re.fullmatch("<(a+|b+)>", line)] == []
    for writer in writers:
        writer.close()


def test_a_forked_child_does_not_write_the_rest_of_its_parents_line() -> None:
    with os.fdopen(os.open(os.devnull, os.O_WRONLY), "w") as stream:
        writer = LineWriter(stream)
        writer._remainder.unsent = b"rest"
        nonblocking._forget_remainders()  # registered with os.register_at_fork
        assert writer._remainder.unsent == b""
        writer.close()
