"""Names: what an event handler is called where people read of it.

c5          the connection with this number          listener    who accepts connections
signals     signals, as a handle                     wakeup      calls from other threads
"""

import socket

from reactor.acceptor import Acceptor
from reactor.connection import Connection
from reactor.loop import EventHandler
from reactor.wakeup import SignalHandle


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
    return (handler.state.patience or "") if isinstance(handler, Connection) else name_of(handler)


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
