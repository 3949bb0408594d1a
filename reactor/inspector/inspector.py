"""The inspector: a second, small server in the same thread, which looks at the first one and can hold it.

    instrumentation = inspected(subscribers, host, port, settings)
    with Server(routes, instrumentation=instrumentation) as server, instrumentation.lifespan(server):
        server.run()

Its reactor is the outer one. It serves the inspector's own listening handle with the same acceptor and the
same connections as any server of ours, and waits for the main reactor as for one more handle: see
``reactor.inspector.main_loop``. Signals are heard by the outer reactor, too, so that a server that is held
can still be stopped.
"""

import selectors
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from reactor.inspector.demo_server import DemoServer, ServedEvents
from reactor.inspector.main_loop import MainLoop
from reactor.inspector.origin_check import LocalRouter
from reactor.inspector.routes import Installer, install
from reactor.inspector.stepping import Control, InspectedConnection, SteppedReactor, pausable
from reactor.inspector.subscribers import Subscribers
from reactor.loop import Reactor
from reactor.observe.events import EventCallback
from reactor.server.acceptor import Acceptor
from reactor.server.connection import Connection
from reactor.server.context import ServerContext
from reactor.server.listen import StartError, listen
from reactor.server.server import Instrumentation, Server
from reactor.settings import Settings

HOST, PORT = "127.0.0.1", 4222
MAX_CONNECTIONS = 100
# Seconds without progress after which a page counts as closed: one whose network is gone must not keep the
# loop held. At least one frame a second is sent to it.
PAGE_TIMEOUT = 10.0


class Inspector:
    """One server's inspector; raises StartError when it cannot listen."""

    def __init__(
        self,
        server: Server,
        inner: SteppedReactor,
        host: str = HOST,
        port: int = PORT,
        installers: Sequence[Installer] = (),
        served: Sequence[ServedEvents] = (),
        names: Sequence[str] = (),
    ) -> None:
        self._server = server
        self._control = inner.control
        self._outer = inner.control.outer
        listener = listen(host, port)
        name, number = listener.getsockname()[:2]
        self.url = f"http://[{name}]:{number}/" if ":" in name else f"http://{name}:{number}/"
        routes = LocalRouter(host, names)
        demo_server = DemoServer(server.context, inner, served)
        self._subscribers = Subscribers(server, inner, self._outer, demo_server)
        install(routes, self._subscribers)
        for each in installers:
            each(routes, server)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # Inherited by connections: it closes those whose frames are never acknowledged.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(PAGE_TIMEOUT * 1000))
        self._context = ServerContext(self._outer, routes, Settings(stall_timeout=PAGE_TIMEOUT))
        self._acceptor = Acceptor(self._context, listener, MAX_CONNECTIONS, Connection)
        main_loop = MainLoop(inner, self._outer)
        self._control.suspend_loop, self._control.resume_loop = main_loop.suspend, main_loop.resume
        for handler in (self._acceptor, main_loop, self._subscribers):
            self._outer.register(handler)
        server.run_loop = self._outer
        server.signal_callback = self._on_signal

    def _on_signal(self, number: int) -> None:
        """Pass a signal on to the server, which hears it in a turn of its own, and between two calls."""
        if number == signal.SIGUSR1:
            self._server.on_signal(number)
            return
        if self._server.stops_on(number):
            self._subscribers.stop_requested = True
            self._control.detach()
        self._server.call_soon(self._server.on_signal, number)

    def close(self) -> None:
        """Close every handle of the inspector; the server's own are closed after it, and held by nobody."""
        self._control.detach()
        self._subscribers.close()
        self._acceptor.close()
        for connection in list(self._context.connections.values()):
            connection.abort()
        self._outer.close()


def inspected(
    subscribers: Sequence[EventCallback],
    host: str = HOST,
    port: int = PORT,
    settings: Settings | None = None,
    installers: Sequence[Installer] = (),
    served_subscribers: Sequence[EventCallback] = (),
    outer: Reactor | None = None,
    names: Sequence[str] = (),
) -> Instrumentation:
    """Return a server's Instrumentation with an inspector; raise StartError if its selector cannot be polled.

    ``served_subscribers`` receive the events of the server without those of demo connections. ``outer`` is
    the reactor of the inspector, whose clock both servers use. It is also served at host ``names``.
    """
    selector = selectors.DefaultSelector()
    if not hasattr(selector, "fileno"):
        selector.close()
        raise StartError("--inspect needs a selector that can itself be waited for: epoll or kqueue")
    outer = Reactor() if outer is None else outer
    control = Control(outer, pausable(outer.clock))
    served = [ServedEvents(each) for each in served_subscribers]
    inner = SteppedReactor(control, [*served, *subscribers], selector, (settings or Settings()).slow_turn)

    @contextmanager
    def lifespan(server: Server) -> Iterator[str]:
        inspector = Inspector(server, inner, host, port, installers, served, names)
        try:
            yield f"microscope on {inspector.url}"
        finally:
            inspector.close()

    return Instrumentation(inner, InspectedConnection, lifespan)
