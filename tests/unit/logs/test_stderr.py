"""Standard error may be closed, or a pipe without a reader: the server runs, and exits with 0."""

import logging
import os
import re
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reactor.logs.stderr import MessageFormatter, StderrHandler, nonblocking_stderr
from tests.support.process import COMMAND, ROOT, TIMEOUT, ClientConnection, environment, head
from tests.system.test_access_log_pipe import Pipe, in_time

# The port cannot be read from standard error here, so the patched listen() writes it to a pipe.
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


def start(
    tmp_path: Path, launcher: tuple[str, ...], stderr: int, *options: str, stdout: int = subprocess.PIPE
) -> tuple[subprocess.Popen[bytes], int]:
    """Start a server; return it with its port."""
    (tmp_path / "sitecustomize.py").write_text(TELL_PORT)
    reading_end, writing_end = os.pipe()
    extra = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "PORT_PIPE": str(writing_end)}
    process = subprocess.Popen(
        [*launcher, sys.executable, *COMMAND, *options],
        cwd=ROOT,
        env=environment(extra),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        pass_fds=[writing_end],
    )
    os.close(writing_end)
    try:
        readable, _, _ = select.select([reading_end], [], [], TIMEOUT)
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
    """A full pipe that is not being read."""
    pipe = Pipe()
    pipe.fill()
    yield pipe.writing_end
    os.close(pipe.reading_end)
    pipe.stream.close()


@pytest.mark.system
def test_an_unread_stderr_does_not_block(full: int, tmp_path: Path) -> None:
    process, port = start(tmp_path, (), full)
    try:
        with ClientConnection(port) as served:
            for _ in range(20):
                with ClientConnection(port) as client:
                    client.send(b"nonsense\r\n\r\n")
                    assert client.answer().status == 400
            assert served.get("/echo/abc").content == b"abc"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=TIMEOUT)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0


def test_dropped_messages_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = Pipe()
    monkeypatch.setattr("sys.stderr", pipe.stream)
    handler = StderrHandler()
    handler.setFormatter(logging.Formatter("reactor: %(message)s"))
    record = logging.makeLogRecord({"msg": "hello"})
    pipe.fill()
    for _ in range(3):
        handler.emit(record)
    pipe.read()
    for _ in range(2):
        handler.emit(record)
    lines = pipe.lines()
    notice = f"reactor: dropped 3 messages (file descriptor {pipe.writing_end} is not being read fast enough)"
    assert lines == [notice, "reactor: hello", "reactor: hello"]
    handler.emit(logging.makeLogRecord({"msg": "long " * 5_000}))
    assert pipe.read() == f"reactor: {'long ' * 5_000}\n"
    os.close(pipe.reading_end)
    handler.emit(record)  # it will never be read, which has no effect
    monkeypatch.undo()
    pipe.stream.close()


def test_messages_do_not_control_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    StderrHandler().write("reactor: \x1b]0;a\x07 \x9b31m \u202e é 'a\\b'\nsecond line")
    assert capsys.readouterr().err == "reactor: \\x1b]0;a\\x07 \\x9b31m \\u202e é 'a\\b'\nsecond line\n"


def test_warnings_and_errors_begin_with_their_severity() -> None:
    levels = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR)
    names = [logging.getLevelName(level) for level in levels]
    records = [
        logging.makeLogRecord({"msg": "%s", "args": ("why",), "levelno": level, "levelname": name})
        for level, name in zip(levels, names, strict=True)
    ]
    expected = ["reactor: why", "reactor: why", "reactor: warning: why", "reactor: error: why"]
    assert [MessageFormatter().format(record) for record in records] == expected


@pytest.mark.system
@pytest.mark.parametrize("how", ["closed", "broken"])
def test_without_stderr_the_server_runs_and_exits_with_0(how: str, broken: int, tmp_path: Path) -> None:
    launcher, stderr = (CLOSED, subprocess.DEVNULL) if how == "closed" else ((), broken)
    process, port = start(tmp_path, launcher, stderr)
    try:
        with ClientConnection(port) as client:
            assert client.get("/echo/abc").content == b"abc"
            assert client.get("/nothing").status == 404
            client.send(b"nonsense\r\n\r\n")  # its refusal is logged on standard error
            assert client.answer().status == 400
        with ClientConnection(port) as client:
            assert client.get("/").status == 200
            process.send_signal(signal.SIGTERM)
            client.assert_closed()
        output, _ = process.communicate(timeout=TIMEOUT)
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


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """A terminal that is not being read: its non-blocking master side, and the terminal."""
    master, slave = os.openpty()
    os.set_blocking(master, False)
    yield master, slave
    os.close(master)  # a thread that is still blocked gets an error now
    os.close(slave)


