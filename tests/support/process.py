"""The server as a process of its own, started as a user starts it; and a client with a plain socket."""

import io
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Self

from tests.support.in_process import Answer, parse_response

ROOT = Path(__file__).parents[2]
COMMAND = ("-m", "reactor", "--port", "0")
# What a program of the library, which prints nothing by itself, is given as ``on_ready`` for a ServerProcess.
ANNOUNCE = """
import sys

def announce(server):
    print(f"reactor: serving on {server.url} (a program)", file=sys.stderr, flush=True)
"""
START_LINE = re.compile(
    r"reactor: serving (?:.* )?on (?:(http://(\S+?):([0-9]+))(?:/\S*)?|the Unix socket \S+) \(.*\)"
)
# Options that replace --port 0.
LISTEN = ("--port", "--listen", "--unix")
# Starts a program with descriptors from 3 on, as a service manager does: ``LAUNCH "5 7" program ...``.
LAUNCH = """
import fcntl, os, sys
copies = [fcntl.fcntl(int(each), fcntl.F_DUPFD, 100) for each in sys.argv[1].split()]
for number, copy in enumerate(copies):
    os.dup2(copy, 3 + number)
    os.close(copy)
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = str(len(copies))
os.execv(sys.argv[2], sys.argv[2:])
"""
TIMEOUT = 20.0  # seconds; a test that waits longer has failed


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of this process without the variables that change the server's defaults."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REACTOR_")}
    return {**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **(extra or {})}


