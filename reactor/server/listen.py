"""The listening socket, and its URL."""

import errno
import socket

BACKLOG = 4096
MAX_UNSENT_IN_KERNEL = 128 * 1024  # bytes
# The address of this machine on which a server answers that listens on all addresses.
LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class Listener(socket.socket):
    """A listening socket whose ``accept`` takes 1 us less.

    It reads ``family`` and ``type`` for each connection. Here they are attributes; in the base class they are
    properties, which look up enum members.

    ``outlives_process`` is true if another process keeps the socket open when this one closes it: connections
    that wait in its accept queue are left to that process, or to the next one. ``name`` is the name that a
    service manager gave to the socket, or "".
    """

    __slots__ = ("family", "name", "outlives_process", "type")

    family: socket.AddressFamily
    type: socket.SocketKind

    def __init__(
        self,
        family: socket.AddressFamily,
        kind: socket.SocketKind,
        protocol: int = 0,
        fileno: int | None = None,
        name: str = "",
        outlives_process: bool = False,
    ) -> None:
        super().__init__(family, kind, protocol, fileno)
        self.family = family
        self.type = kind
        self.name = name
        self.outlives_process = outlives_process


class StartError(Exception):
    """The server cannot start; the message says why in one line. ``details`` is a traceback, or ""."""

    details = ""


def listen(host: str, port: int) -> Listener:
    """Return a non-blocking listening socket; raise StartError if that fails."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = Listener(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        # Not the error itself: it would form a reference cycle with this frame.
        reason = getattr(error, "strerror", None) or str(error)
        raise StartError(f"cannot listen on {host}: {reason}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit it: responses are sent in one piece, so Nagle's algorithm would only delay them.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            # Buffer responses to slow clients in the write buffer, which is bounded, instead of in megabytes
            # of kernel memory.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MAX_UNSENT_IN_KERNEL)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except (OSError, OverflowError) as error:
        listener.close()
        # Not the error itself: it would form a reference cycle with this frame.
        reason = getattr(error, "strerror", None) or str(error)
        advice = " (choose another port)" if getattr(error, "errno", 0) == errno.EADDRINUSE else ""
        raise StartError(f"cannot listen on {host} port {port}: {reason}{advice}") from None
    return listener


def url_of(host: str, port: int) -> str:
    """Return the URL of a server that listens on an address, without a path.

    >>> url_of("127.0.0.1", 4221), url_of("::1", 4221)
    ('http://127.0.0.1:4221', 'http://[::1]:4221')
    """
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
