"""The inspector: a second, small server in the same thread, which looks at the first one and can hold it.

    watch = inspected(readers, host, port, settings)
    with Server(routes, watch=watch) as server, watch.around(server):
        server.run()

Its reactor is the outer one. It serves the inspector's own listening handle with the same acceptor and the
same connections as any server of ours, and waits for the main reactor as for one more handle: see
``reactor.inspector.main_loop``. Signals are heard by the outer reactor, too, so that a server that is held
can still be stopped.
"""

import selectors
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import inf

from handlers import demo
from reactor.acceptor import Acceptor
from reactor.connection import Connection, State
from reactor.inspector.main_loop import MainLoop
from reactor.inspector.routes import install
from reactor.inspector.same_site import LocalRouter
from reactor.inspector.stepping import Control, SteppedReactor, pausable
from reactor.inspector.watchers import Watchers
from reactor.loop import Reactor
from reactor.observer import EventReader
from reactor.routing import Router
from reactor.server import Server, StartError, Watch, listen
from reactor.service import Service
from reactor.settings import Settings
from reactor.watched import WatchedConnection

HOST, PORT = "127.0.0.1", 4222
MOST_CONNECTIONS = 100

# Given the router of the inspector and the server: more routes.
Installer = Callable[[Router, Server], None]


class InspectedConnection(WatchedConnection):
    """A connection that can be held where it enters a state."""

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


class Inspector:
    """One server's inspector; raises StartError when it cannot listen."""

    def __init__(
        self,
        server: Server,
        inner: SteppedReactor,
        host: str = HOST,
        port: int = PORT,
        installers: Sequence[Installer] = (),
    ) -> None:
        self._server = server
        self._control = inner.control
        self._outer = inner.control.outer
        listener = listen(host, port)
        name, number = listener.getsockname()[:2]
        self.url = f"http://[{name}]:{number}/" if ":" in name else f"http://{name}:{number}/"
        routes = LocalRouter(host)
        self._watchers = Watchers(server, inner, self._outer)
        install(routes, self._watchers)
        for each in installers:
            each(routes, server)
        self._service = Service(self._outer, routes, Settings())
        self._acceptor = Acceptor(self._service, listener, MOST_CONNECTIONS, Connection)
        main_loop = MainLoop(inner, self._outer)
        self._control.suspend, self._control.resume = main_loop.suspend, main_loop.resume
        for handler in (self._acceptor, main_loop, self._watchers):
            self._outer.register(handler)
        server.outer = self._outer
        server.hear = self._hear

    def _hear(self, number: int) -> None:
        """Pass a signal on to the server, which hears it in a turn of its own, and between two calls."""
        if number == signal.SIGUSR1:
            self._server.on_signal(number)
            return
        self._control.hold_no_more()
        self._server.call_soon(self._server.on_signal, number)

    def close(self) -> None:
        """Close every handle of the inspector; the server's own are closed after it, and held by nobody."""
        self._control.hold_no_more()
        self._watchers.close()
        self._acceptor.close()
        for connection in list(self._service.connections.values()):
            connection.abort()
        self._outer.close()


def inspected(
    readers: Sequence[EventReader],
    host: str = HOST,
    port: int = PORT,
    settings: Settings | None = None,
    installers: Sequence[Installer] = (),
) -> Watch:
    """Return how a server is watched that has an inspector; raise StartError where there can be none."""
    selector = selectors.DefaultSelector()
    if not hasattr(selector, "fileno"):
        selector.close()
        raise StartError("--inspect needs a selector that can itself be waited for: epoll or kqueue")
    control = Control(Reactor(slow_turn=inf), pausable())
    inner = SteppedReactor(control, readers, selector, (settings or Settings()).slow_turn)

    @contextmanager
    def around(server: Server) -> Iterator[str]:
        demo.install(server.service.router)
        inspector = Inspector(server, inner, host, port, installers)
        try:
            yield f"microscope on {inspector.url}"
        finally:
            inspector.close()

    return Watch(inner, InspectedConnection, around)
