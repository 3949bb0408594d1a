"""A forked process runs its function and ends, with nothing of its parent."""

import sys

import pytest

from tests.support.process import run_command

PROGRAM = """
import atexit, logging, os, signal, sys
from reactor.workers.process import Processes

logging.basicConfig(format="%(message)s")

def is_blocked():
    return signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, [])

def child():
    atexit.register(print, "end of the child")
    print("blocked:", is_blocked())
    {end}

atexit.register(print, "end of the parent")
print("before")  # buffered: written once
pid = Processes().fork(child, [signal.SIGTERM])
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print("exit code:", code, "blocked:", is_blocked())
"""


@pytest.mark.parametrize(
    ("end", "code", "is_regular", "logged"),
    [
        ("return 5", 5, True, ""),
        ("sys.exit(4)", 4, True, ""),
        ("sys.exit('a text')", 1, True, "a text"),
        ("sys.exit()", 0, True, ""),
        ("raise ValueError('planted')", 1, False, "unhandled exception in a worker process"),
    ],
)
def test_a_forked_process_ends_with_its_function(end: str, code: int, is_regular: bool, logged: str) -> None:
    done = run_command(sys.executable, "-c", PROGRAM.format(end=end), PYTHONUNBUFFERED="")
    child = ["blocked: True", *(["end of the child"] if is_regular else [])]
    parent = [f"exit code: {code} blocked: False", "end of the parent"]
    assert done.stdout.splitlines() == ["before", *child, *parent]
    assert logged in done.stderr
    assert bool(done.stderr) is bool(logged)
