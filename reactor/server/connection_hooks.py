"""The public hooks of a connection, for a subclass that observes it.

They do nothing here. Calling an empty method takes 25 ns, seven times per request, so the connection calls
them only if ``active_hooks``, which its constructor calls, returns an object: an instrumented connection
returns itself. Hooks must not raise: an exception is treated like one of the handler, or closes the
connection.
"""

from reactor.http11.errors import HTTPError
from reactor.http11.message import Request
from reactor.server.state import CloseReason, State


class ConnectionHooks:
    """The events of a connection that can be observed."""

    __slots__ = ()

    def active_hooks(self) -> "ConnectionHooks | None":
        """Return the object whose hooks are called: None here, ``self`` in a subclass that observes."""
        return None

    def on_state_change(self, before: State, after: State) -> None:
        """Observe that the state has changed."""

    def on_received(self, data: bytes) -> None:
        """Observe bytes that have arrived, before they are parsed."""

    def on_request(self, request: Request) -> None:
        """Observe a request before its handler is called, and before a deferred response is taken."""

    def on_refused(self, error: HTTPError) -> None:
        """Observe that a request is refused, before its response is created."""

    def before_response(self, request: Request) -> None:
        """Observe that a response is about to be serialized, and compressed if negotiated."""

    def on_response(self, request: Request, status: int, data: bytes, compressed: int) -> None:
        """Observe a response in the write buffer: its first bytes, and how many bytes were compressed."""

    def on_sent(self, count: int) -> None:
        """Observe that the kernel has accepted bytes."""

    def on_closed(self, reason: CloseReason) -> None:
        """Observe that the connection is closed."""
