"""The server under attack: its process, its stderr, and its resource usage (by psutil).

The event loop of the attack clients reads its stderr continuously, so that the server never blocks on a full
pipe.
"""

import os
import re
import resource
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from benchmarks.load.client_group import ClientGroup
from benchmarks.servers.process import SERVER_CORE, pin_to_core
from reactor.event_handler import EventHandler, Interest

START_LINE = re.compile(rb"reactor: serving .*http://([\d.]+):(\d+)[^\n]*\n")
TIMEOUT = 20.0  # seconds, for the server to start or to stop


class StderrReader(EventHandler):
    """Collects the server's stderr."""

    def __init__(self, pipe: Any) -> None:
        super().__init__(pipe, Interest.READ)
        os.set_blocking(pipe.fileno(), False)
        self.output = bytearray()
        self.ended = False

    def on_readable(self) -> None:
        """Read what is available."""
        data = os.read(self.handle.fileno(), 1 << 16)
        self.output += data
        if not data:
            self.interest = Interest.NONE
            self.ended = True

    def has(self, text: bytes) -> bool:
        """Return whether the server has written this text."""
        return text in self.output


class AttackedServer:
    """A running server with these environment variables; ``open_file_limit`` sets its ulimit -n, if not 0."""

    def __init__(
        self,
        group: ClientGroup,
        variables: Mapping[str, str],
        open_file_limit: int = 0,
        own_core: bool = True,
    ) -> None:
        # Imported here, so that the command line can report that psutil is missing.
        import psutil

        def prepare() -> None:
            if open_file_limit:
                resource.setrlimit(resource.RLIMIT_NOFILE, (open_file_limit, open_file_limit))
            if own_core:
                pin_to_core(SERVER_CORE)

        self._group = group
        self.process = subprocess.Popen(
            [sys.executable, "-m", "reactor", "--port", "0"],
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            preexec_fn=prepare,
        )
        self._psutil = psutil.Process(self.process.pid)
        self.stderr = StderrReader(self.process.stderr)
        group.reactor.register(self.stderr)
        group.run(lambda: bool(START_LINE.search(self.stderr.output)) or self.stderr.ended, TIMEOUT)
        match = START_LINE.search(self.stderr.output)
        if match is None:
            self.end()
            raise SystemExit(f"server did not start: {self.stderr.output.decode()}")
        group.address = match[1].decode(), int(match[2])

    # Resource usage.

    @property
    def resident(self) -> int:
        """Resident memory, in bytes."""
        return int(self._psutil.memory_info().rss)

    @property
    def descriptors(self) -> int:
        """The number of open file descriptors."""
        return int(self._psutil.num_fds())

    @property
    def cpu(self) -> float:
        """CPU time since the start, in seconds."""
        times = self._psutil.cpu_times()
        return float(times.user + times.system)

    @property
    def alive(self) -> bool:
        """True while the process runs."""
        return self.process.poll() is None

    # Stopping.

    def stop(self) -> int:
        """Stop the server with SIGTERM; return its exit code."""
        self.process.terminate()
        self._group.run(lambda: self.stderr.ended, TIMEOUT)
        self.end()
        return self.process.returncode

    def end(self) -> None:
        """Kill the process, if it has not ended."""
        if not self.stderr.ended:
            self.process.kill()
        self.process.wait(TIMEOUT)
        self._group.reactor.remove(self.stderr)
        assert self.process.stderr is not None
        self.process.stderr.close()
