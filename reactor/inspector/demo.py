"""Demo clients: each connection demonstrates one behaviour of the server, and is started by a button.

A client is an event handler of the outer reactor. Its script is a generator that sends requests and yields
the number of seconds to wait. Clients connect to ``reactor.inspector.demo_server``, not to the main server.
Their number is limited. A client closes its connection when its script ends, or after a minute.
"""

import socket
from collections.abc import Callable, Iterator
from math import inf
from typing import NamedTuple

from reactor.event_handler import EventHandler, Interest
from reactor.inspector.demo_server import TOKEN_HEADER, DemoServer
from reactor.loop import Reactor

MAX_DEMOS, MAX_CLIENTS = 10, 200  # concurrent demos, and their clients in total
MAX_SECONDS = 60.0  # lifetime of a client

Script = Callable[["DemoClient"], Iterator[float]]


def keep_alive(client: "DemoClient") -> Iterator[float]:
    """Send five requests, one a second."""
    for number in range(1, 6):
        client.send(client.get(f"/echo/hello-{number}"))
        yield 1.0


def pipelining(client: "DemoClient") -> Iterator[float]:
    """Send eight requests in one call, three times."""
    for _ in range(3):
        client.send(b"".join(client.get(f"/echo/{number}-of-8") for number in range(1, 9)))
        yield 1.5


def one_byte(client: "DemoClient") -> Iterator[float]:
    """Send a request head at one byte a second, until it times out."""
    for index in range(int(MAX_SECONDS)):
        client.send(client.get("/echo/" + "slow-" * 12)[index : index + 1])
        yield 1.0


def slow_reader(client: "DemoClient") -> Iterator[float]:
    """Read a large response, 64 KiB four times a second."""
    client.interest = Interest.NONE
    client.send(client.get("/demo/large"))
    for _ in range(40):
        yield 0.25
        client.receive(64 * 1024)
    client.interest = Interest.READ


def half_close(client: "DemoClient") -> Iterator[float]:
    """Send a last request and half-close after 3 seconds: until then the server stays in DRAINING."""
    client.interest = Interest.NONE
    client.send(client.get("/echo/last-words").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    yield 3.0
    client.half_close()
    yield 1.0


def block(client: "DemoClient") -> Iterator[float]:
    """Request a blocking handler three times."""
    for _ in range(3):
        client.send(client.get("/demo/block"))
        yield 1.5


def one_of_many(client: "DemoClient") -> Iterator[float]:
    """Wait a little longer than the previous client, then send three requests."""
    yield client.index * 0.02
    for number in range(3):
        client.send(client.get(f"/echo/{client.index}-{number}"))
        yield 1.0


class Demo(NamedTuple):
    """One demo: the texts of its button, the script, and the number of clients that run it."""

    name: str
    title: str
    description: str
    script: Script
    clients: int = 1


DEMOS = {
    each.name: each
    for each in (
        Demo("keep-alive", "Keep-alive", "one connection, five requests, one a second", keep_alive),
        Demo("pipelining", "Pipelining", "eight requests together, three times", pipelining),
        Demo("one-byte", "One byte a second", "an incomplete request head: timeout, 408", one_byte),
        Demo("slow-reader", "Slow reader", "a 4 MiB response, read slowly: backpressure", slow_reader),
        Demo(
            "half-close",
            "Half-close",
            "the server has sent its last response and waits for the client to close",
            half_close,
        ),
        Demo("block", "Blocking handler", "a handler blocks the loop for 200 ms, three times", block),
        Demo(
            "hundred", "A hundred clients", "a hundred connections with three requests each", one_of_many, 100
        ),
    )
}


class DemoClient(EventHandler):
    """One client; ``index`` is its number among those of the same demo, from 0."""

    __slots__ = ("_closed", "_ends", "_outer", "_script", "_token", "index")

    def __init__(
        self, outer: Reactor, address: tuple[str, int], token: str, script: Script, index: int
    ) -> None:
        super().__init__(socket.socket(), Interest.READ, outer.clock())
        if script is slow_reader:
            self.handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.handle.setblocking(False)
        # A loopback connection is established immediately, or once the accept queue has room.
        self.handle.connect_ex(address)
        self.index = index
        self._outer = outer
        self._token = token
        self._ends = outer.clock() + MAX_SECONDS
        self._script = script(self)
        self._closed = False

    @property
    def closed(self) -> bool:
        """True when the connection is closed."""
        return self._closed

    # Called by scripts.

    def get(self, path: str) -> bytes:
        """Return the head of a request with the token."""
        return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{TOKEN_HEADER}: {self._token}\r\n\r\n".encode()

    def send(self, data: bytes) -> None:
        """Send bytes; requests are small, and whatever does not fit into the send buffer is dropped."""
        try:
            self.handle.send(data)
        except OSError:
            pass

    def receive(self, count: int = 1 << 16) -> None:
        """Read and discard bytes; close the connection at their end."""
        try:
            if not self.handle.recv(count):
                self.close()
        except BlockingIOError:
            pass
        except OSError:
            self.close()

    def half_close(self) -> None:
        """Shut down the sending side."""
        try:
            self.handle.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    # Called by the reactor.

    def on_readable(self) -> None:
        """Read and discard bytes."""
        self.receive()

    def on_deadline(self) -> None:
        """Continue the script; close the connection at its end."""
        wait = next(self._script, None) if self._outer.now < self._ends else None
        if wait is None:
            self.close()
        elif not self._closed:
            self.deadline = self._outer.now + wait

    def on_failure(self) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if not self._closed:
            self._closed = True
            self._outer.remove(self)
            self.handle.close()
            self.deadline = inf


class DemoRunner:
    """Starts demos, and keeps track of those that run."""

    def __init__(self, outer: Reactor, server: DemoServer) -> None:
        self._outer = outer
        self._server = server
        self._running: list[tuple[str, list[DemoClient]]] = []

    @property
    def running(self) -> list[str]:
        """The names of the running demos."""
        self._running = [each for each in self._running if any(not client.closed for client in each[1])]
        return [name for name, _ in self._running]

    def start(self, demo: Demo) -> bool:
        """Start a demo; return False if too many are running; raise StartError or OSError."""
        count = sum(len(each) for _, each in self._running) if self.running else 0
        if len(self._running) >= MAX_DEMOS or count + demo.clients > MAX_CLIENTS:
            return False
        address = self._server.open()
        clients: list[DemoClient] = []
        try:
            for index in range(demo.clients):
                client = DemoClient(self._outer, address, self._server.token, demo.script, index)
                clients.append(client)
                self._outer.register(client)
        except OSError:  # out of file descriptors
            for client in clients:
                client.close()
            raise
        self._running.append((demo.name, clients))
        return True

    def close(self) -> None:
        """Close all clients and the demo server."""
        for _, clients in self._running:
            for client in clients:
                client.close()
        self._server.close()
