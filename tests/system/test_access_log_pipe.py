"""An unread log pipe never blocks the server: lines are dropped, and their number is logged."""

import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from typing import TextIO

import pytest

from tests.support.in_process import Harness
from tests.support.process import TIMEOUT, ServerProcess
from tests.unit.logs.test_access_log import LINE

MANY = 3000  # lines, more than a pipe holds


class Pipe:
    """A pipe; the access log writes to ``stream``."""

    def __init__(self) -> None:
        self.reading_end, self.writing_end = os.pipe()
        os.set_blocking(self.reading_end, False)
        self.stream: TextIO = os.fdopen(self.writing_end, "w", encoding="ascii")

    def fill(self) -> None:
        """Write until the pipe is full."""
        os.set_blocking(self.writing_end, False)
        for size in (65536, 1):
            try:
                while True:
                    os.write(self.writing_end, b"." * size)
            except BlockingIOError:
                pass
        os.set_blocking(self.writing_end, True)

    def read(self) -> str:
        """Return what the pipe contains, and what is written to it while it is read."""
        pieces = []
        try:
            while octets := os.read(self.reading_end, 65536):
                pieces.append(octets)
        except BlockingIOError:
            pass
        return b"".join(pieces).decode()

    def lines(self) -> list[str]:
        text = self.read()
        assert not text or text.endswith("\n"), "a line is incomplete"
        return text.split("\n")[:-1]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    one = Pipe()
    yield one
    os.close(one.reading_end)  # a thread that is still blocked in a write gets an error
    one.stream.close()


def in_time(function: Callable[[], object]) -> None:
    """Call a function; fail if it raises an exception or does not return in time."""
    failures: list[BaseException] = []

    def call() -> None:
        try:
            function()
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(TIMEOUT)
    assert not thread.is_alive(), "the log blocks the server"
    if failures:
        raise failures[0]


def told_dropped(caplog: pytest.LogCaptureFixture) -> list[int]:
    matches = [re.match(r"dropped (\d+) access log lines", each.message) for each in caplog.records]
    return [int(match[1]) for match in matches if match]


@pytest.mark.parametrize("layout", ["combined", "json"])
@pytest.mark.parametrize("at_once", [1, 50], ids=["a line a turn", "many a turn"])
def test_a_pipe_that_nobody_reads_drops_lines_and_says_how_many(
    pipe: Pipe, layout: str, at_once: int, caplog: pytest.LogCaptureFixture
) -> None:
    with Harness(access_log=pipe.stream, log_format=layout) as server:
        client = server.connect()

        def ask() -> None:
            for start in range(0, MANY, at_once):
                paths = range(start, start + at_once)
                client.send(b"".join(b"GET /echo/%d HTTP/1.1\r\nHost: x\r\n\r\n" % path for path in paths))
                assert len(client.responses()) == at_once

        in_time(ask)
        assert told_dropped(caplog) == []
        kept = pipe.lines()
        assert 0 < len(kept) < MANY
        in_time(lambda: client.get("/echo/later"))
        [later] = pipe.lines()
        assert "/echo/later" in later
        assert told_dropped(caplog) == [MANY - len(kept)]
        in_time(lambda: client.get("/echo/last"))
        assert len(pipe.lines()) == 1
        assert told_dropped(caplog) == [MANY - len(kept)], "dropped lines were reported more than once"


def test_a_full_pipe_takes_no_part_of_a_line(pipe: Pipe, caplog: pytest.LogCaptureFixture) -> None:
    pipe.fill()
    with Harness(access_log=pipe.stream) as server:
        client = server.connect()
        in_time(lambda: [client.get("/") for _ in range(3)])
        assert set(pipe.read()) == {"."}
        in_time(lambda: client.get("/echo/later"))
        [line] = pipe.lines()
        assert LINE.fullmatch(line)
        assert told_dropped(caplog) == [3]


# How many pages of the pipe one line fills: the space that is left is too small for the next line.
@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(b"User-Agent: %b\r\nReferer: %b" % (b"long" * 2000, b"r" * 3000), id="3 pages"),
        pytest.param(b"User-Agent: %b\r\nReferer: %b" % (b"long" * 2000, b"r" * 8000), id="4 pages"),
        pytest.param(b"User-Agent: %b\r\nReferer: r" % (b"\x80" * 8000), id="8 pages, once escaped"),
        pytest.param(b"User-Agent: %b\r\nReferer: %b" % (b"\x80" * 8000, b"r" * 3000), id="9 pages"),
    ],
)
def test_lines_longer_than_a_pipe_takes_at_once_do_not_block_either(pipe: Pipe, fields: bytes) -> None:
    with Harness(access_log=pipe.stream) as server:
        client = server.connect()

        def ask() -> None:
            for _ in range(30):
                client.send(b"GET / HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n" % fields)
                client.assert_responds()

        in_time(ask)
        assert all(LINE.fullmatch(line) for line in pipe.lines())
        in_time(lambda: client.get("/echo/later"))
        assert "/echo/later" in pipe.lines()[-1]


def test_a_server_with_a_full_pipe_for_its_output_answers_and_stops(pipe: Pipe) -> None:
    pipe.fill()
    with ServerProcess(stdout=pipe.writing_end) as server:
        for _ in range(5):
            assert server.get("/").status == 200
        server.send_signal(signal.SIGTERM)
        assert server.exit_code() == 0
    assert set(pipe.read()) == {"."}


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_user_agent_that_the_output_cannot_encode_is_logged(pipe: Pipe, encoding: str) -> None:
    with ServerProcess(stdout=pipe.writing_end, extra={"PYTHONIOENCODING": encoding}) as server:
        assert server.get("/", "User-Agent: b\xe4r").status == 200
        assert server.get("/echo/next").status == 200
        server.send_signal(signal.SIGTERM)
        assert server.exit_code() == 0
        assert not [line for line in server.stderr.rest() if "cannot write" in line]
    first, second = pipe.lines()
    assert '"b\xe4r"' in first
    assert "/echo/next" in second
