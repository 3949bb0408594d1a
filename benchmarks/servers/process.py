"""Servers under measurement: start, readiness, resource usage, end.

1. Choose a free port, and start the peer's command on the server's core.
2. Wait until one of its own processes listens there and answers a request.
3. While measuring, read memory (by psutil) and CPU time of all its processes and threads.
4. At the end, terminate it, then kill all its processes.

A server at a URL is neither started nor ended; its processes are those that listen on its port.
"""

import contextlib
import ctypes
import os
import resource
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from math import nan
from pathlib import Path

from benchmarks.results.samples import Peer
from benchmarks.servers.peers import Adapter

with contextlib.suppress(ModuleNotFoundError):  # the command line reports it; saved runs are shown without it
    import psutil

SERVER_CORE, CLIENT_CORE = 0, 1

HOST = "127.0.0.1"
ROOT = Path(__file__).parents[2]
START_TIMEOUT = 20.0  # seconds, for a server to start
STOP_TIMEOUT = 3.0  # seconds, for a server to stop before it is killed
LAST_LINES = 10  # of a server's output, shown if it does not start
_PR_SET_PDEATHSIG = 1  # prctl(2)
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class StartError(Exception):
    """A server did not start; the message is the reason, in one line. ``output`` is what it wrote last."""

    def __init__(self, reason: str, output: Sequence[str] = ()) -> None:
        super().__init__(": ".join([reason, *output[-1:]]))
        self.reason, self.output = reason, output


def pin_to_core(core: int) -> bool:
    """Pin this process to a core, if it is available, also from an inherited one; return whether it is."""
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setaffinity(0, {core})
        return True
    return False


def cpu_seconds(process: "psutil.Process") -> float:
    """Return the CPU time of all threads of a process, including those that have ended."""
    if sys.platform == "linux":  # the scheduler's accounting, in nanoseconds: clock_getcpuclockid(3)
        return time.clock_gettime(~process.pid << 3 | 2)
    return sum(process.cpu_times()[:2])