def run(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run a command line that ends by itself; ``extra`` is added to the environment."""
    return run_command(sys.executable, "-m", "reactor", *arguments, **extra)


def run_command(*command: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run any command to its end, in the same environment."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment(extra),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


class Lines:
    """The lines of a pipe, read continuously so that the pipe is never full."""

    def __init__(self, pipe: IO[str]) -> None:
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    def _read(self, pipe: IO[str]) -> None:
        with pipe:
            for line in pipe:
                self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def next(self) -> str | None:
        """Wait for the next line; None at the end of the output."""
        line = self._lines.get(timeout=TIMEOUT)
        if line is None:
            self._lines.put(None)
        return line

    def rest(self) -> list[str]:
        """Wait for the end; return the lines up to it."""
        return list(iter(self.next, None))

    def join(self) -> None:
        """Wait for the reading thread."""
        self._thread.join(TIMEOUT)


class RunningServer:
    """A server that is reached by its port, and what it writes; started by a subclass."""

    stdout: Lines
    stderr: Lines

    def __init__(self) -> None:
        self._connections: list[ClientConnection] = []
        self.start_line, self.url, self.port = "", "", 0
        self.earlier_lines: list[str] = []  # on standard error, up to the start line

    def read_start_line(self) -> None:
        """Wait until the server serves."""
        seen = self.earlier_lines
        while (line := self.stderr.next()) is not None:
            seen.append(line)
            match = START_LINE.fullmatch(line)
            if match is not None:
                self.start_line, self.url, self.port = line, match[1] or "", int(match[3] or 0)
                return
        raise AssertionError(f"the server did not start: {seen}")

    def connect(self, receive_buffer: int = 0) -> "ClientConnection":
        """Make a connection; a small receive buffer makes a client that takes little at once."""
        client = ClientConnection(self.port, receive_buffer)
        self._connections.append(client)
        return client

    def close_connections(self) -> None:
        """Close every connection that ``connect`` made."""
        for client in self._connections:
            client.close()

    def get(self, path: str, *lines: str) -> Answer:
        """Send one GET request on a new connection."""
        with ClientConnection(self.port) as client:
            return client.get(path, *lines)

    def keep_asking_until(self, condition: Callable[[], bool]) -> None:
        """Let the server take turns, a small request each, until a condition holds."""
        with ClientConnection(self.port) as client:
            for _ in range(20_000):
                if condition():
                    return
                assert client.get("/").status == 200
        raise AssertionError("the condition was never true")


class ServerProcess(RunningServer):
    """A running server: ``with ServerProcess("--directory", path) as server``; killed at the end.

    ``passed`` are listening sockets, which it gets as from a service manager.
    """

    def __init__(
        self,
        *arguments: str,
        command: tuple[str, ...] = COMMAND,
        launcher: tuple[str, ...] = (),
        extra: Mapping[str, str] | None = None,
        stdout: int = subprocess.PIPE,
        passed: Sequence[socket.socket] = (),
    ) -> None:
        super().__init__()
        if command == COMMAND and (passed or any(each in arguments for each in LISTEN)):
            command = COMMAND[:2]  # an option may be given once
        if passed:
            descriptors = " ".join(str(each.fileno()) for each in passed)
            launcher = (sys.executable, "-c", LAUNCH, descriptors, *launcher)
        self.process = subprocess.Popen(
            [*launcher, sys.executable, *command, *arguments],
            cwd=ROOT,
            env=environment(extra),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=[each.fileno() for each in passed],
        )
        self.stdout = Lines(self.process.stdout or io.StringIO())
        self.stderr = Lines(self.process.stderr or io.StringIO())

    def __enter__(self) -> Self:
        try:
            self.read_start_line()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.close_connections()
        self.kill()

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to this process, and to no other."""
        self.process.send_signal(number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.process.terminate()

    def exit_code(self) -> int:
        """Wait for the end of the process."""
        return self.process.wait(TIMEOUT)

    def kill(self) -> None:
        """End the process as ``kill -9`` does, and wait until it is gone."""
        self.process.kill()
        self.process.wait(TIMEOUT)
        self.stdout.join()
        self.stderr.join()


class ClientConnection:
    """A client's end of a real connection; whatever it waits for comes in time, or the test fails."""

    def __init__(self, port: int | str, receive_buffer: int = 0) -> None:
        """Connect to a port of this machine, or to the path of a Unix socket."""
        self.sock = socket.socket(socket.AF_UNIX if isinstance(port, str) else socket.AF_INET)
        self.sock.settimeout(TIMEOUT)
        self.received = b""
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            self.sock.connect(port if isinstance(port, str) else ("127.0.0.1", port))
        except OSError:
            self.sock.close()
            raise

    def __enter__(self) -> "ClientConnection":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.sock.close()

    def send(self, data: bytes) -> None:
        """Send bytes, all of them."""
        self.sock.sendall(data)

    def send_head(self, method: str, path: str, *lines: str) -> None:
        """Send a request's head."""
        self.send(head(method, path, *lines))

    def get(self, path: str, *lines: str) -> Answer:
        """Ask for one thing, and wait for it."""
        self.send_head("GET", path, *lines)
        return self.answer()

    def post(self, path: str, content: bytes, *lines: str) -> Answer:
        """Send content, and wait for the answer."""
        self.send(head("POST", path, f"Content-Length: {len(content)}", *lines) + content)
        return self.answer()

    def answer(self, method: str = "GET") -> Answer:
        """Wait for one response, whole."""
        closed = False
        while True:
            answer, length = parse_response(self.received, method, closed)
            if answer is not None:
                self.received = self.received[length:]
                return answer
            assert not closed, f"closed before the response was complete: {self.received!r}"
            data = self.sock.recv(1 << 18)
            self.received += data
            closed = not data

    def hangs(self) -> bool:
        """Return whether nothing has come, without waiting: use it only after another client's answer."""
        self.sock.setblocking(False)
        try:
            self.received += self.sock.recv(4096)
        except BlockingIOError:
            return True
        finally:
            self.sock.settimeout(TIMEOUT)
        return False

    def read_head(self) -> bytes:
        """Wait for the head of a response; its content is left to ``read``."""
        while b"\r\n\r\n" not in self.received:
            data = self.sock.recv(1024)
            assert data, f"closed before the head was complete: {self.received!r}"
            self.received += data
        data, _, self.received = self.received.partition(b"\r\n\r\n")
        return data

    def read_to_end(self) -> bytes:
        """Wait for all that comes until the server closes; a reset is an end, too."""
        pieces, self.received = [self.received], b""
        try:
            while data := self.sock.recv(1 << 18):
                pieces.append(data)
        except ConnectionResetError:
            pass
        return b"".join(pieces)

    def assert_closed(self) -> None:
        """Wait for the end, and assert that no byte comes before it; a reset fails."""
        assert self.received == b""
        assert self.sock.recv(1024) == b""


def head(method: str, path: str, *lines: str) -> bytes:
    """Write a request's head."""
    fields = "".join(f"{line}\r\n" for line in ("Host: localhost", *lines))
    return f"{method} {path} HTTP/1.1\r\n{fields}\r\n".encode("latin-1")
