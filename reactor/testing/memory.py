"""A server without a network: a reactor with sockets in memory, whose clients take its turns.

connection = MemoryServer(routes, Settings(), timeout=5.0, raise_errors=True).connect("127.0.0.1")
connection.request("GET", "/")  # an http.client.HTTPConnection
connection.getresponse().read()  # takes turns of the loop until the response is complete
"""

import io
import logging
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPResponse
from itertools import count
from math import inf
from queue import Empty, SimpleQueue
from typing import Any, cast
from weakref import WeakValueDictionary

from reactor.loop import Reactor
from reactor.routing import Router
from reactor.server.connection import Connection
from reactor.server.context import ServerContext, ServerState
from reactor.server.worker_pool import WorkerPool
from reactor.settings import Settings

log = logging.getLogger("reactor")

WORKER = "reactor-worker"  # the first part of the names of worker threads
MAX_UNREAD = 1 << 20  # bytes; a socket is not writable while the client has not read so many


class _ServerEnd:
    """The server's end of a connection: a non-blocking socket with the bytes in transit."""

    # Numbers above those of real file descriptors, so that a system call with one fails.
    _numbers = count(1 << 30)

    def __init__(self) -> None:
        self._number = next(self._numbers)
        self.received = bytearray()
        self.sent = bytearray()
        self.client_closed = self.closed = False

    def fileno(self) -> int:
        return self._number

    def readiness(self) -> int:
        readable = self.received or self.client_closed
        writable = len(self.sent) < MAX_UNREAD or self.client_closed
        return (selectors.EVENT_READ if readable else 0) | (selectors.EVENT_WRITE if writable else 0)

    def recv(self, size: int) -> bytes:
        if not self.received and not self.client_closed:
            raise BlockingIOError
        data = bytes(self.received[:size])
        del self.received[:size]
        return data

    def recv_into(self, buffer: memoryview) -> int:
        data = self.recv(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def send(self, data: bytes | memoryview, flags: int = 0) -> int:
        if self.client_closed:
            raise BrokenPipeError
        self.sent += data
        return len(data)

    def setsockopt(self, *option: object) -> None:
        """Do nothing: after a reset, the client can read what was sent before."""

    def shutdown(self, how: int) -> None:
        self.closed = True

    def close(self) -> None:
        self.closed = True


class _Selector(selectors.SelectSelector):
    """Reports what is ready, without waiting; ``wait`` is how long it should have waited, None for ever."""

    wait: float | None = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        keys = self.get_map().values()
        masks = [(key, cast(_ServerEnd, key.fileobj).readiness() & key.events) for key in keys]
        ready = [(key, events) for key, events in masks if events]
        self.wait = 0.0 if ready else timeout
        return ready


class _ClientEnd(io.RawIOBase):
    """The client's end, as http.client uses a socket; ``arrive`` takes turns until it can be read."""

    def __init__(self, other: _ServerEnd, arrive: Callable[[Callable[[], object]], None]) -> None:
        self.other = other
        self.may_wait = True
        self._arrive = arrive

    def sendall(self, data: bytes) -> None:
        self.other.received += data

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        sent = self.other.sent
        if self.may_wait:
            self._arrive(lambda: sent or self.other.closed)
        data = sent[: len(buffer)]
        buffer[: len(data)] = data
        del sent[: len(data)]
        return len(data)

    def close(self) -> None:
        """Do nothing: http.client calls it after each response, and before it reads the last one."""


class _Response(HTTPResponse):
    """A response without the interim responses before it, of which the base class knows 100 only."""

    def begin(self) -> None:
        super().begin()
        while self.status < 200:
            self.headers = None  # type: ignore[assignment]  # otherwise it would not begin again
            super().begin()


class MemoryConnection(HTTPConnection):
    """A client's connection to a ``MemoryServer``, made for the first request, and after it was closed."""

    response_class = _Response

    def __init__(self, connect: Callable[[], _ClientEnd]) -> None:
        super().__init__("localhost")
        self._connect = connect
        self._end: _ClientEnd | None = None  # also after http.client has closed it

    def connect(self) -> None:
        """Make a connection."""
        self.sock = self._end = self._connect()

    @property
    def ended(self) -> bool:
        """Whether the server has sent its last response."""
        return self._end is not None and self._end.other.closed

    def disconnect(self, only_if_ended: bool = False) -> None:
        """Close the client's end; on request only after the last response."""
        if only_if_ended and self.sock is not None and not self.ended:
            return
        self.close()
        if self._end is not None:
            self._end.other.client_closed = True

    def has_content(self, response: HTTPResponse) -> bool:
        """Return whether more content of the response, or its end, has arrived."""
        assert self._end is not None, "a response without a connection"
        self._end.may_wait = False
        arrived = len(response.fp.peek()) + len(self._end.other.sent)
        self._end.may_wait = True
        # Two bytes end a chunk. The next one may not have begun to arrive.
        return arrived > 2 or (arrived > 0 and response.chunk_left != 0)


class MemoryServer:
    """Serves routes while a client waits; ``timeout`` is how long a client waits at most, in seconds.

    ``awaited`` is named when the time is over. With ``raise_errors``, what the server logs as an error is
    raised in the client.
    """

    awaited = "response"

    def __init__(self, routes: Router, settings: Settings, timeout: float, raise_errors: bool) -> None:
        self._selector = _Selector()
        self._reactor = Reactor(self._selector)
        self._workers = WorkerPool()
        self._calls: SimpleQueue[Callable[[], object]] = SimpleQueue()  # of other threads
        self._context = ServerContext(
            self._reactor,
            routes,
            settings,
            sendfile=self._sendfile,
            call_soon=self._calls.put,
            unacknowledged=lambda sock: 0,
            in_worker=self._workers.submit,
        )
        self._ends: WeakValueDictionary[int, _ServerEnd] = WeakValueDictionary()  # by file descriptor
        self._timeout, self._timeout_ends = timeout, inf
        self._errors = _ErrorLog(raise_errors)

    def connection(self, peer: str) -> MemoryConnection:
        """Return a connection of a client with this IP address."""

        def connect() -> _ClientEnd:
            if self._context.state is ServerState.STOPPED:
                raise RuntimeError("request after Client.close()")
            end = _ServerEnd()
            self._ends[end.fileno()] = end
            connection = Connection(self._context, cast(socket.socket, end), peer)
            self._context.connections[connection.number] = connection
            self._reactor.register(connection)
            return _ClientEnd(end, self._run_until)

        return MemoryConnection(connect)

    def start_timeout(self) -> None:
        """Start the timeout, for all that the client waits for until the next start."""
        self._timeout_ends, self.awaited = time.monotonic() + self._timeout, "response"

    def run_until_idle(self) -> None:
        """Take turns while there is something to do; do not wait for timers and other threads."""
        self.start_timeout()
        self._run_until(lambda: self._selector.wait != 0.0 and self._calls.empty())

    def close(self) -> None:
        """Close all connections, and wait for the functions in worker threads."""
        self._reactor.thread = threading.get_ident()
        self._context.enter(ServerState.STOPPED)
        self._context.close_connections(self._workers.close)
        self._reactor.close()

    def _run_until(self, condition: Callable[[], object]) -> None:
        self._reactor.thread = threading.get_ident()
        self._selector.wait = 0.0
        with self._errors:
            while not condition():
                left = self._timeout_ends - time.monotonic()
                if left <= 0.0:
                    raise TimeoutError(f"no {self.awaited} within {self._timeout:g} s: {self._describe()}")
                self._turn(left)

    def _turn(self, left: float) -> None:
        """Take a turn; if the last one had nothing to do, first wait for a timer or another thread."""
        wait = self._selector.wait
        try:
            call = self._calls.get(timeout=left if wait is None else min(wait, left))
        except Empty:
            pass
        else:
            call()
        self._reactor.turn()
        self._errors.raise_first()

    def _sendfile(self, descriptor: int, file: int, offset: int, size: int) -> int:
        return self._ends[descriptor].send(os.pread(file, size, offset))

    def _describe(self) -> str:
        connections = self._context.connections.values()
        return "; ".join(each.summary(self._reactor.now) for each in connections) or "no connection"


class _ErrorLog(logging.Handler):
    """Collects, as exceptions, the errors that the loop and worker threads log in a ``with`` statement."""

    def __init__(self, enabled: bool) -> None:
        super().__init__(logging.ERROR if enabled else logging.CRITICAL + 1)
        self._errors: list[BaseException] = []
        self._thread = 0

    def __enter__(self) -> None:
        self._thread = threading.get_ident()
        log.addHandler(self)

    def __exit__(self, *error: object) -> None:
        log.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        # A worker thread only logs an exception if no response can report it.
        in_worker = error is not None and (record.threadName or "").startswith(WORKER)
        if in_worker or record.thread == self._thread:
            self._errors.append(error or RuntimeError(record.getMessage()))

    def raise_first(self) -> None:
        errors, self._errors = self._errors, []
        if errors:
            raise errors[0]
