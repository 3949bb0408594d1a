"""The write buffer of a connection: bytes, then at most one file slice, stream or Deferred, still to be sent.

    write(data)     add bytes
    add(body)       add a file slice, a stream, or a Deferred in place of a response
    flush(socket)   send as much as the socket accepts, at most one turn's share
    size            the number of bytes in memory

``flush`` returns:

    FlushResult  Meaning                                            Next
    DONE         everything was sent                                process the next request
    PAUSED       the socket would block, or the share was used up   wait until the socket is writable
    STREAM_IDLE  a live stream has no data yet                      wait until the stream has data
    AWAITED      the response is not known yet                      wait for it, or add it
    FAILED       the client is gone                                 close the connection
    BODY_FAILED  the file or stream failed; ``failure`` says why    log it, reset the connection

A connection flushes before it waits: most responses fit into the socket's send buffer, so WRITE is rarely
registered. The write buffer knows nothing about HTTP: the response is framed before it is added.
"""

import errno
import logging
import os
import socket
from collections.abc import Callable
from enum import Enum, auto

from reactor.http11.deferred import Deferred
from reactor.http11.message import FileSlice
from reactor.http11.serializer import ChunkSource

log = logging.getLogger("reactor")

Data = bytes | memoryview
Body = FileSlice | ChunkSource | Deferred
# Takes the file descriptors of a socket and a file, an offset and a count; returns the bytes sent.
SendFile = Callable[[int, int, int, int], int]

# A flag for send(2): more data follows, so the kernel does not send the head in a packet of its own.
_MSG_MORE = getattr(socket, "MSG_MORE", 0)


class FlushResult(Enum):
    """The result of a flush; see the table at the top of this file."""

    DONE = auto()
    PAUSED = auto()
    STREAM_IDLE = auto()
    AWAITED = auto()
    FAILED = auto()
    BODY_FAILED = auto()


# Bound once: in Python 3.11, FlushResult.DONE takes 50 ns longer than DONE.
DONE = FlushResult.DONE
PAUSED = FlushResult.PAUSED
STREAM_IDLE = FlushResult.STREAM_IDLE
AWAITED = FlushResult.AWAITED
FAILED = FlushResult.FAILED
BODY_FAILED = FlushResult.BODY_FAILED

# Errors of sendfile(2) that the client or the network causes, not the file. Others, such as EPIPE, are
# subclasses of ConnectionError.
_CLIENT_UNREACHABLE = frozenset(
    {errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.ENOTCONN}
)


def close_content(content: object) -> None:
    """Close a response body, if it has a ``close`` method; log an exception."""
    close = getattr(content, "close", None)
    if close is not None:
        try:
            close()
        except Exception:  # the application's code; the caller has more to close
            log.exception("unhandled exception while closing a response body")


