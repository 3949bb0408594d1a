"""Servers under measurement: started on a core of their own, found by their start line, ended by their id."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

SERVER_CORE, CLIENT_CORE = 0, 1


def pinned(core: int) -> None:
    """Keep this process on one core, where the machine has more than one."""
    if hasattr(os, "sched_setaffinity") and core in os.sched_getaffinity(0):
        os.sched_setaffinity(0, {core})


@contextmanager
def running(command: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Run a server on its core; give its URL and its process id."""
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: pinned(SERVER_CORE),
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        match = re.search(r"http://\S+", line)
        if match is None:
            raise SystemExit(f"{' '.join(command)} did not start: {line.strip()}")
        yield match[0], process.pid
    finally:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()
