"""The demo server: a separate listener, so that the demos do not change the routes of the server.

    Listener      127.0.0.1, a free port; opened for the first demo, closed when the server stops
    Routes        /echo/{text...}, /demo/block, /demo/large
    Access        every request needs the token in Demo-Token, which only the demo clients know; otherwise
                  the response is 403, before a handler or a sink is called
    Loop          the main loop, with the settings of the server: a blocking handler blocks the real loop, and
                  the timeouts are the real ones
    Connections   numbered -1, -2, ...: shown by the inspector, but not counted as connections of the server
                  (in its connection limit, access log, /connections, request metrics)

The listener is not opened at startup: no port or file descriptor is used until the first demo, and if it
cannot be opened, only the demos fail.
"""

import select
from collections.abc import Sequence
from hmac import compare_digest
from secrets import token_urlsafe

from reactor.basic_auth import with_check
from reactor.http11.errors import HTTPError
from reactor.http11.message import Params, Request, Response
from reactor.inspector.stepping import InspectedConnection, SteppedReactor
from reactor.observe.events import Event, EventCallback, is_connection_event
from reactor.routing import Route, Router
from reactor.server.acceptor import Acceptor
from reactor.server.context import ServerContext, ServerState
from reactor.server.listen import StartError, listen
from reactor.settings import Settings

HOST = "127.0.0.1"
MAX_CONNECTIONS = 256
TOKEN_HEADER = "Demo-Token"
BLOCK_SECONDS = 0.2
LARGE = 4 << 20  # bytes


# The routes.


class DemoRouter(Router):
    """A router whose routes, error responses included, require the token."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token.encode()
        self.get("/echo/{text...}")(echo)
        self.get("/demo/block")(block)
        self.get("/demo/large")(large)

    def resolve(self, method: str, segments: Sequence[str]) -> tuple[Route, Params]:
        """Return the route found by the base class, with a check of the token."""
        route, params = super().resolve(method, segments)
        return with_check(route, self._check), params

    def _check(self, request: Request) -> None:
        token = request.headers.get(TOKEN_HEADER, "")
        if not compare_digest(token.encode(), self._token):
            raise HTTPError(403, "this port serves the demo clients of the inspector only")


def echo(request: Request) -> Response:
    """Return the rest of the path."""
    return Response.text(request.params["text"])


def block(request: Request) -> Response:
    """Block the loop, which no handler should do."""
    select.select((), (), (), BLOCK_SECONDS)
    return Response.text(f"the loop was blocked for {BLOCK_SECONDS * 1000:.0f} ms\n")


def large(request: Request) -> Response:
    """Return a body that does not fit into the kernel's buffers."""
    return Response(200, b"." * LARGE, (("Content-Type", "text/plain"),))


# The server.


class ServedEvents:
    """Forwards events to a subscriber, except those of demo connections.

    Events are filtered only while there are demo connections; otherwise the list is forwarded unchanged.
    """

    def __init__(self, subscriber: EventCallback) -> None:
        self._subscriber = subscriber
        self._excluded: ServerContext | None = None

    def exclude(self, context: ServerContext) -> None:
        """Filter out the events of a server's connections until the last of them is closed."""
        self._excluded = context

    def __call__(self, events: list[Event]) -> None:
        """Forward events."""
        if self._excluded is not None:
            # Called at the end of a turn: this list still contains the last CLOSED event.
            if not self._excluded.connections:
                self._excluded = None
            events = [each for each in events if not is_connection_event(each) or each[2].number > 0]
        self._subscriber(events)


class DemoContext(ServerContext):
    """The context of the demo connections, whose numbers are negative."""

    def __init__(
        self, reactor: SteppedReactor, token: str, settings: Settings, served: Sequence[ServedEvents]
    ) -> None:
        super().__init__(reactor, DemoRouter(token), settings)
        self._served = served

    def allocate_number(self) -> int:
        """Number the connections -1, -2, ..."""
        for each in self._served:
            each.exclude(self)
        return -super().allocate_number()


class DemoListener(Acceptor):
    """Accepts the demo connections; its display name is "demolistener"."""

    __slots__ = ()


class DemoServer:
    """Serves the demo clients in the loop of a server; ``served`` filter out their events."""

    def __init__(
        self, server: ServerContext, inner: SteppedReactor, served: Sequence[ServedEvents] = ()
    ) -> None:
        self.token = token_urlsafe(32)
        self.context = DemoContext(inner, self.token, server.settings, served)
        self._server = server
        self._listener: DemoListener | None = None
        self._address = HOST, 0

    def open(self) -> tuple[str, int]:
        """Open the listener unless it is open; return its address; raise StartError."""
        if self._server.state is not ServerState.RUNNING:
            raise StartError("the server is stopping")
        if self._listener is None:
            self.context.reactor.at_turn_end(self._close_when_stopping)
        if not self._is_open:
            sock = listen(HOST, 0)
            self._address = sock.getsockname()[:2]
            self._listener = DemoListener(self.context, sock, MAX_CONNECTIONS, InspectedConnection)
            self.context.reactor.register(self._listener)
        return self._address

    def close(self) -> None:
        """Close the listener and every demo connection."""
        if self._listener is not None and self._is_open:
            self._listener.close()
        for connection in list(self.context.connections.values()):
            connection.abort()

    @property
    def _is_open(self) -> bool:
        return self._listener is not None and self._listener.handle.fileno() >= 0

    def _close_when_stopping(self) -> None:
        """Close if the server is stopping: demo connections must not delay the shutdown."""
        if self._server.state is not ServerState.RUNNING:
            self.close()