def read_lines(master: int) -> list[str]:
    """Read the output of a terminal."""
    pieces = []
    try:
        while piece := os.read(master, 65536):
            pieces.append(piece)
    except BlockingIOError:
        pass
    return b"".join(pieces).decode().split("\r\n")


@pytest.mark.system
@pytest.mark.parametrize("output", ["stderr", "both"])
def test_a_stopped_terminal_does_not_block_10_000_requests(
    terminal: tuple[int, int], tmp_path: Path, output: str
) -> None:
    master, slave = terminal
    stdout = slave if output == "both" else subprocess.DEVNULL
    process, port = start(tmp_path, (), slave, "--explain", stdout=stdout)
    try:
        for _ in range(100):
            with ClientConnection(port) as client:
                client.send(head("GET", "/echo/a") * 100)
                assert {client.answer().content for _ in range(100)} == {b"a"}
        assert os.get_blocking(slave)
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT) == 0
    finally:
        process.kill()
        process.communicate()
    assert re.match(r"reactor: serving on http://127\.0\.0\.1:\d+/ ", read_lines(master)[0])


@pytest.mark.parametrize("reason", ["No space left on device", "Broken pipe"])
def test_messages_lost_by_a_failing_stderr_are_counted(
    reason: str, broken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = Pipe()
    handler = StderrHandler()
    with open("/dev/full", "w") as full, os.fdopen(os.dup(broken), "w") as no_reader:
        monkeypatch.setattr("sys.stderr", no_reader if reason == "Broken pipe" else full)
        for _ in range(3):
            handler.write("lost")
        monkeypatch.setattr("sys.stderr", pipe.stream)
        handler.write("hello")
    assert pipe.lines() == [f"reactor: dropped 3 messages ({reason})", "hello"]
    handler.close()
    os.close(pipe.reading_end)
    pipe.stream.close()


def test_a_record_that_cannot_be_formatted_raises_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    record = logging.makeLogRecord({"msg": "%d", "args": ("x",), "pathname": "app.py", "lineno": 7})
    StderrHandler().handle(record)
    written = capsys.readouterr().err
    assert written.startswith("reactor: cannot format the log message from app.py:7: TypeError(")
    assert written.count("\n") == 1


class Unraisable:
    def __del__(self) -> None:
        raise RuntimeError("planted in __del__")


def drop_unraisable() -> None:
    Unraisable()


def fail_in_thread() -> None:
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()


def warn_without_handlers() -> None:
    logger = logging.Logger("no handlers")  # outside the logger tree: pytest's handlers do not see it
    logger.warning("nothing is configured")


@pytest.mark.parametrize(
    ("fail", "last"),
    [
        (drop_unraisable, "RuntimeError: planted in __del__"),
        (fail_in_thread, "ZeroDivisionError: division by zero"),
        (warn_without_handlers, "nothing is configured"),
    ],
)
def test_messages_of_the_interpreter_do_not_block(
    fail: Callable[[], None], last: str, terminal: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The server would keep pytest's own hooks.
    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)
    master, slave = terminal
    monkeypatch.setattr("sys.stderr", open(slave, "w", closefd=False))  # noqa: SIM115 - closing it may block

    def fail_often() -> None:
        for _ in range(2000):
            fail()

    with nonblocking_stderr():
        fail()
        assert read_lines(master)[-2:] == [last, ""]
        in_time(fail_often)
    monkeypatch.undo()
    assert logging.lastResort is not None
    assert not isinstance(logging.lastResort, StderrHandler)


LIBRARY = """
from reactor import Router, Server

routes = Router()

@routes.get("/")
def fail(request):
    raise RuntimeError("planted")

with Server(routes, port=0) as server:
    print(server.address[1], flush=True)
    server.run()
"""


@pytest.mark.system
def test_a_library_server_with_unread_stderr_serves_and_stops() -> None:
    master, slave = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", LIBRARY],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=slave,
    )
    try:
        assert process.stdout is not None
        with ClientConnection(int(process.stdout.readline())) as client:
            for _ in range(500):
                assert client.get("/").status == 500
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT) == 0
    finally:
        process.kill()
        process.wait(TIMEOUT)
        assert process.stdout is not None
        process.stdout.close()
        os.close(slave)
        os.close(master)
