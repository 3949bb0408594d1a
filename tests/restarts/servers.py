"""The servers that are restarted: command line, start, readiness, end.

Reactor is started as the ready-made configuration of its proxy says. The other servers run the applications
of the benchmarks (benchmarks/servers/apps). If they have an option for it, a graceful shutdown may take 20 s,
and idle connections are kept for 75 s, longer than the proxies do. Health checks use their own port, since
they have no other one.
"""

import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
START_TIMEOUT = STOP_TIMEOUT = 30.0  # seconds
PROBE_INTERVAL = 0.05
LAST_OUTPUT = 1000  # characters of a server that does not start
WSGI = "benchmarks.servers.apps.wsgi:application"
# Makes the listening socket, which is the standard input, descriptor 3, as systemd passes it.
ACTIVATE = 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@" 3<&0 </dev/null'


class Kind(NamedTuple):
    """A server: its command after ``python -m``, and where a GET says that it is ready."""

    command: str
    check: str = "/echo/ready"
    has_check_port: bool = False


SERVERS = {
    "reactor": Kind(
        "reactor {directory} --port {port} --inspect 127.0.0.1:{check_port} --shutdown-delay {delay}"
        " --no-access-log --log-level warning",
        check="/readyz",
        has_check_port=True,
    ),
    "uvicorn": Kind(
        "uvicorn benchmarks.servers.apps.asgi:application --port {port} --timeout-keep-alive 75"
        " --timeout-graceful-shutdown 20 --lifespan off --no-access-log --log-level warning"
    ),
    "gunicorn": Kind(
        f"gunicorn {WSGI} --bind 127.0.0.1:{{port}} --worker-class gthread --threads 8 --keep-alive 75"
        " --graceful-timeout 20 --log-level warning"
    ),
    "gunicorn sync": Kind(
        f"gunicorn {WSGI} --bind 127.0.0.1:{{port}} --worker-class sync --workers 8 --graceful-timeout 20"
        " --log-level warning"
    ),
    "waitress": Kind(f"waitress --listen=127.0.0.1:{{port}} --threads=8 --channel-timeout=75 {WSGI}"),
    "granian": Kind(
        f"granian {WSGI} --interface wsgi --port {{port}} --blocking-threads 8 --workers-kill-timeout 20"
        " --no-ws --log-level warning"
    ),
}


class Instance:
    """One server process, which can be restarted. With a ``listener`` it inherits that socket."""

    def __init__(
        self,
        kind: Kind,
        python: str,
        port: int,
        directory: Path,
        delay: float,
        listener: socket.socket | None = None,
    ) -> None:
        self.port, self.check_port = port, free_port() if kind.has_check_port else port
        values = {"port": port, "check_port": self.check_port, "directory": directory, "delay": f"{delay:g}"}
        command = kind.command.format_map(values)
        if listener is not None:
            command = command.replace(f" --port {port}", "")
        self.command = [python, "-m", *shlex.split(command)]
        self._check, self._listener = kind.check, listener
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), "BENCHMARK_DIRECTORY": str(directory)}
        self._log = (directory.parent / f"{self.check_port}.log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it is ready; raise RuntimeError."""
        activated: Sequence[str] = () if self._listener is None else ("sh", "-c", ACTIVATE, "sh")
        self._process = subprocess.Popen(
            [*activated, *self.command],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL if self._listener is None else self._listener.fileno(),
            stdout=self._log,
            stderr=self._log,
        )
        wait_until_ready(self._process, self.check_port, self._check, Path(self._log.name))

    def restart(self) -> float:
        """Stop and start it; return the seconds until it had stopped."""
        began = time.monotonic()
        self.stop()
        stopped = time.monotonic() - began
        self.start()
        return stopped

    def stop(self) -> None:
        """Send SIGTERM and wait until it has ended; kill it after a time, which raises RuntimeError."""
        if self._process is not None:
            process, self._process = self._process, None
            stop(process)

    def close(self) -> None:
        """Stop it, and close its log."""
        with self._log:
            self.stop()


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Send SIGTERM and wait for the end of a process; kill it after a time, which raises RuntimeError."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise RuntimeError(f"{process.args!r} did not stop within {STOP_TIMEOUT:g} s") from None


def wait_until_ready(process: "subprocess.Popen[bytes]", port: int, target: str, log: Path) -> None:
    """Wait until a GET gets 200; raise RuntimeError if the process ends, or after a time."""
    ends, pause = time.monotonic() + START_TIMEOUT, threading.Event()
    while not responds(port, target):
        if process.poll() is not None or time.monotonic() > ends:
            problem = "was not ready in time" if process.returncode is None else "ended"
            raise RuntimeError(f"{process.args!r} {problem}: {log.read_text()[-LAST_OUTPUT:]}")
        pause.wait(PROBE_INTERVAL)


def responds(port: int, target: str) -> bool:
    """Return whether a GET gets 200."""
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", target)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def is_installed(name: str, python: str = sys.executable) -> bool:
    """Return whether a Python has the package of a server."""
    package = name.partition(" ")[0]
    modules = f"{package}, starlette" if package == "uvicorn" else package
    check = [python, "-c", f"import {modules}"]
    return not subprocess.run(check, cwd=ROOT, stderr=subprocess.DEVNULL, check=False).returncode


def free_port() -> int:
    """Return a port of the loopback address that is free now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
