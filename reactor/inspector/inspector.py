"""The inspector: a second, small server in the same thread that shows the first one and can hold its loop.

    inspector = inspected(subscribers, host, port)
    with closing(inspector), Server(routes, instrumentation=inspector) as server:
        server.run()

Its reactor is the outer one. It serves the inspector's own listening handle with the same Acceptor and
Connection classes, and waits for the main reactor as for one more handle: see
``reactor.inspector.main_loop``. Signals are handled by the outer reactor, so that a held server can still be
stopped.
"""

import selectors
import signal
import socket
from collections.abc import Sequence
from contextlib import ExitStack

from reactor.inspector.demo_server import DemoServer, ServedEvents
from reactor.inspector.origin_check import LocalRouter
from reactor.inspector.routes import Installer, install
from reactor.inspector.stepping import InspectedConnection, SteppedReactor
from reactor.inspector.subscribers import Subscribers
from reactor.loop import Reactor
from reactor.observe.events import EventCallback
from reactor.server.acceptor import Acceptor
from reactor.server.connection import Connection
from reactor.server.context import ServerContext
from reactor.server.listen import LOOPBACK_OF, Listener, StartError, listen, url_of
from reactor.server.server import Instrumentation, Server
from reactor.settings import Settings

HOST, PORT = "127.0.0.1", 4222
MAX_CONNECTIONS = 32
# Write timeout of a page, in seconds: a page that lost its network must not keep the loop held. At least one
# frame a second is sent to each page.
PAGE_TIMEOUT = 10.0


class Inspector(Instrumentation):
    """The instrumentation of an inspected server; the inspector has a listening socket of its own.

    ``installers`` add routes. ``served`` receive all events except those of demo connections.
    """

    descriptors = MAX_CONNECTIONS + 8  # and the listening socket, the second selector, a trace file

    def __init__(
        self,
        reactor: SteppedReactor,
        outer: Reactor,
        listener: Listener,
        routes: LocalRouter,
        installers: Sequence[Installer],
        served: Sequence[ServedEvents],
    ) -> None:
        host, port = listener.getsockname()[:2]
        self.url = f"{url_of(LOOPBACK_OF.get(host, host), port)}/"
        super().__init__(reactor, InspectedConnection, outer, f"inspector on {self.url}")
        self.control = reactor.control
        self._main = reactor
        self._listener = listener
        self._routes = routes
        self._installers = installers
        self._served = served
        self._context = ServerContext(outer, routes, Settings(stall_timeout=PAGE_TIMEOUT))
        self._stack = ExitStack()  # closes what ``on_start`` has opened

    def on_start(self, server: Server) -> None:
        """Start to serve the inspector of a server."""
        demo_server = DemoServer(server.context, self._main, self._served)
        subscribers = Subscribers(server, self._main, self.run_loop, demo_server)
        install(self._routes, subscribers)
        for each in self._installers:
            each(self._routes, server)
        acceptor = Acceptor(self._context, self._listener, MAX_CONNECTIONS, Connection)
        self._stack.callback(self._abort_connections)
        self._stack.callback(acceptor.close)
        self._stack.callback(subscribers.close)
        self.run_loop.register(acceptor)

    def on_signal(self, server: Server, number: int) -> None:
        """Forward a signal to the server, which handles it in a turn of its own, between two calls."""
        if number == signal.SIGUSR1:
            server.on_signal(number)
            return
        if server.stops_on(number):
            self.control.server_stopping()
        server.call_soon(server.on_signal, number)

    def on_close(self) -> None:
        """Close the connections of the inspector; closing those of the server afterwards is never held."""
        self.control.server_stopping()
        self._stack.close()

    def close(self) -> None:
        """Close both selectors and the listening socket."""
        super().close()
        self._listener.close()
        self.run_loop.close()

    def _abort_connections(self) -> None:
        for connection in list(self._context.connections.values()):
            connection.abort()


def inspected(
    subscribers: Sequence[EventCallback],
    host: str = HOST,
    port: int = PORT,
    settings: Settings | None = None,
    installers: Sequence[Installer] = (),
    served_subscribers: Sequence[EventCallback] = (),
    outer: Reactor | None = None,
    names: Sequence[str] = (),
) -> Inspector:
    """Open the listening socket of an inspector; raise StartError, also if the selector cannot be polled.

    ``served_subscribers`` receive the server's events except those of demo connections. ``outer`` is the
    reactor of the inspector; both servers use its clock. ``names`` are additional allowed hosts.
    """
    slow_turn = (Settings() if settings is None else settings).slow_turn
    selector = selectors.DefaultSelector()
    try:
        if not hasattr(selector, "fileno"):
            raise StartError("--inspect requires epoll or kqueue, which this system does not have")
        listener = listen(host, port)
    except StartError:
        selector.close()
        raise
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # Inherited by connections: the kernel closes those whose data is never acknowledged.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(PAGE_TIMEOUT * 1000))
    outer = Reactor() if outer is None else outer
    served = [ServedEvents(each) for each in served_subscribers]
    reactor = SteppedReactor(outer, [*served, *subscribers], selector, slow_turn)
    return Inspector(reactor, outer, listener, LocalRouter(host, names), installers, served)
