"""The event stream of a server: kinds of events, the base class of subscribers, display names.

An event is a tuple: its kind, the time (in seconds of the reactor's clock), and the fields of its kind.

    Kind       Fields
    TURN       turn, timeout         a turn began; counted from 1; timeout in seconds, None for ever
    SELECTED   waited, ready         the selector returned after so many seconds, with (key, readiness)
    CALLED     handler, events, began  hooks of an event handler returned; events 0 for its deadline
    SCHEDULED  handler, deadline     an entry was made for a deadline, in seconds of the same clock
    ENDED      turn, began           a turn ended, its last work included; it began to work at ``began``

    OPENED     connection                  it was accepted
    ENTERED    connection, before, after   its state changed
    RECEIVED   connection, data            bytes arrived
    RESPONSE   connection, request, status, compressed, began, made
                                           it is queued; its handler was called at ``began``, and it was
                                           serialized from ``made`` on; so many bytes were compressed
    REFUSED    connection, status, reason  a request was refused
    SENT       connection, count, data     the kernel took ``count`` bytes; ``data`` is the first buffer
    ANSWERED   connection, exchange, content
                                           the last byte was sent, or never will be, and so many bytes of
                                           the body were; the access log gets the same
    CLOSED     connection, reason          it is closed; a CloseReason

An event is a tuple because there are tens of thousands a second, and anything with a name for each field
takes six times as long to make. Events are collected, and published at the end of the turn to the
subscribers: functions of a list of events, which they must not keep.

``reactor.observe.instrumented`` emits the events.
"""

import socket
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from reactor.event_handler import EventHandler
from reactor.server.acceptor import Acceptor
from reactor.server.connection import Connection
from reactor.wakeup import SignalHandle


class EventKind(StrEnum):
    """The kinds of events; the table is at the top of this file."""

    TURN = "turn"
    SELECTED = "selected"
    CALLED = "called"
    SCHEDULED = "scheduled"
    ENDED = "ended"
    OPENED = "opened"
    ENTERED = "entered"
    RECEIVED = "received"
    RESPONSE = "response"
    REFUSED = "refused"
    SENT = "sent"
    ANSWERED = "answered"
    CLOSED = "closed"


Event = tuple[Any, ...]
Emit = Callable[[Event], None]
EventCallback = Callable[[list[Event]], object]


class Subscriber:
    """Calls the method ``_on_KIND`` for each event, with the event's items as arguments.

    Events of a kind without a method are skipped.
    """

    def __init__(self) -> None:
        self._methods: dict[str, Callable[..., None]] = {
            kind: getattr(self, f"_on_{kind}") for kind in EventKind if hasattr(self, f"_on_{kind}")
        }

    def __call__(self, events: list[Event]) -> None:
        """Handle the events of a turn."""
        methods = self._methods
        for event in events:
            method = methods.get(event[0])
            if method is not None:
                method(*event)


# Display names of event handlers, for logs, traces and the inspector:
#
#     c5          the connection with this number          listener    the acceptor
#     signals     signals, as a handle                     wakeup      calls from other threads


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
    """Return which deadline of an event handler it is."""
    return (handler.state.timeout or "") if isinstance(handler, Connection) else name_of(handler)


def peer_of(connection: Connection) -> str:
    """Return host and port of the other side; the host alone when it is gone already."""
    try:
        port = connection.handle.getpeername()[1]
    except (OSError, IndexError, TypeError, AttributeError):
        return connection.peer
    return f"[{connection.peer}]:{port}" if ":" in connection.peer else f"{connection.peer}:{port}"


def descriptor_of(handle: "socket.socket | None") -> int:
    """Return the descriptor of a handle; -1 when it has none, or is closed."""
    try:
        return -1 if handle is None else int(handle.fileno())
    except (OSError, ValueError):
        return -1
