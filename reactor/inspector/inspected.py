"""An inspected connection: a watched connection that can be held where it enters a state."""

import socket

from reactor.connection import State
from reactor.inspector.stepping import SteppedReactor
from reactor.service import Service
from reactor.watched import WatchedConnection


class InspectedConnection(WatchedConnection):
    """A connection of a service whose reactor is a ``SteppedReactor``."""

    __slots__ = ("_control",)

    def __init__(self, service: Service, sock: socket.socket, peer: str) -> None:
        reactor = service.reactor
        assert isinstance(reactor, SteppedReactor)
        self._control = reactor.control
        super().__init__(service, sock, peer)
        if State.ACCEPTED.name in self._control.stop_at_states:
            self._control.stop_soon(f"c{self.number} enters ACCEPTED")

    def _enter(self, state: State) -> None:
        if not self._control.stop_at_states:
            WatchedConnection._enter(self, state)
            return
        before = getattr(self, "state", state)
        WatchedConnection._enter(self, state)
        if before is not state:
            self._control.entered(self, state.name)
