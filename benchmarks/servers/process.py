"""Server processes under measurement: start, readiness, resource usage, end.

1. Choose a free port, and start the peer's command on the server's core.
2. Wait until one of its own processes listens there and answers a request.
3. While measuring, read CPU time and memory of all its processes, by psutil.
4. At the end, terminate it, then kill all its processes.
"""

import contextlib
import ctypes
import http.client
import os
import resource
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.results.samples import Peer
from benchmarks.servers.peers import Adapter

if TYPE_CHECKING:
    import psutil

SERVER_CORE, CLIENT_CORE = 0, 1

HOST = "127.0.0.1"
ROOT = Path(__file__).parents[2]
START_TIMEOUT = 20.0  # seconds, for a server to start
STOP_TIMEOUT = 3.0  # seconds, for a server to stop before it is killed
TRIES = 3  # each with a new port: another process may have taken the free one
_PR_SET_PDEATHSIG = 1  # prctl(2)


class StartError(Exception):
    """A server did not start; the message is the reason, in one line."""


def pin_to_core(core: int) -> None:
    """Pin this process to one core, if the machine has several; it may have inherited another one."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        try:
            os.sched_setaffinity(0, {core})
        except OSError:
            pass  # the core is not available


def raise_open_file_limit() -> int:
    """Raise the open-file limit of this process to the hard limit; return it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else 1 << 20


class RunningServer:
    """A running server."""

    host = HOST

    def __init__(
        self, peer: Peer, port: int, process: "subprocess.Popen[bytes]", directory: Path, stderr_path: Path
    ) -> None:
        # Imported here, so that the command line can report that psutil is missing.
        import psutil

        self.peer = peer
        self.port = port
        self.directory = directory  # served by it
        self.pid = process.pid
        self._stderr_path = stderr_path
        self._process = process
        self._psutil = psutil.Process(process.pid)

    @property
    def name(self) -> str:
        """The peer's name."""
        return self.peer.name

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port

    @property
    def url(self) -> str:
        """The URL, without a trailing slash."""
        return f"http://{self.host}:{self.port}"

    @property
    def alive(self) -> bool:
        """True while its main process runs."""
        return self._process.poll() is None

    # Resource usage.

    def processes(self) -> "list[psutil.Process]":
        """Return its main process and all descendants."""
        return [self._psutil, *self._psutil.children(recursive=True)] if self.alive else []

    def cpu(self) -> float:
        """Return the CPU time of all its processes, user and system, in seconds."""
        total = 0.0
        for process in self._running():
            # Includes children that have ended.
            total += sum(process.cpu_times()[:4])
        return total

    def resident(self) -> int:
        """Return the resident memory of all its processes, in bytes; shared pages count repeatedly."""
        return sum(int(process.memory_info().rss) for process in self._running())

    def descriptors(self) -> int:
        """Return the number of open file descriptors of its main process."""
        return int(self._psutil.num_fds())

    def log(self) -> str:
        """Return what the server has written to its standard error output."""
        return self._stderr_path.read_text(errors="replace")

    def _running(self) -> "Iterator[psutil.Process]":
        import psutil

        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                process.cpu_times()
                yield process

    # Start and end.

    def wait_until_started(self) -> None:
        """Wait until the server responds; raise StartError if it exits or takes too long."""
        until = time.monotonic() + START_TIMEOUT
        while not (self._listens() and self._answers()):
            if not self.alive:
                raise StartError(f"exit code {self._process.returncode}")
            if time.monotonic() > until:
                raise StartError(f"no response within {START_TIMEOUT:g} seconds")
            time.sleep(0.02)

    def _listens(self) -> bool:
        """Return whether one of its own processes listens on the port, and not another server."""
        import psutil

        for process in self._running():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                for each in process.net_connections("tcp4"):
                    if each.status == psutil.CONN_LISTEN and each.laddr[1] == self.port:
                        return True
        return False

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=START_TIMEOUT)
        try:
            connection.request("GET", "/echo/abc", headers={"Connection": "close"})
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True

    def end(self) -> int:
        """Terminate the server, then kill all its processes; return the exit code of the main process."""
        import psutil

        processes = self.processes()
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_TIMEOUT)
        for process in processes:
            # psutil compares start times, so a reused process id is safe.
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        # The process group also includes processes started just now.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        psutil.wait_procs(processes, STOP_TIMEOUT)
        return self._process.wait()


@contextmanager
def run_server(
    adapter: Adapter, directory: Path | None = None, options: Sequence[str] = (), open_files: int = 0
) -> Iterator[RunningServer]:
    """Run a server on the server's core, serving a directory (None: an empty one).

    ``options`` are added to its command line; ``open_files`` is its ulimit -n, if not 0. Raises StartError.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch:
        shared = directory or Path(scratch) / "shared"
        shared.mkdir(exist_ok=True)
        server = _start(adapter, shared, Path(scratch), options, open_files)
        try:
            yield server
        finally:
            server.end()


def _start(
    adapter: Adapter, directory: Path, scratch: Path, options: Sequence[str], open_files: int
) -> RunningServer:
    reason = adapter.missing()
    if reason is not None:
        raise StartError(reason)
    stderr_path = scratch / "stderr"
    for _ in range(TRIES):
        port = free_port()
        command = adapter.command(port, directory, scratch, options)
        peer = Peer(adapter.name, adapter.version(), shlex.join(command))
        process = _popen(command, stderr_path, open_files)
        server = RunningServer(peer, port, process, directory, stderr_path)
        try:
            server.wait_until_started()
        except BaseException as error:
            server.end()
            if not isinstance(error, StartError):
                raise
            reason = f"{error}{_last_line(server.log())}"
        else:
            return server
    raise StartError(f"{adapter.name} did not start: {reason}")


def free_port() -> int:
    """Return a free loopback port."""
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])


def _popen(command: Sequence[str], stderr_path: Path, open_files: int) -> "subprocess.Popen[bytes]":
    """Start a process in its own group; on Linux it is terminated when this process ends."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def prepare() -> None:
        pin_to_core(SERVER_CORE)
        raise_open_file_limit()
        if open_files:
            resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, open_files))
        if libc is not None:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    with stderr_path.open("wb") as errors:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            cwd=ROOT,
            start_new_session=True,
            preexec_fn=prepare,
        )


def _last_line(log: str) -> str:
    last = next((line.strip() for line in reversed(log.split("\n")) if line.strip()), "")
    return f": {last}" if last else ""
