"""Log lines on a controlling terminal: how the kernel treats background processes that write to it."""

import fcntl
import os
import pty
import re
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.process import ROOT, TIMEOUT, ClientConnection, environment


@contextmanager
def on_a_terminal(*command: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a command in a session whose terminal, descriptors 0 and 1, is a new one that is not read."""
    master, terminal = pty.openpty()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(),
        stdin=terminal,
        stdout=terminal,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    try:
        yield process
    finally:
        os.close(terminal)
        os.close(master)  # the shell reads the end
        process.wait(TIMEOUT)
        assert process.stderr is not None
        process.stderr.close()


def test_a_server_in_the_background_is_not_stopped_by_its_log_after_stty_tostop() -> None:
    # The shell has to stay: without it, the kernel refuses to write, instead of stopping the server.
    server = f"{sys.executable} -m reactor --port 0"
    script = f"trap '' HUP; stty tostop; set -m; {server} & read line; kill -KILL $!"
    with on_a_terminal("bash", "-c", script) as process:
        assert process.stderr is not None
        found = re.search(r"http://127\.0\.0\.1:([0-9]+)", process.stderr.readline())
        assert found is not None
        with ClientConnection(int(found[1])) as client:
            for _ in range(3):  # a line of the first one would stop it
                assert client.get("/").status == 200


def test_a_terminal_is_the_same_file_as_dev_tty() -> None:
    """Otherwise a message in one of them could end up in the middle of a line in the other."""
    code = (
        "import os, sys\n"
        "from reactor.logs.nonblocking import _identity\n"
        "tty = os.open('/dev/tty', os.O_WRONLY)\n"
        "terminal, same, other = (_identity(each, os.fstat(each)) for each in (1, tty, 2))\n"
        "print(terminal == same != other, file=sys.stderr)\n"
    )
    with on_a_terminal(sys.executable, "-c", code) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "True\n"
