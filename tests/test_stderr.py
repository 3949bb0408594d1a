"""Standard error may be closed, or a pipe whose reader is gone: the server serves, and ends with 0."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process import COMMAND, PATIENCE, ROOT, Wire, environment

# Nobody can read the port from standard error here, so Python is made to tell it when it listens.
TELL_PORT = """\
import os
import socket

def listen(self, backlog, listen=socket.socket.listen):
    listen(self, backlog)
    os.write(int(os.environ["PORT_PIPE"]), b"%d" % self.getsockname()[1])

socket.socket.listen = listen
"""
CLOSED = ("sh", "-c", 'exec "$@" 2>&-', "sh")


@pytest.fixture
def broken() -> Iterator[int]:
    reading_end, writing_end = os.pipe()
    os.close(reading_end)
    yield writing_end
    os.close(writing_end)


def start(tmp_path: Path, launcher: tuple[str, ...], stderr: int) -> tuple[subprocess.Popen[bytes], int]:
    """Start a server; return it with its port."""
    (tmp_path / "sitecustomize.py").write_text(TELL_PORT)
    reading_end, writing_end = os.pipe()
    extra = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "PORT_PIPE": str(writing_end)}
    process = subprocess.Popen(
        [*launcher, sys.executable, *COMMAND],
        cwd=ROOT,
        env=environment(extra),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        pass_fds=[writing_end],
    )
    os.close(writing_end)
    try:
        readable, _, _ = select.select([reading_end], [], [], PATIENCE)
        port = os.read(reading_end, 10) if readable else b""
    finally:
        os.close(reading_end)
    if not port:
        process.kill()
        process.communicate()
        raise AssertionError("the server did not start")
    return process, int(port)


@pytest.mark.parametrize("how", ["closed", "broken"])
def test_without_a_standard_error_it_serves_and_ends_with_0(how: str, broken: int, tmp_path: Path) -> None:
    launcher, stderr = (CLOSED, subprocess.DEVNULL) if how == "closed" else ((), broken)
    process, port = start(tmp_path, launcher, stderr)
    try:
        with Wire(port) as wire:
            assert wire.get("/echo/abc").content == b"abc"
            assert wire.get("/nothing").status == 404
            wire.send(b"nonsense\r\n\r\n")  # whose refusal is told on standard error
            assert wire.answer().status == 400
        with Wire(port) as wire:
            assert wire.get("/").status == 200
            process.send_signal(signal.SIGTERM)
            wire.assert_closed()
        output, _ = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    assert [line.split(b'"')[2].split()[0] for line in output.splitlines()] == [
        b"200",
        b"404",
        b"400",
        b"200",
    ]
