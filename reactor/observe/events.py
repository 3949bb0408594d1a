"""The event stream of a server: typed events, the base class of subscribers, display names.

An event is a tuple: its kind, the time (in seconds of the reactor's clock), and the fields of its kind.

    Kind           Fields
    TURN_STARTED   turn, timeout            turn number ``turn`` (from 1) began; the selector was called with
                                            ``timeout`` (in seconds or None), at the time of the event
    SELECTED       slept, ready             the selector returned (key, event mask) pairs after ``slept``
                                            seconds
    CALLED         handler, events, began   an event handler was called, and returned; ``events`` is an event
                                            mask, or DEADLINE or SOON; ``began`` is when the previous call, or
                                            the selector, returned
    SCHEDULED      handler, deadline        a deadline was scheduled; ``deadline`` is a time of the same clock
    TURN_ENDED     turn, began              a turn ended; ``began`` is when the selector returned

    OPENED         connection               the connection was accepted
    STATE_CHANGED  connection, before, after
                                            its state changed
    RECEIVED       connection, data         bytes were received
    RESPONSE       connection, request, status, compressed_bytes, began, returned, data
                                            a response was buffered; its handler was called at ``began`` and
                                            returned at ``returned``; ``compressed_bytes`` of the body were
                                            compressed; ``data`` is the head, followed by the body if that is
                                            in memory
    REFUSED        connection, status, reason
                                            a request was refused
    SENT           connection, count        the kernel accepted ``count`` bytes
    ANSWERED       connection, exchange, body_bytes
                                            a response was sent or aborted; ``body_bytes`` of its body were
                                            sent (recorded by the access log)
    CLOSED         connection, reason       the connection was closed

TURN_STARTED and SELECTED are both emitted when the selector has returned.

Events are tuples because there are tens of thousands per second, and creating an object with named fields
takes six times as long. The methods of ``Subscriber`` define the names and types of the fields. Events are
collected, and passed to the subscribers at the end of the turn. A subscriber is called with the list of
events, and must not keep it.

``reactor.observe.instrumented`` emits the events.
"""

import socket
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, TypeGuard

from reactor.event_handler import EventHandler
from reactor.http11.addresses import peer_address
from reactor.http11.message import Request
from reactor.logs.access_log import Exchange
from reactor.loop_hooks import Ready
from reactor.server.acceptor import Acceptor
from reactor.server.connection import Connection
from reactor.server.state import CloseReason, State
from reactor.wakeup import SignalHandle

if TYPE_CHECKING:
    from reactor.observe.instrumented import InstrumentedConnection


class EventKind(StrEnum):
    """The kinds of events; see the table at the top of this file."""

    TURN_STARTED = "turn_started"
    SELECTED = "selected"
    CALLED = "called"
    SCHEDULED = "scheduled"
    TURN_ENDED = "turn_ended"
    OPENED = "opened"
    STATE_CHANGED = "state_changed"
    RECEIVED = "received"
    RESPONSE = "response"
    REFUSED = "refused"
    SENT = "sent"
    ANSWERED = "answered"
    CLOSED = "closed"


LoopEvent = (
    tuple[Literal[EventKind.TURN_STARTED], float, int, float | None]
    | tuple[Literal[EventKind.SELECTED], float, float, Ready]
    | tuple[Literal[EventKind.CALLED], float, EventHandler, int, float]
    | tuple[Literal[EventKind.SCHEDULED], float, EventHandler, float]
    | tuple[Literal[EventKind.TURN_ENDED], float, int, float]
)
ConnectionEvent = (
    tuple[Literal[EventKind.OPENED], float, "InstrumentedConnection"]
    | tuple[Literal[EventKind.STATE_CHANGED], float, "InstrumentedConnection", State, State]
    | tuple[Literal[EventKind.RECEIVED], float, "InstrumentedConnection", bytes]
    | tuple[
        Literal[EventKind.RESPONSE],
        float,
        "InstrumentedConnection",
        Request,
        int,
        int,
        float,
        float,
        bytes,
    ]
    | tuple[Literal[EventKind.REFUSED], float, "InstrumentedConnection", int, str]
    | tuple[Literal[EventKind.SENT], float, "InstrumentedConnection", int]
    | tuple[Literal[EventKind.ANSWERED], float, "InstrumentedConnection", Exchange, int]
    | tuple[Literal[EventKind.CLOSED], float, "InstrumentedConnection", CloseReason]
)
Event = LoopEvent | ConnectionEvent
Emit = Callable[[Event], None]
EventCallback = Callable[[list[Event]], object]  # a subscriber; ``Subscriber`` is a base class for one

