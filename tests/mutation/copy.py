"""A copy of the working tree, in which faults are planted one by one, and commands that run in it.

The checkout itself is never changed. A command, with all processes that it starts, is killed if it prints
nothing for a while: pytest prints a character for each test, the simulation a line for each seed. So a
fault that makes the server hang is found. Memory is limited, too.
"""

import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.mutation.operators import Fault

NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "build", "dist", "*.egg-info")
MAX_OUTPUT = 4 << 20  # bytes; a command that prints more never ends
MEMORY = 4 << 30  # bytes of address space for each process
HANG = "hang"


class Run(NamedTuple):
    """The result of a command: ``failure`` is "" if it passed, else why it did not."""

    failure: str
    output: str
    seconds: float


class Copy:
    """A copy of a working tree; ``quiet`` is how many seconds without output count as a hang."""

    def __init__(self, root: Path, place: Path, quiet: float) -> None:
        self.tree = place / "tree"
        self._temporary = place / "tmp"
        self._quiet = quiet
        shutil.copytree(root, self.tree, symlinks=True, ignore=NOT_COPIED)

    @contextmanager
    def planted(self, fault: Fault) -> Iterator[None]:
        """Plant a fault for as long as the context lasts."""
        path = self.tree / fault.path
        source, times = path.read_bytes(), path.stat()
        path.write_bytes(fault.apply(source))
        os.utime(path, (0, 0))  # no compiled file is as old as that
        try:
            yield
        finally:
            path.write_bytes(source)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    def run(self, *arguments: str, compile_files: bool = False) -> Run:
        """Run a Python command in the copy; only ``compile_files`` writes compiled files."""
        self._temporary.mkdir()
        settings = {"TMPDIR": str(self._temporary), "PYTHONUNBUFFERED": "1"}
        settings["PYTHONDONTWRITEBYTECODE"] = "" if compile_files else "1"
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.tree,
            env=os.environ | settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
        )
        try:
            output, has_ended = self._read(process)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            status = process.wait()
            shutil.rmtree(self._temporary, ignore_errors=True)
        failure = HANG if not has_ended else f"exit code {status}" if status else ""
        return Run(failure, output, time.monotonic() - began)

    def _read(self, process: subprocess.Popen[bytes]) -> tuple[str, bool]:
        """Read the output of a process; return it, and whether the process ended by itself."""
        assert process.stdout is not None
        output = bytearray()
        with process.stdout as pipe:
            while len(output) < MAX_OUTPUT and select.select([pipe], [], [], self._quiet)[0]:
                data = os.read(pipe.fileno(), 65536)
                if not data:
                    return output.decode(errors="replace"), True
                output += data
        return output.decode(errors="replace"), False
