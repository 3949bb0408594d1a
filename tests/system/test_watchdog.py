"""--watchdog: the stack of a handler that blocks the loop is logged while it still blocks."""

import os
import signal
from pathlib import Path

import pytest

from tests.support.process import ServerProcess, head

# The command, with a route whose handler blocks until the test opens a FIFO for writing.
PROGRAM = """
import sys
from reactor import handlers
from reactor.cli.main import main
from reactor.http11.message import Response

def handler_that_blocks(request):
    with open({gate!r}) as gate:
        return Response.text(gate.read())

def build(*arguments, **keywords):
    routes = make(*arguments, **keywords)
    routes.get("/blocked")(handler_that_blocks)
    return routes

make, handlers.build = handlers.build, build
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("options", [(), ("--explain",), ("--inspect", "0")], ids=" ".join)
def test_the_stack_of_a_blocked_handler_is_logged(tmp_path: Path, options: tuple[str, ...]) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    command = ("-c", PROGRAM.format(gate=str(gate)), "--port", "0", "--watchdog", "0.1")
    with ServerProcess(*options, command=command) as server:
        client = server.connect()
        client.send(head("GET", "/blocked"))
        while (line := server.stderr.next()) is not None and "event loop blocked" not in line:
            pass
        stack = []
        while (line := server.stderr.next()) is not None and "in handler_that_blocks" not in line:
            stack.append(line)
        assert [each for each in stack if each.endswith("in on_readable")]
        gate.write_text("released")
        assert client.answer().content == b"released"
        server.send_signal(signal.SIGTERM)
        assert server.exit_code() == 0
        assert not [line for line in server.stderr.rest() if "event loop blocked" in line]
