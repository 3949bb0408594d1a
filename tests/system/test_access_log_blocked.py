"""A server answers 10,000 requests whatever the state of its access log, and reports dropped lines once."""

import os
import re
import resource
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from reactor.logs.access_log import REPORT_INTERVAL, AccessLog
from tests.support.in_process import Harness
from tests.support.process import ClientConnection, ServerProcess, head, run_command
from tests.system.test_access_log_pipe import Pipe
from tests.unit.logs.test_access_log import LINE, Log

REQUESTS = 10_000
AT_ONCE = 50
UNREAD = r"dropped (\d+) access log lines \(stdout is not being read fast enough\)"


class Case(NamedTuple):
    """A kind of standard output, and the messages about the log that are expected in a whole run."""

    stdout: int
    messages: tuple[str, ...]
    launcher: tuple[str, ...] = ()


def failing(reason: str) -> tuple[str, str]:
    return f"cannot write the access log: {reason}", rf"dropped (10000) access log lines \({reason}\)"


@pytest.fixture(params=["terminal", "pipe", "socket", "full device", "no reader", "closed"])
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    with ExitStack() as stack:
        if request.param == "terminal":
            master, terminal = os.openpty()
            stack.callback(os.close, master)
            stack.callback(os.close, terminal)
            yield Case(terminal, (UNREAD,))
        elif request.param == "pipe":
            pipe = Pipe()
            stack.callback(os.close, pipe.reading_end)
            stack.callback(pipe.stream.close)
            pipe.fill()
            yield Case(pipe.writing_end, (UNREAD,))
        elif request.param == "socket":
            ours, theirs = socket.socketpair()
            stack.enter_context(ours)
            stack.enter_context(theirs)
            yield Case(ours.fileno(), (UNREAD,))
        elif request.param == "full device":
            full = os.open("/dev/full", os.O_WRONLY)
            stack.callback(os.close, full)
            yield Case(full, failing("No space left on device"))
        elif request.param == "no reader":
            reader, writer = os.pipe()
            os.close(reader)
            stack.callback(os.close, writer)
            yield Case(writer, failing("Broken pipe"))
        else:
            launcher = ("sh", "-c", 'exec "$@" >&-', "sh")
            null = os.open(os.devnull, os.O_WRONLY)
            stack.callback(os.close, null)
            yield Case(null, ("access log disabled: stdout is closed",), launcher)


def ask(port: int, count: int) -> None:
    """Send requests, some at once, and wait for a 200 to each."""
    with ClientConnection(port) as connection:
        for _ in range(count // AT_ONCE):
            connection.send(head("GET", "/echo/a") * AT_ONCE)
            assert [connection.answer().content for _ in range(AT_ONCE)] == [b"a"] * AT_ONCE


def stop(server: ServerProcess) -> list[str]:
    """Stop a server; return its messages about the log."""
    server.send_signal(signal.SIGTERM)
    assert server.exit_code() == 0
    prefix = re.compile("reactor: (?:warning|error): ")
    return [prefix.sub("", line) for line in server.stderr.rest() if "access log" in line]


def test_10_000_requests_are_answered_and_the_log_is_reported_once(case: Case) -> None:
    began = time.monotonic()
    with ServerProcess(stdout=case.stdout, launcher=case.launcher) as server:
        ask(server.port, REQUESTS)
        assert os.get_blocking(case.stdout), "the server changed the mode of the shared file description"
        messages = stop(server)
    # A server whose output is closed says so before its start line, which the harness has read.
    matches = [re.fullmatch(expected, line) for expected, line in zip(case.messages, messages, strict=False)]
    assert all(matches), messages
    expected = len(case.messages) - bool(case.launcher)
    further = int((time.monotonic() - began) / REPORT_INTERVAL)  # on a slow machine
    assert expected <= len(messages) <= expected + further, messages
    counts = [int(match[1]) for match in matches if match and match.groups()]
    assert all(0 < count <= REQUESTS for count in counts)


def test_a_closed_stdout_is_reported_and_no_connection_takes_its_place() -> None:
    # Descriptors 0 to 2 are reserved; what a C library prints must not be sent to a client.
    code = (
        "import os, sys\n"
        "from reactor.cli.main import main\n"
        "from reactor.cli import main as cli\n"
        "def serve(*args, **kwargs):\n"
        "    print(*(os.readlink(f'/proc/self/fd/{each}') for each in range(2)), file=sys.stderr)\n"
        "cli.serve = serve\n"
        "main([])\n"
    )
    command = ("sh", "-c", 'exec "$@" <&- >&-', "sh", sys.executable, "-c", code)
    done = run_command(*command)
    assert done.stderr == "reactor: warning: access log disabled: stdout is closed\n/dev/null /dev/null\n"
    assert run_command(*command, REACTOR_NO_ACCESS_LOG="1").stderr == "/dev/null /dev/null\n"


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit (Linux)")
def test_a_log_on_a_full_disk_resumes_with_whole_lines_when_there_is_space_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("a") as log, ServerProcess(stdout=log.fileno()) as server:
        _, hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (10_000, hard))
        ask(server.port, REQUESTS)
        assert path.stat().st_size == 10_000
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (hard, hard))
        ask(server.port, AT_ONCE)
        failure, dropped = stop(server)
    lines = path.read_text().splitlines()
    assert all(LINE.fullmatch(line) for line in lines)
    assert failure == "cannot write the access log: File too large"
    match = re.fullmatch(r"dropped (\d+) access log lines \(File too large\)", dropped)
    assert match
    assert len(lines) + int(match[1]) == REQUESTS + AT_ONCE


class Failing(Log):
    """A stream in memory that fails while ``fails`` is true."""

    fails = True

    def write(self, text: str) -> int:
        if self.fails:
            raise OSError(28, "No space left on device")
        return super().write(text)


FAILURE = "cannot write the access log: No space left on device"


def test_a_failure_is_reported_when_it_begins_and_its_count_when_it_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = Failing()
    with Harness(access_log=log) as server:
        client = server.connect()
        for _ in range(3):
            client.get("/")
        assert caplog.messages == [FAILURE]
        log.fails = False
        client.get("/echo/later")
        assert caplog.messages == [FAILURE, "dropped 3 access log lines (No space left on device)"]
        assert ["/echo/later" in line for line in log.lines] == [True], "an old line was kept in memory"


def test_a_log_that_fails_now_and_then_is_reported_at_intervals(caplog: pytest.LogCaptureFixture) -> None:
    log = Failing()
    with Harness(access_log=log) as server:
        client = server.connect()
        for _ in range(20):
            log.fails = not log.fails
            client.get("/")
            log.fails = not log.fails
            client.get("/")
        first = [FAILURE, "dropped 1 access log lines (No space left on device)", FAILURE]
        assert caplog.messages == first
        server.clock.advance(REPORT_INTERVAL)
        log.fails = False
        client.get("/")
        assert caplog.messages == [*first, "dropped 19 access log lines (No space left on device)"]


def test_what_was_dropped_is_reported_when_the_log_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    log = Failing()
    with Harness(access_log=log) as server:
        server.connect().get("/")
        lines = server.context.access_log
        assert isinstance(lines, AccessLog)
        lines.close()
        lines.close()
    assert caplog.messages == [FAILURE, "dropped 1 access log lines (No space left on device)"]
