"""The channel between the supervisor and a worker: a socket pair that carries small typed messages.

    Message          From        Payload (JSON)           Meaning
    READY            worker      the start lines          it serves
    FAILED           worker      a message, and details   it cannot start
    LEAVING          worker      -                        it got a signal, and waits for LEAVE or STOP
    STARTED          supervisor  -                        all workers are ready for the first time
    STOP             supervisor  -                        all stop gracefully: drain the accept queue, too
    LEAVE            supervisor  -                        stop gracefully, alone: others continue to accept
    STOP_NOW         supervisor  -                        stop immediately
    RELOAD           supervisor  -                        reload what can be reloaded
    LOG_CONNECTIONS  supervisor  -                        log every connection
    COLLECT          worker      -                        send the metrics of all workers
    MEASURE          supervisor  -                        send your metrics
    MEASURED         worker      metric families          the metrics of this worker
    COLLECTED        supervisor  metric families          the metrics of all workers
    ALIVE            worker      -                        its loop runs

A message is its kind (one byte), the length of the payload (four bytes) and the payload. The end of the
stream means that the other process has ended. Nothing blocks: what the socket does not accept is kept, up to
MAX_MESSAGE, beyond which messages are dropped.
"""

import json
import logging
import socket
import struct
from collections.abc import Callable
from enum import IntEnum, auto

from reactor.event_handler import EventHandler, Interest
from reactor.http11.body import JSONValue
from reactor.loop import Reactor

log = logging.getLogger("reactor")

MAX_MESSAGE = 16 << 20  # bytes
_HEADER = struct.Struct("!BI")
_READ_SIZE = 1 << 16


class Kind(IntEnum):
    """The kinds of messages; see the table at the top of this file."""

    READY = auto()
    FAILED = auto()
    LEAVING = auto()
    STARTED = auto()
    STOP = auto()
    LEAVE = auto()
    STOP_NOW = auto()
    RELOAD = auto()
    LOG_CONNECTIONS = auto()
    COLLECT = auto()
    MEASURE = auto()
    MEASURED = auto()
    COLLECTED = auto()
    ALIVE = auto()


class Channel(EventHandler):
    """One end of a channel; ``on_message`` gets each message, ``on_end`` is called when it is closed."""

    is_urgent = True

    __slots__ = ("_on_end", "_on_message", "_reactor", "_received", "_unsent")

    def __init__(
        self,
        sock: socket.socket,
        reactor: Reactor,
        on_message: Callable[[Kind, JSONValue], None],
        on_end: Callable[[], None],
    ) -> None:
        super().__init__(sock, Interest.READ)
        sock.setblocking(False)
        self._reactor = reactor
        self._on_message = on_message
        self._on_end = on_end
        self._received = bytearray()
        self._unsent = bytearray()
        reactor.register(self)

    def send(self, kind: Kind, value: JSONValue = None) -> bool:
        """Send a message; return False if it is dropped: too much is unsent, or the channel is closed."""
        message = pack(kind, value)
        if self.handle.fileno() < 0 or len(self._unsent) + len(message) > MAX_MESSAGE:
            return False
        self._unsent += message
        self._flush()
        return True

    def close(self) -> None:
        """Close this end."""
        self._reactor.remove(self)
        self.handle.close()

    def receive_rest(self) -> None:
        """Receive what the other process has sent before it ended."""
        while self.handle.fileno() >= 0 and self._receive():
            pass

    # Called by the reactor.

    def on_readable(self) -> None:
        """Receive messages."""
        self._receive()

    def on_writable(self) -> None:
        """Send the rest."""
        self._flush()

    def on_failure(self) -> None:
        """Close this end."""
        self.close()
        self._on_end()

    def _receive(self) -> bool:
        """Receive once; return False if nothing has come."""
        try:
            data = self.handle.recv(_READ_SIZE)
        except BlockingIOError:
            return False
        except OSError:  # ECONNRESET: the other process ended with unread messages
            data = b""
        if not data:
            self.close()
            self._on_end()
            return False
        self._received += data
        while (message := unpack(self._received)) is not None:
            self._on_message(*message)
        return True

    def _flush(self) -> None:
        try:
            while self._unsent:
                sent = self.handle.send(self._unsent)
                del self._unsent[:sent]
        except BlockingIOError:
            pass
        except OSError:  # the other process has ended, which the next read will report
            self._unsent.clear()
        self.interest = Interest.BOTH if self._unsent else Interest.READ
        self._reactor.refresh(self)


def pack(kind: Kind, value: JSONValue = None) -> bytes:
    """Return the bytes of a message."""
    payload = b"" if value is None else json.dumps(value).encode()
    return _HEADER.pack(kind, len(payload)) + payload


def unpack(buffer: bytearray) -> tuple[Kind, JSONValue] | None:
    """Remove the first message from a buffer, and return it; None if it is incomplete.

    Raise ValueError for an unknown kind or a length beyond MAX_MESSAGE.
    """
    if len(buffer) < _HEADER.size:
        return None
    number, length = _HEADER.unpack_from(buffer)
    kind = Kind(number)
    if length > MAX_MESSAGE:
        raise ValueError(f"message of a worker too long: {length} bytes (limit: {MAX_MESSAGE})")
    end = _HEADER.size + length
    if len(buffer) < end:
        return None
    payload = bytes(buffer[_HEADER.size : end])
    del buffer[:end]
    value: JSONValue = json.loads(payload) if payload else None
    return kind, value
