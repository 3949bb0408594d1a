"""Standard error may be closed, or a pipe whose reader is gone: the server serves, and ends with 0."""

import logging
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reactor.cli import MessageHandler
from tests.process import COMMAND, PATIENCE, ROOT, Wire, environment
from tests.test_access_log_pipe import Pipe

# Nobody can read the port from standard error here, so Python is made to tell it when it listens.
TELL_PORT = """\
import os
import socket

def listen(self, backlog, listen=socket.socket.listen):
    listen(self, backlog)
    os.write(int(os.environ["PORT_PIPE"]), b"%d" % self.getsockname()[1])

socket.socket.listen = listen
"""
CLOSED = ("sh", "-c", 'exec "$@" 2>&-', "sh")


@pytest.fixture
def broken() -> Iterator[int]:
    reading_end, writing_end = os.pipe()
    os.close(reading_end)
    yield writing_end
    os.close(writing_end)


def start(tmp_path: Path, launcher: tuple[str, ...], stderr: int) -> tuple[subprocess.Popen[bytes], int]:
    """Start a server; return it with its port."""
    (tmp_path / "sitecustomize.py").write_text(TELL_PORT)
    reading_end, writing_end = os.pipe()
    extra = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "PORT_PIPE": str(writing_end)}
    process = subprocess.Popen(
        [*launcher, sys.executable, *COMMAND],
        cwd=ROOT,
        env=environment(extra),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        pass_fds=[writing_end],
    )
    os.close(writing_end)
    try:
        readable, _, _ = select.select([reading_end], [], [], PATIENCE)
        port = os.read(reading_end, 10) if readable else b""
    finally:
        os.close(reading_end)
    if not port:
        process.kill()
        process.communicate()
        raise AssertionError("the server did not start")
    return process, int(port)


@pytest.fixture
def full() -> Iterator[int]:
    """A pipe that is full, and that nobody reads."""
    pipe = Pipe()
    pipe.fill()
    yield pipe.writing_end
    os.close(pipe.reading_end)
    pipe.stream.close()


def test_a_standard_error_that_nobody_reads_stops_nobody(full: int, tmp_path: Path) -> None:
    process, port = start(tmp_path, (), full)
    try:
        with Wire(port) as served:
            for _ in range(20):
                with Wire(port) as wire:
                    wire.send(b"nonsense\r\n\r\n")
                    assert wire.answer().status == 400
            assert served.get("/echo/abc").content == b"abc"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0


def test_messages_that_were_dropped_are_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = Pipe()
    monkeypatch.setattr("sys.stderr", pipe.stream)
    handler = MessageHandler()
    handler.setFormatter(logging.Formatter("reactor: %(message)s"))
    record = logging.makeLogRecord({"msg": "hello"})
    pipe.fill()
    for _ in range(3):
        handler.emit(record)
    pipe.read()
    for _ in range(2):
        handler.emit(record)
    told = pipe.lines()
    notice = f"reactor: dropped 3 messages (file descriptor {pipe.writing_end} is not being read fast enough)"
    assert told == [notice, "reactor: hello", "reactor: hello"]
    handler.emit(logging.makeLogRecord({"msg": "long " * 5_000}))
    assert pipe.read() == f"reactor: {'long ' * 5_000}\n"
    os.close(pipe.reading_end)
    handler.emit(record)  # nobody will ever read it, and nothing comes of it
    monkeypatch.undo()
    pipe.stream.close()


@pytest.mark.parametrize("how", ["closed", "broken"])
def test_without_a_standard_error_it_serves_and_ends_with_0(how: str, broken: int, tmp_path: Path) -> None:
    launcher, stderr = (CLOSED, subprocess.DEVNULL) if how == "closed" else ((), broken)
    process, port = start(tmp_path, launcher, stderr)
    try:
        with Wire(port) as wire:
            assert wire.get("/echo/abc").content == b"abc"
            assert wire.get("/nothing").status == 404
            wire.send(b"nonsense\r\n\r\n")  # whose refusal is told on standard error
            assert wire.answer().status == 400
        with Wire(port) as wire:
            assert wire.get("/").status == 200
            process.send_signal(signal.SIGTERM)
            wire.assert_closed()
        output, _ = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    assert [line.split(b'"')[2].split()[0] for line in output.splitlines()] == [
        b"200",
        b"404",
        b"400",
        b"200",
    ]
