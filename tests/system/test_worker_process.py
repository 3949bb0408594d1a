"""A forked process runs its function and ends, with nothing of its parent."""

import sys

import pytest

from tests.support.process import run_command

PROGRAM = """
import atexit, logging, os, signal, sys, threading
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

EXIT = "end of the child"
# A thread that continues when the main thread ends.
THREAD = "threading.Thread(target=lambda: (threading.main_thread().join(), print('thread'))).start()"


@pytest.mark.parametrize(
    ("end", "code", "printed", "logged"),
    [
        ("return 5", 5, [EXIT], ""),
        (f"{THREAD}; return 0", 0, ["thread", EXIT], ""),
        ("sys.exit(4)", 4, [EXIT], ""),
        ("sys.exit('a text')", 1, [EXIT], "a text"),
        ("sys.exit()", 0, [EXIT], ""),
        ("raise ValueError('planted')", 1, [], "unhandled exception in a worker process"),
    ],
)
def test_a_forked_process_ends_with_its_function(
    end: str, code: int, printed: list[str], logged: str
) -> None:
    done = run_command(sys.executable, "-c", PROGRAM.format(end=end), PYTHONUNBUFFERED="")
    child = ["blocked: True", *printed]
    parent = [f"exit code: {code} blocked: False", "end of the parent"]
    assert done.stdout.splitlines() == ["before", *child, *parent]
    assert logged in done.stderr
    assert bool(done.stderr) is bool(logged)


REMAINDER = """
import os
from reactor.logs import nonblocking

rest = nonblocking._remainders[1, 2] = nonblocking.Remainder()
rest.unsent = b"the rest"
pid = os.fork()
if not pid:
    os._exit(len(rest.unsent))
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), rest.unsent)
"""


def test_a_forked_process_does_not_write_the_rest_of_a_line_again() -> None:
    assert run_command(sys.executable, "-c", REMAINDER).stdout == "0 b'the rest'\n"