_LOOP_KINDS = frozenset(
    (EventKind.TURN_STARTED, EventKind.SELECTED, EventKind.CALLED, EventKind.SCHEDULED, EventKind.TURN_ENDED)
)


def is_connection_event(event: Event) -> TypeGuard[ConnectionEvent]:
    """Return whether an event is about a connection, which is its third item."""
    return event[0] not in _LOOP_KINDS


class Subscriber:
    """Calls a method for each event, by its kind, with the event's items as arguments.

    A subclass overrides the methods of the kinds that it handles; the others are not called. The kind is an
    argument because omitting it would require slicing each event: 105 instead of 75 ns per call.
    """

    def __init__(self) -> None:
        self._methods: dict[str, Callable[..., None]] = {
            kind: getattr(self, f"on_{kind}")
            for kind in EventKind
            if getattr(type(self), f"on_{kind}") is not getattr(Subscriber, f"on_{kind}")
        }

    def __call__(self, events: list[Event]) -> None:
        """Handle the events of one turn."""
        methods = self._methods
        for event in events:
            method = methods.get(event[0])
            if method is not None:
                method(*event)

    def on_turn_started(self, kind: EventKind, when: float, turn: int, timeout: float | None) -> None:
        """Handle the start of a turn."""

    def on_selected(self, kind: EventKind, when: float, slept: float, ready: Ready) -> None:
        """Handle the return of the selector."""

    def on_called(
        self, kind: EventKind, when: float, handler: EventHandler, events: int, began: float
    ) -> None:
        """Handle the return of an event handler."""

    def on_scheduled(self, kind: EventKind, when: float, handler: EventHandler, deadline: float) -> None:
        """Handle a scheduled deadline."""

    def on_turn_ended(self, kind: EventKind, when: float, turn: int, began: float) -> None:
        """Handle the end of a turn."""

    def on_opened(self, kind: EventKind, when: float, connection: "InstrumentedConnection") -> None:
        """Handle an accepted connection."""

    def on_state_changed(
        self, kind: EventKind, when: float, connection: "InstrumentedConnection", before: State, after: State
    ) -> None:
        """Handle a state change of a connection."""

    def on_received(
        self, kind: EventKind, when: float, connection: "InstrumentedConnection", data: bytes
    ) -> None:
        """Handle received bytes."""

    def on_response(
        self,
        kind: EventKind,
        when: float,
        connection: "InstrumentedConnection",
        request: Request,
        status: int,
        compressed_bytes: int,
        began: float,
        returned: float,
        data: bytes,
    ) -> None:
        """Handle a buffered response."""

    def on_refused(
        self, kind: EventKind, when: float, connection: "InstrumentedConnection", status: int, reason: str
    ) -> None:
        """Handle a refused request."""

    def on_sent(self, kind: EventKind, when: float, connection: "InstrumentedConnection", count: int) -> None:
        """Handle sent bytes."""

    def on_answered(
        self,
        kind: EventKind,
        when: float,
        connection: "InstrumentedConnection",
        exchange: Exchange,
        body_bytes: int,
    ) -> None:
        """Handle a sent or aborted response."""

    def on_closed(
        self, kind: EventKind, when: float, connection: "InstrumentedConnection", reason: CloseReason
    ) -> None:
        """Handle a closed connection."""


# Display names of event handlers, for logs, traces and the inspector:
#
#     c5          the connection with this number          listener    the acceptor
#     signals     the signal handle                        wakeup      calls from other threads


def name_of(handler: EventHandler) -> str:
    """Return the short name of an event handler."""
    if isinstance(handler, Connection):
        return f"c{handler.number}"
    if type(handler) is Acceptor:
        return "listener"
    if isinstance(handler, SignalHandle):
        return "signals"
    return type(handler).__name__.lower()


def deadline_name(handler: EventHandler) -> str:
    """Return the name of an event handler's deadline: the timeout of a connection's state."""
    return (handler.state.timeout or "") if isinstance(handler, Connection) else name_of(handler)


def peer_of(connection: Connection) -> str:
    """Return the client's host and port, or only the host if the port is not known.

    It is not for a closed connection, a Unix socket, and a client that a PROXY header names.
    """
    try:
        address = connection.handle.getpeername()
    except (OSError, AttributeError):
        return connection.peer
    if not isinstance(address, tuple) or peer_address(address[0]) != connection.peer:  # a tuple only for TCP
        return connection.peer
    port = address[1]
    return f"[{connection.peer}]:{port}" if ":" in connection.peer else f"{connection.peer}:{port}"


def descriptor_of(handle: socket.socket | None) -> int:
    """Return the file descriptor of a handle; -1 if it is None or closed."""
    try:
        return -1 if handle is None else int(handle.fileno())
    except (OSError, ValueError):
        return -1
