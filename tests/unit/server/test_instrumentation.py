"""When a server calls the hooks of its instrumentation."""

import signal
import socket

import pytest

from reactor.loop import Reactor
from reactor.routing import Router
from reactor.server.connection import Connection
from reactor.server.context import ServerState
from reactor.server.server import STOP, Instrumentation, Server


class Recording(Instrumentation):
    """Records each hook call with the server's state; ``run_loop`` is another reactor."""

    def __init__(self) -> None:
        super().__init__(Reactor(), Connection, Outer(self))
        self.called: list[str] = []
        self.server: Server | None = None

    def on_start(self, server: Server) -> None:
        self.server = server
        self.called.append(f"start {server.context.state.name}")

    def on_signal(self, server: Server, number: int) -> None:
        assert server is self.server
        self.called.append(f"signal {number}")
        super().on_signal(server, number)

    def on_close(self) -> None:
        assert self.server is not None
        self.called.append(f"close {self.server.context.state.name}")


class Outer(Reactor):
    """A reactor that runs the turns of another one."""

    def __init__(self, instrumentation: Instrumentation) -> None:
        super().__init__()
        self._instrumentation = instrumentation

    def turn(self, may_sleep: bool = True) -> None:
        """Run a turn of both reactors."""
        super().turn(may_sleep=False)
        self._instrumentation.reactor.turn(may_sleep=False)


def test_the_hooks_are_called_from_start_to_end() -> None:
    recording = Recording()
    with Server(Router(), port=0, instrumentation=recording) as server:
        assert recording.called == ["start RUNNING"]
        server.run(server.stop)
        assert server.context.state is ServerState.STOPPED
    assert recording.called == ["start RUNNING", f"signal {STOP}", "close STOPPED"]
    recording.run_loop.close()


def test_it_is_notified_before_connections_are_closed() -> None:
    recording = Recording()
    Server(Router(), port=0, instrumentation=recording).close()
    assert recording.called == ["start RUNNING", "close RUNNING"]
    recording.run_loop.close()


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM])
def test_it_receives_signals(number: signal.Signals) -> None:
    recording = Recording()
    with Server(Router(), port=0, instrumentation=recording) as server:

        def stop() -> None:
            signal.raise_signal(number)
            server.stop()

        server.run(stop)
    assert recording.called[1:-1] == [f"signal {number:d}", f"signal {STOP}"]
    recording.run_loop.close()


def test_without_instrumentation_one_reactor_runs() -> None:
    with Server(Router(), port=0) as server:
        server.run(server.stop)
        assert server.context.state is ServerState.STOPPED


def test_a_failing_instrumentation_closes_the_listener() -> None:
    class Failing(Recording):
        def on_start(self, server: Server) -> None:
            super().on_start(server)
            raise RuntimeError("no page today")

    failing = Failing()
    with pytest.raises(RuntimeError, match="no page today"):
        Server(Router(), port=0, instrumentation=failing)
    assert failing.server is not None
    assert failing.server.context.state is ServerState.STOPPED
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(failing.server.address)
    failing.run_loop.close()
