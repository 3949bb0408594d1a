"""The outbox: octets, parts of files and streams that the kernel has not taken yet.

    write(octets)   add octets                             size   how many octets wait in memory
    add(body)       add a part of a file, or a stream      room   whether another response may be added
    flush(socket)   send what the kernel takes, at most one turn's share, and say how it went:

    Flow     What it means                               What to do
    EMPTY    everything is sent                          go on to the next request
    PENDING  the kernel is full, or the share is used    wait until the handle is writable
    DRY      a live stream has nothing more yet          wait until it wakes us
    BROKEN   the other side is gone, or a file shrank    close

Sending is tried before waiting: most responses fit, and never ask the selector for anything. The
outbox knows no HTTP; what it sends was framed before.
"""

import os
import socket
from collections.abc import Callable
from enum import Enum, auto

from reactor.http11.message import FileSlice
from reactor.http11.serializer import Stream

Octets = bytes | memoryview
# Given descriptors of a socket and a file, an offset and a count: how many octets were sent.
SendFile = Callable[[int, int, int, int], int]

# Tells the kernel that more follows, so that a head does not leave as a packet of its own.
_MORE = getattr(socket, "MSG_MORE", 0)


class Flow(Enum):
    """How a flush went; the table is at the top of this file."""

    EMPTY = auto()
    PENDING = auto()
    DRY = auto()
    BROKEN = auto()


EMPTY, PENDING, DRY, BROKEN = Flow


class Outbox:
    """What one connection has yet to send, in order."""

    __slots__ = ("_high_water", "_parts", "_sendfile", "sent", "size")

    def __init__(self, high_water: int, sendfile: SendFile = os.sendfile) -> None:
        self._parts: list[Octets | FileSlice | Stream] = []
        self._high_water = high_water
        self._sendfile = sendfile
        self.size = 0
        self.sent = 0  # octets taken by the kernel since the beginning, framing included

    # What others ask.

    @property
    def room(self) -> bool:
        """True while another response may be added.

        A part of a file or a stream is always last, so that what is open at once is bounded.
        """
        parts = self._parts
        return not parts or (self.size < self._high_water and isinstance(parts[-1], (bytes, memoryview)))

    @property
    def queued(self) -> int:
        """How many octets were ever added, as far as their number is known."""
        total = self.sent + self.size
        if self._parts and isinstance(self._parts[-1], FileSlice):
            total += self._parts[-1].count
        return total

    # Adding and sending.

    def write(self, octets: bytes) -> None:
        """Add octets."""
        self._parts.append(octets)
        self.size += len(octets)

    def add(self, body: FileSlice | Stream) -> None:
        """Add a part of a file, or a stream; the outbox closes it."""
        self._parts.append(body)

    def flush(self, sock: socket.socket, share: int) -> Flow:
        """Send what the kernel takes: at most ``share`` octets, and one piece of a stream.

        Making a piece is somebody else's code, so one a turn is what is fair to the others.
        """
        limit = self.sent + share
        pulled = False
        while self._parts:
            if self.sent >= limit:
                return PENDING
            first = self._parts[0]
            if isinstance(first, FileSlice):
                flow = self._send_slice(sock, first, limit - self.sent)
            elif not isinstance(first, Stream):
                flow = self._send_octets(sock, limit - self.sent)
            elif pulled:
                flow = PENDING
            else:
                flow = self._pull(first)
                pulled = True
            if flow is not EMPTY:
                return flow
        return EMPTY

    def clear(self) -> None:
        """Throw away what waits, and close what is open."""
        for part in self._parts:
            if isinstance(part, (FileSlice, Stream)):
                part.close()
        self._parts.clear()
        self.size = 0

    # The only calls that touch the socket.

    def _send_octets(self, sock: socket.socket, share: int) -> Flow:
        """Send the octets in front, gathered into one call."""
        parts = self._parts
        count = 1
        while count < len(parts) and isinstance(parts[count], (bytes, memoryview)):
            count += 1
        octets = parts[0] if count == 1 else b"".join(parts[:count])  # type: ignore[arg-type]
        flags = _MORE if count < len(parts) and isinstance(parts[count], FileSlice) else 0
        assert isinstance(octets, (bytes, memoryview))
        offered = octets if len(octets) <= share else memoryview(octets)[:share]
        try:
            sent = sock.send(offered, flags)
        except BlockingIOError:
            sent = 0
        except OSError:
            return BROKEN
        self.sent += sent
        self.size -= sent
        if sent == len(octets):
            del parts[:count]
            return EMPTY
        parts[:count] = [memoryview(octets)[sent:]]
        return PENDING

    def _send_slice(self, sock: socket.socket, part: FileSlice, share: int) -> Flow:
        """Send from the file's pages, without a copy through this process."""
        if part.count:
            try:
                sent = self._sendfile(sock.fileno(), part.file.fileno(), part.offset, min(share, part.count))
            except BlockingIOError:
                return PENDING
            except OSError:
                return BROKEN
            if sent == 0:
                return BROKEN  # the file has shrunk: its length has been promised, and cannot be kept
            self.sent += sent
            part.offset += sent
            part.count -= sent
            if part.count:
                return PENDING if sent < share else EMPTY
        part.close()
        del self._parts[0]
        return EMPTY

    def _pull(self, stream: Stream) -> Flow:
        """Take the next piece of a stream in front of it."""
        piece = next(stream.pieces, None)
        if piece is None:
            stream.close()
            del self._parts[0]
        elif piece:
            self._parts.insert(0, piece)
            self.size += len(piece)
        elif stream.live:
            return DRY
        return EMPTY
