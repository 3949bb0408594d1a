"""The server under attack: a process of its own, what it says, and what it costs (by psutil).

Its standard error is read all the time by the loop of those who attack it, so that it never waits
for somebody to read what it says.
"""

import os
import re
import resource
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.load.client_group import Crowd
from benchmarks.servers.process import SERVER_CORE, pinned
from reactor.loop import EventHandler, Interest

START_LINE = re.compile(rb"reactor: serving .*http://([\d.]+):(\d+)[^\n]*\n")
PATIENCE = 20.0  # seconds; a server that takes longer to start or to stop is at fault


class Diary(EventHandler):
    """What the server says, as it says it."""

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


class Victim:
    """A running server; ``descriptors`` is its ulimit -n, 0 for what this process has."""

    def __init__(
        self, crowd: Crowd, options: Sequence[str], descriptors: int = 0, alone: bool = True
    ) -> None:
        # Here, so that who imports this module can say in a line of its own that psutil is missing.
        import psutil

        def prepare() -> None:
            if descriptors:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
            if alone:
                pinned(SERVER_CORE)

        self._crowd = crowd
        self.process = subprocess.Popen(
            [sys.executable, "-m", "reactor", "--port", "0", *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            preexec_fn=prepare,
        )
        self._gauge = psutil.Process(self.process.pid)
        self.diary = Diary(self.process.stderr)
        crowd.reactor.register(self.diary)
        crowd.run(lambda: bool(START_LINE.search(self.diary.octets)) or self.diary.ended, PATIENCE)
        match = START_LINE.search(self.diary.octets)
        if match is None:
            self.end()
            raise SystemExit(f"the server did not start: {self.diary.octets.decode()}")
        crowd.address = match[1].decode(), int(match[2])

    # What it costs.

    @property
    def resident(self) -> int:
        """Octets of memory."""
        return int(self._gauge.memory_info().rss)

    @property
    def descriptors(self) -> int:
        """How many are open."""
        return int(self._gauge.num_fds())

    @property
    def cpu(self) -> float:
        """Seconds of the processor, since the start."""
        times = self._gauge.cpu_times()
        return float(times.user + times.system)

    @property
    def alive(self) -> bool:
        """True while it runs."""
        return self.process.poll() is None

    # Its end.

    def stop(self) -> int:
        """Have it stop as a user does; return its exit code."""
        self.process.terminate()
        self._crowd.run(lambda: self.diary.ended, PATIENCE)
        self.end()
        return self.process.returncode

    def end(self) -> None:
        """End it at once, when it has not ended."""
        if not self.diary.ended:
            self.process.kill()
        self.process.wait(PATIENCE)
        self._crowd.reactor.remove(self.diary)
        assert self.process.stderr is not None
        self.process.stderr.close()