def raise_open_file_limit() -> int:
    """Raise the open-file limit of this process to the hard limit; return it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else 1 << 20


def prepare_child(core: int) -> None:
    """Pin this new process to a core; on Linux, end it when its parent process is killed."""
    pin_to_core(core)
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _prepare_server() -> None:
    prepare_child(SERVER_CORE)
    raise_open_file_limit()


class RunningServer:
    """A server and its processes."""

    def __init__(self, adapter: Adapter, directory: Path, scratch: Path) -> None:
        self.adapter, self.name = adapter, adapter.name
        self.directory = directory  # served by it
        self._scratch = scratch
        self._process: psutil.Popen | None = None  # None: at a URL, or not started
        self._roots: list[psutil.Process] = []
        if adapter.address is not None:
            self._set_address(*adapter.address, adapter.argv)
            self._roots = listening(self.address)

    def _set_address(self, host: str, port: int, command: Sequence[str]) -> None:
        self.host, self.port, self.address = host, port, (host, port)
        self.url = f"http://{host}:{port}"
        self.peer = Peer(self.name, self.adapter.version(), shlex.join(command))

    # Resource usage.

    def processes(self) -> "list[psutil.Process]":
        """Return its main processes and all their descendants."""
        found: dict[psutil.Process, None] = {}
        for root in self._roots:
            with contextlib.suppress(psutil.NoSuchProcess):
                found |= dict.fromkeys([root, *root.children(recursive=True)])
        return list(found)

    @property
    def pid(self) -> int:
        """The process id of its main process."""
        return self._roots[0].pid

    def cpu(self) -> float:
        """Return the CPU time of all its processes, user and system, in seconds; NaN if unknown."""
        return self._sum(cpu_seconds)

    def resident(self) -> float:
        """Return the resident bytes of all its processes; NaN if unknown. Shared pages count repeatedly."""
        return self._sum(lambda process: process.memory_info().rss)

    def descriptors(self) -> int:
        """Return the number of open file descriptors of all its processes."""
        return int(self._sum(lambda process: process.num_fds()))

    def shares_core(self) -> bool:
        """Return whether it may run on the core of the load generator, or that core is not available."""
        with ThreadPoolExecutor(1) as thread:  # the only one whose affinity changes
            pinned = thread.submit(pin_to_core, CLIENT_CORE).result()
        return not (self._roots and pinned) or CLIENT_CORE in os.sched_getaffinity(self.pid)

    def log(self) -> str:
        """Return what the server has written to its standard error output."""
        return (self._scratch / "output").read_text(errors="replace")

    def _sum(self, value: "Callable[[psutil.Process], float]") -> float:
        values = []
        for process in self.processes():
            with contextlib.suppress(psutil.Error, OSError):  # it has ended
                values.append(value(process))
        return sum(values) if values else nan

    # Start and end.

    def start(self) -> None:
        """Start the server and wait until it responds; raise StartError. A server at a URL continues."""
        if self.adapter.address is not None:
            return
        if reason := self.adapter.missing():
            raise StartError(reason)
        port = free_port()
        command = self.adapter.command(port, self.directory, self._scratch)
        self._set_address(HOST, port, command)
        with (self._scratch / "output").open("wb") as output:
            self._process = psutil.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output if self.adapter.target else subprocess.DEVNULL,
                stderr=output,
                cwd=self.adapter.cwd or ROOT,
                start_new_session=True,  # and process group, which is ended as a whole
                preexec_fn=_prepare_server,
            )
        self._roots = [self._process]
        until = time.monotonic() + START_TIMEOUT
        while not self._responds():
            reason = f"no response on port {port} within {START_TIMEOUT:g} seconds"
            if (code := self._process.poll()) is not None:
                reason = f"exit code {code}"
            elif time.monotonic() < until:
                time.sleep(0.02)
                continue
            last = [line.rstrip() for line in self.log().splitlines() if line.strip()][-LAST_LINES:]
            raise StartError(f"{self.name} did not start: {reason}", last)

    def end(self) -> int:
        """Terminate the server, then kill all its processes; return the exit code of the main process.

        A server at a URL continues.
        """
        if self._process is None:
            return 0
        processes = self.processes()
        for number in (signal.SIGTERM, signal.SIGKILL):  # to the group: also to processes started just now
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(psutil.TimeoutExpired):
                self._process.wait(STOP_TIMEOUT)
        for process in processes:  # also those that have left the process group
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, STOP_TIMEOUT)
        code, self._process, self._roots = self._process.wait(), None, []
        return int(code)

    def _responds(self) -> bool:
        """Return whether one of its own processes, and no other server, listens on the port and responds."""
        target = self.adapter.target or "/echo/abc"
        request = f"GET {target} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nConnection: close\r\n\r\n"
        for process in self.processes():
            with contextlib.suppress(psutil.Error, OSError):
                if any(_listens(each, self.address) for each in process.net_connections("tcp")):
                    with socket.create_connection(self.address, START_TIMEOUT) as connection:
                        connection.sendall(request.encode())
                        return bool(connection.recv(1))
        return False


@contextmanager
def run_server(adapter: Adapter, directory: Path | None = None) -> Iterator[RunningServer]:
    """Run a server on the server's core, serving a directory (None: an empty one); raise StartError."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch:
        shared = directory or Path(scratch) / "shared"
        shared.mkdir(exist_ok=True)
        server = RunningServer(adapter, shared, Path(scratch))
        try:
            server.start()
            yield server
        finally:
            server.end()


def free_port() -> int:
    """Return a free loopback port."""
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])


def listening(address: tuple[str, int]) -> "list[psutil.Process]":
    """Return the processes that listen on an address; none if any of them may not be seen."""
    with contextlib.suppress(psutil.Error):
        pids = {each.pid for each in psutil.net_connections("tcp") if _listens(each, address)}
        return [psutil.Process(pid) for pid in pids if pid] if None not in pids else []
    return []


def _listens(connection: "psutil._ntuples.pconn | psutil._ntuples.sconn", address: tuple[str, int]) -> bool:
    host, port = address
    hosts = (host, "0.0.0.0", "::", f"::ffff:{host}")
    return connection.status == psutil.CONN_LISTEN and connection.laddr in [(each, port) for each in hosts]