class WriteBuffer:
    """Bytes that a connection has yet to send, then at most one body that is not in memory."""

    __slots__ = ("_data", "_sendfile", "body", "failure", "sent", "size")

    def __init__(self, sendfile: SendFile = os.sendfile) -> None:
        self._data: list[Data] = []
        self.body: Body | None = None
        self.failure: Exception | None = None  # raised by the body
        self._sendfile = sendfile
        self.size = 0
        self.sent = 0  # bytes accepted by the kernel on this connection, including framing

    # Queried by the connection.

    @property
    def total_added(self) -> int:
        """The number of bytes ever added, sent or not; of a stream, only those already produced."""
        body = self.body
        return self.sent + self.size + (body.count if isinstance(body, FileSlice) else 0)

    @property
    def awaits_producer(self) -> bool:
        """Whether the body is a stream and all that it has produced is sent."""
        return isinstance(self.body, ChunkSource) and not self._data

    # Adding and sending.

    def write(self, data: bytes) -> None:
        """Add bytes."""
        self._data.append(data)
        self.size += len(data)

    def add(self, body: Body) -> None:
        """Add a file slice, a stream or a Deferred; the write buffer closes it."""
        assert self.body is None, "another body is pending"
        self.body = body

    def flush(self, sock: socket.socket, share: int) -> FlushResult:
        """Send as much as the socket accepts: at most ``share`` bytes, and one chunk of a stream.

        Producing a chunk runs the application's code: one per turn is fair to other connections.
        """
        if self.body is None:
            return self.flush_bytes(sock, share)
        try:
            return self._flush_body(sock, self.body, share)
        except Exception as error:  # a stream runs the application's code
            self.failure = error
            return BODY_FAILED

    def _flush_body(self, sock: socket.socket, body: Body, share: int) -> FlushResult:
        limit = self.sent + share
        result = self.flush_bytes(sock, share)
        if result is not DONE:
            return result
        if self.sent >= limit:
            return PAUSED
        if isinstance(body, FileSlice):
            return self._send_slice(sock, body, limit - self.sent)
        if isinstance(body, Deferred):
            return AWAITED
        result = self._pull(body)
        if self._data:
            result = self.flush_bytes(sock, limit - self.sent)
        return result if self.body is None or result is not DONE else PAUSED

    def take_deferred(self) -> Deferred:
        """Remove and return the Deferred, which is resolved: its response is added next."""
        deferred, self.body = self.body, None
        assert isinstance(deferred, Deferred), "no Deferred in the write buffer"
        return deferred

    def clear(self) -> None:
        """Discard all unsent bytes, and close the body."""
        self._data.clear()
        self.size = 0
        self.failure = None  # its traceback refers to this object
        self._close_body()

    def _close_body(self) -> None:
        if self.body is not None:
            body, self.body = self.body, None
            close_content(body)

    # Sending.

    def flush_bytes(self, sock: socket.socket, share: int) -> FlushResult:
        """Send the bytes in memory with one call, without the body."""
        pieces = self._data
        if not pieces:
            return DONE
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        offered = data if self.size <= share else memoryview(data)[:share]
        try:
            sent = sock.send(offered) if self.body is None else sock.send(offered, self._flags())
        except BlockingIOError:
            sent = 0
        except OSError:
            return FAILED
        self.sent += sent
        if sent == self.size:
            pieces.clear()
            self.size = 0
            return DONE
        self.size -= sent
        self._data = [memoryview(data)[sent:]]
        return PAUSED

    def _flags(self) -> int:
        """Return MSG_MORE for a head that a file slice follows, so that both share a packet.

        Only if bytes are certain to follow: otherwise the kernel delays the packet by up to 200 ms.
        """
        return _MSG_MORE if isinstance(self.body, FileSlice) and self.body.count else 0

    def _send_slice(self, sock: socket.socket, part: FileSlice, share: int) -> FlushResult:
        """Send a part of a file with sendfile(2), without copying it through this process.

        Raise OSError if the file has changed or cannot be read.
        """
        part.check()
        try:
            sent = self._sendfile(sock.fileno(), part.file.fileno(), part.offset, min(share, part.count))
        except BlockingIOError:
            return PAUSED
        except OSError as error:
            if isinstance(error, ConnectionError) or error.errno in _CLIENT_UNREACHABLE:
                return FAILED
            raise
        if sent == 0 and part.count:
            raise OSError(f"the file ended at byte {part.offset}")  # Content-Length can no longer be met
        self.sent += sent
        part.offset += sent
        part.count -= sent
        if part.count:
            return PAUSED
        self._close_body()
        return DONE

    def _pull(self, stream: ChunkSource) -> FlushResult:
        """Buffer the next chunk of a stream; return DONE if a chunk was buffered, or the stream has ended."""
        chunk = next(stream.chunks, None)
        if chunk is None:
            self._close_body()
        elif chunk:
            self.write(chunk)
        else:
            return STREAM_IDLE if stream.live else PAUSED
        return DONE
