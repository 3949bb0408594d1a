"""Processes that run a function which does not end, in a worker thread or in the event loop."""

import signal
import sys

from tests.support.process import ServerProcess, run_command

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


# The second signal must not have to wait for a second: the test would.
BLOCKED = """
import signal, sys
import reactor.wakeup
from reactor.cli.main import command

reactor.wakeup.BLOCKED_AFTER = 0.0
sys.argv[1:] = ["--wsgi", "tests.system.test_endless_function:application", "--threads", "0", "--port", "0"]
sys.exit(command())
"""


def application(environ: object, start_response: object) -> list[bytes]:
    """Block the event loop for ever."""
    print("blocked", file=sys.stderr, flush=True)
    while True:
        pass


def test_a_second_signal_stops_a_server_whose_loop_is_blocked() -> None:
    with ServerProcess(command=("-c", BLOCKED)) as server:
        server.connect().send_head("GET", "/")
        assert server.stderr.next() == "blocked"
        server.send_signal(signal.SIGINT)
        server.send_signal(signal.SIGTERM)
        assert server.exit_code() == 0
        messages = server.stderr.rest()
    assert messages[0] == "reactor: warning: stopped while a callback blocked the event loop"
    assert messages[-1] == "KeyboardInterrupt"
    assert any("in application" in line for line in messages)
