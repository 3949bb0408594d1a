"""The write buffer: bytes, parts of files and streams that the kernel has not taken yet.

    write(octets)   add octets                             size       how many octets wait in memory
    add(body)       add a part of a file, or a stream      has_room   whether another response may be added
    flush(socket)   send what the kernel takes, at most one turn's share, and say how it went:

    FlushResult  What it means                               What to do
    DONE         everything is sent                          go on to the next request
    PAUSED       the kernel is full, or the share is used    wait until the handle is writable
    STREAM_IDLE  a live stream has nothing more yet          wait until it wakes us
    FAILED       the other side is gone, or a file changed   close

Sending is tried before waiting: most responses fit, and never ask the selector for anything. The
write buffer knows no HTTP; what it sends was framed before.
"""

import logging
import os
import socket
from collections.abc import Callable
from enum import Enum, auto

from reactor.http11.message import FileSlice
from reactor.http11.serializer import ChunkSource

log = logging.getLogger("reactor")

Octets = bytes | memoryview
# Given descriptors of a socket and a file, an offset and a count: how many octets were sent.
SendFile = Callable[[int, int, int, int], int]

# Tells the kernel that more follows, so that a head does not leave as a packet of its own.
_MSG_MORE = getattr(socket, "MSG_MORE", 0)


class FlushResult(Enum):
    """How a flush went; the table is at the top of this file."""

    DONE = auto()
    PAUSED = auto()
    STREAM_IDLE = auto()
    FAILED = auto()


# Bound once: in Python 3.11, FlushResult.DONE takes 50 ns longer than DONE.
DONE = FlushResult.DONE
PAUSED = FlushResult.PAUSED
STREAM_IDLE = FlushResult.STREAM_IDLE
FAILED = FlushResult.FAILED


def close_content(content: object) -> None:
    """Close content that will not be sent, where it can be closed; log it when that fails."""
    close = getattr(content, "close", None)
    if close is not None:
        try:
            close()
        except Exception:  # the application's code; whoever lets go of it has more to let go of
            log.exception("unhandled exception while closing a response body")


class WriteBuffer:
    """The octets that one connection has yet to send, and then at most one body that is not in memory."""

    __slots__ = ("_high_water", "_octets", "_sendfile", "body", "sent", "size")

    def __init__(self, high_water: int, sendfile: SendFile = os.sendfile) -> None:
        self._octets: list[Octets] = []
        self.body: FileSlice | ChunkSource | None = None
        self._high_water = high_water
        self._sendfile = sendfile
        self.size = 0
        self.sent = 0  # octets taken by the kernel since the beginning, framing included

    # What others ask.

    @property
    def has_room(self) -> bool:
        """True while another response may be added: what is open at once is bounded, too."""
        return self.body is None and self.size < self._high_water

    @property
    def queued(self) -> int:
        """How many octets were ever added, as far as their number is known."""
        body = self.body
        return self.sent + self.size + (body.count if isinstance(body, FileSlice) else 0)

    @property
    def awaits_producer(self) -> bool:
        """True when everything is sent that the stream has produced: its next piece is to come from us."""
        return isinstance(self.body, ChunkSource) and not self._octets

    # Adding and sending.

    def write(self, octets: bytes) -> None:
        """Add octets."""
        self._octets.append(octets)
        self.size += len(octets)

    def add(self, body: FileSlice | ChunkSource) -> None:
        """Add a part of a file, or a stream; the write buffer closes it."""
        assert self.body is None, "there is no room for a second body"
        self.body = body

    def flush(self, sock: socket.socket, share: int) -> FlushResult:
        """Send what the kernel takes: at most ``share`` octets, and one piece of a stream.

        Making a piece is somebody else's code, so one a turn is what is fair to the others.
        """
        if self.body is None:
            return self.flush_bytes(sock, share)
        return self._flush_body(sock, self.body, share)

    def _flush_body(self, sock: socket.socket, body: FileSlice | ChunkSource, share: int) -> FlushResult:
        limit = self.sent + share
        result = self.flush_bytes(sock, share)
        if result is not DONE:
            return result
        if self.sent >= limit:
            return PAUSED
        if isinstance(body, FileSlice):
            return self._send_slice(sock, body, limit - self.sent)
        result = self._pull(body)
        if self._octets:
            result = self.flush_bytes(sock, limit - self.sent)
        return result if self.body is None or result is not DONE else PAUSED

    def clear(self) -> None:
        """Throw away what waits, and close what is open."""
        self._octets.clear()
        self.size = 0
        self._close_body()

    def _close_body(self) -> None:
        if self.body is not None:
            body, self.body = self.body, None
            close_content(body)

    # The only calls that touch the socket.

    def flush_bytes(self, sock: socket.socket, share: int) -> FlushResult:
        """Send the bytes in memory, gathered into one call, and nothing of the body."""
        waiting = self._octets
        if not waiting:
            return DONE
        octets = waiting[0] if len(waiting) == 1 else b"".join(waiting)
        offered = octets if self.size <= share else memoryview(octets)[:share]
        try:
            sent = sock.send(offered) if self.body is None else sock.send(offered, self._flags())
        except BlockingIOError:
            sent = 0
        except OSError:
            return FAILED
        self.sent += sent
        if sent == self.size:
            waiting.clear()
            self.size = 0
            return DONE
        self.size -= sent
        self._octets = [memoryview(octets)[sent:]]
        return PAUSED

    def _flags(self) -> int:
        """Let a head leave in one packet with the file behind it.

        Only where octets follow for certain: the kernel waits up to 200 ms for those that do not come.
        """
        return _MSG_MORE if isinstance(self.body, FileSlice) and self.body.count else 0

    def _send_slice(self, sock: socket.socket, part: FileSlice, share: int) -> FlushResult:
        """Send from the file's pages, without a copy through this process."""
        if not part.intact():
            return FAILED  # what follows would be wrong octets under a right length
        try:
            sent = self._sendfile(sock.fileno(), part.file.fileno(), part.offset, min(share, part.count))
        except BlockingIOError:
            return PAUSED
        except OSError:
            return FAILED
        if sent == 0 and part.count:
            return FAILED  # the file has shrunk: its length has been promised, and cannot be kept
        self.sent += sent
        part.offset += sent
        part.count -= sent
        if part.count:
            return PAUSED
        self._close_body()
        return DONE

    def _pull(self, stream: ChunkSource) -> FlushResult:
        """Take the next piece of a stream."""
        piece = next(stream.chunks, None)
        if piece is None:
            self._close_body()
        elif piece:
            self.write(piece)
        else:
            return STREAM_IDLE if stream.live else PAUSED
        return DONE
