"""The server under attack: a process of its own, what it says, and what it costs (by psutil).

Its standard error is read all the time by the loop of the attack clients, so that the server never
blocks on a full pipe.
"""

import os
import re
import resource
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.load.client_group import ClientGroup
from benchmarks.servers.process import SERVER_CORE, pin_to_core
from reactor.event_handler import EventHandler, Interest

START_LINE = re.compile(rb"reactor: serving .*http://([\d.]+):(\d+)[^\n]*\n")
TIMEOUT = 20.0  # seconds; a server that takes longer to start or to stop is at fault


class StderrReader(EventHandler):
    """Reads the server's standard error as it is written."""

    def __init__(self, pipe: Any) -> None:
        super().__init__(pipe, Interest.READ)
        os.set_blocking(pipe.fileno(), False)
        self.octets = bytearray()
        self.ended = False

    def on_readable(self) -> None:
        """Read on."""
        octets = os.read(self.handle.fileno(), 1 << 16)
        self.octets += octets
        if not octets:
            self.interest = Interest.NONE
            self.ended = True

    def has(self, text: bytes) -> bool:
        """Say whether the server has said this."""
        return text in self.octets


class AttackedServer:
    """A running server; ``open_file_limit`` is its ulimit -n, 0 for what this process has."""

    def __init__(
        self, group: ClientGroup, options: Sequence[str], open_file_limit: int = 0, own_core: bool = True
    ) -> None:
        # Here, so that who imports this module can say in a line of its own that psutil is missing.
        import psutil

        def prepare() -> None:
            if open_file_limit:
                resource.setrlimit(resource.RLIMIT_NOFILE, (open_file_limit, open_file_limit))
            if own_core:
                pin_to_core(SERVER_CORE)

        self._group = group
        self.process = subprocess.Popen(
            [sys.executable, "-m", "reactor", "--port", "0", *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            preexec_fn=prepare,
        )
        self._psutil = psutil.Process(self.process.pid)
        self.stderr = StderrReader(self.process.stderr)
        group.reactor.register(self.stderr)
        group.run(lambda: bool(START_LINE.search(self.stderr.octets)) or self.stderr.ended, TIMEOUT)
        match = START_LINE.search(self.stderr.octets)
        if match is None:
            self.end()
            raise SystemExit(f"the server did not start: {self.stderr.octets.decode()}")
        group.address = match[1].decode(), int(match[2])

    # What it costs.

    @property
    def resident(self) -> int:
        """Octets of memory."""
        return int(self._psutil.memory_info().rss)

    @property
    def descriptors(self) -> int:
        """How many are open."""
        return int(self._psutil.num_fds())

    @property
    def cpu(self) -> float:
        """Seconds of the processor, since the start."""
        times = self._psutil.cpu_times()
        return float(times.user + times.system)

    @property
    def alive(self) -> bool:
        """True while it runs."""
        return self.process.poll() is None

    # Its end.

    def stop(self) -> int:
        """Have it stop as a user does; return its exit code."""
        self.process.terminate()
        self._group.run(lambda: self.stderr.ended, TIMEOUT)
        self.end()
        return self.process.returncode

    def end(self) -> None:
        """End it at once, when it has not ended."""
        if not self.stderr.ended:
            self.process.kill()
        self.process.wait(TIMEOUT)
        self._group.reactor.remove(self.stderr)
        assert self.process.stderr is not None
        self.process.stderr.close()
