"""The listening socket, and the connection limit that follows from the limit on open files."""

import resource
import socket

BACKLOG = 4096
MAX_UNSENT_IN_KERNEL = 128 * 1024  # octets
# Descriptors kept for other things than connections: the selector, the log, and files in flight.
MIN_FILES = 32


class StartError(Exception):
    """The server cannot start; the message says why in one line."""


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket that does not block; raise StartError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)  # not error: a cycle with this frame
        raise StartError(f"cannot listen on {host}: {reason}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit it: a response is whole when it is sent, and gains nothing by waiting.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            # What waits unsent for a slow client waits in the write buffer, where it is bounded, and not in
            # megabytes of the kernel's memory.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MAX_UNSENT_IN_KERNEL)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)  # not error: a cycle with this frame
        raise StartError(f"cannot listen on {host} port {port}: {reason}") from None
    return listener


def connection_limit(wanted: int) -> int:
    """Return how many connections may be held, ``wanted`` being 0 for as many as files may be open.

    Raise the limit on open files as far as it goes. Raise StartError when it is too low.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError):
            pass  # some systems refuse their own hard limit; what we have must do
    if soft == resource.RLIM_INFINITY:
        soft = 1 << 20
    if soft < MIN_FILES:
        raise StartError(f"open-file limit too low: {soft} (at least {MIN_FILES} are needed; see ulimit -n)")
    # A download or an upload holds a second descriptor beside its connection's.
    available = soft - max(MIN_FILES // 2, soft // 8)
    if wanted > available:
        raise StartError(
            f"cannot serve {wanted} connections: "
            f"the open-file limit, {soft}, allows {available} (see ulimit -n)"
        )
    return wanted or available
