"""A process whose worker thread runs a function that does not end."""

import sys

from tests.support.process import run_command

PROGRAM = """
import threading
from reactor import Router, serve

def start(server):
    server.run_in_thread(threading.Event().wait)
    server.stop()

serve(Router(), port=0, on_ready=start)
print("closed")
"""


def test_the_process_ends_and_names_the_function() -> None:
    result = run_command(sys.executable, "-c", PROGRAM)
    assert (result.returncode, result.stdout) == (0, "closed\n"), result.stderr
    assert result.stderr == "worker threads still running after 1 s: threading.Event.wait\n"
