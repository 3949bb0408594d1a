"""A server in the same thread as the test: real sockets, a fake clock, no waiting.

    with Harness() as server:
        client = server.connect()
        client.send(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
        assert client.responses()[0].status == 200
        server.clock.advance(75)
        assert client.closed

Every connection checks each change of its state against the table in the docstring of
``connection.py``.
"""

import re
import selectors
import socket
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self, TextIO

from reactor import handlers
from reactor.allowed_hosts import AllowedHosts
from reactor.handlers.files.store import Store
from reactor.http11.default_headers import encode_headers
from reactor.http11.deferred import Call, call_at_once
from reactor.http11.message import HeaderPairs
from reactor.logs.access_log import AccessLog
from reactor.loop import Reactor
from reactor.observe.events import EventCallback
from reactor.observe.instrumented import InstrumentedConnection, InstrumentedReactor
from reactor.routing import Router
from reactor.server.connection import Connection
from reactor.server.context import ServerContext
from reactor.server.write_timeout import Unacknowledged
from reactor.settings import Settings
from reactor.trusted_proxies import TrustedProxies


class Clock:
    """A clock in seconds that only the test moves."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self.server: Harness | None = None

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass, and let the server act on it."""
        self.now += seconds
        if self.server is not None:
            self.server.run()


class EagerSelector(selectors.DefaultSelector):
    """A selector that never waits; it records how long it should have waited, and what was ready."""

    timeout: float | None = None
    ready = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready now."""
        self.timeout = timeout
        events = super().select(0)
        self.ready = len(events)
        return events


def run_until_idle(reactor: Reactor, selector: EagerSelector, limit: int) -> int:
    """Take turns until nothing is ready and no deadline has passed; return how many did something."""
    for turns in range(limit):
        reactor.turn()
        if not selector.ready and selector.timeout != 0:
            return turns
    raise AssertionError("the server does not become idle")


class Answer(NamedTuple):
    """One response as a client reads it."""

    status: int
    headers: dict[str, str]  # names in lower case
    content: bytes


class Client:
    """The other end of a connection: a socket that does not block."""

    def __init__(self, server: "Harness", sock: socket.socket, connection: Connection) -> None:
        self.server = server
        self.sock = sock
        self.connection = connection
        self.received = b""
        self.closed = False  # the server has closed, or has said that it sends no more
        self.was_reset = False

    def send(self, data: bytes) -> None:
        """Send bytes, all of them, and let the server act on them."""
        view = memoryview(data)
        while view:
            try:
                view = view[self.sock.send(view) :]
            except BlockingIOError:
                assert self.server.run(), "the server does not read"
            except (BrokenPipeError, ConnectionResetError):
                break
        self.server.run()

    def read(self) -> bytes:
        """Return what the server has sent since the last call."""
        received = b""
        while not self.closed:
            self.server.run()
            try:
                data = self.sock.recv(1 << 20)
            except BlockingIOError:
                break
            except ConnectionResetError:
                self.was_reset = self.closed = True
                break
            received += data
            self.closed = not data
        self.received += received
        return received

    def responses(self, *methods: str) -> list[Answer]:
        """Return the complete responses sent since the last call.

        ``methods`` are those of the requests, in order; GET where there are too few.
        """
        answers: list[Answer] = []
        self.read()
        while self.received:
            method = methods[len(answers)] if len(answers) < len(methods) else "GET"
            answer, length = parse_response(self.received, method, self.closed)
            if answer is None:
                break
            answers.append(answer)
            self.received = self.received[length:]
        return answers

    def get(self, path: str, *lines: str) -> Answer:
        """Send a GET request with these field lines; return its response."""
        fields = "".join(f"{line}\r\n" for line in ("Host: test", *lines))
        self.send(f"GET {path} HTTP/1.1\r\n{fields}\r\n".encode("latin-1"))
        return self.assert_responds()

    def assert_responds(self, status: int = 200) -> Answer:
        """Assert that exactly one response came, with this status; return it."""
        answers = self.responses()
        assert [answer.status for answer in answers] == [status], (answers, self.received)
        return answers[0]

    def assert_closed(self) -> None:
        """Assert that the server has closed without another byte."""
        assert self.read() == b""
        assert self.closed

    def assert_open(self) -> None:
        """Assert that the server has sent nothing, and waits."""
        assert self.read() == b""
        assert not self.closed

    def half_close(self) -> None:
        """Half-close: send no more."""
        self.sock.shutdown(socket.SHUT_WR)
        self.server.run()

    def close(self) -> None:
        """Close the connection."""
        self.sock.close()
        self.server.run()


def parse_response(data: bytes, method: str, closed: bool) -> tuple[Answer | None, int]:
    """Read one response from the start of some bytes; return it with its length, None if incomplete."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None, 0
    status_line, *lines = data[:end].decode("latin-1").split("\r\n")
    match = re.fullmatch(r"HTTP/1\.1 ([0-9]{3}) [\x20-\x7e]*", status_line)
    assert match is not None, status_line
    status = int(match[1])
    headers: dict[str, str] = {}
    for name, _, value in (line.partition(": ") for line in lines):
        before = headers.get(name.lower())
        headers[name.lower()] = value if before is None else f"{before}, {value}"
    start = end + 4
    if method == "HEAD" or status < 200 or status in (204, 304):
        return Answer(status, headers, b""), start
    if headers.get("transfer-encoding") == "chunked":
        return _parse_chunks(data, start, status, headers)
    if "content-length" in headers:
        after = start + int(headers["content-length"])
        if len(data) < after:
            return None, 0
        return Answer(status, headers, data[start:after]), after
    return (Answer(status, headers, data[start:]), len(data)) if closed else (None, 0)


def _parse_chunks(data: bytes, start: int, status: int, headers: dict[str, str]) -> tuple[Answer | None, int]:
    pieces: list[bytes] = []
    while True:
        end = data.find(b"\r\n", start)
        if end < 0:
            return None, 0
        size = int(data[start:end], 16)
        after = end + 2 + size + 2
        if len(data) < after:
            return None, 0
        assert data[after - 2 : after] == b"\r\n"
        if size == 0:
            return Answer(status, headers, b"".join(pieces)), after
        pieces.append(data[end + 2 : after - 2])
        start = after


class Harness:
    """A server without a listening socket: ``connect`` makes a connection out of a socket pair.

    Without routes it has the built-in ones, with a store the files too. Settings are given by name. With
    ``subscribers`` it is instrumented. By default ``in_worker`` calls functions at once; ``unacknowledged``
    does not ask the kernel, in which bytes move on at times of its own.
    """

    def __init__(
        self,
        routes: Router | None = None,
        store: Store | None = None,
        access_log: TextIO | None = None,
        log_format: str = "combined",
        default_headers: HeaderPairs = (),
        subscribers: Sequence[EventCallback] = (),
        allowed_hosts: AllowedHosts | None = None,
        unacknowledged: Unacknowledged = lambda sock: 0,
        in_worker: Call = call_at_once,
        trusted_proxies: Iterable[str] = (),
        proxy_protocol: bool = False,
        prefix: str = "",
        **settings: float,
    ) -> None:
        self.clock = Clock()
        self.clock.server = self
        self.wall = 1_700_000_000.0
        self.selector = EagerSelector()
        self.instrumented = bool(subscribers)
        self.reactor = Reactor(self.selector, self.clock, processor_time=self.clock)
        if subscribers:
            self.reactor = InstrumentedReactor(subscribers, self.selector, self.clock)
        self.settings = Settings(**settings)  # type: ignore[arg-type]
        lines = None
        if access_log is not None:
            lines = AccessLog(access_log, log_format, self.clock, lambda: self.wall)
            self.reactor.at_turn_end(lines.flush)
        self.context = ServerContext(
            self.reactor,
            handlers.build(store) if routes is None else routes,
            self.settings,
            lines,
            lambda: self.wall,
            default_headers=encode_headers(default_headers),
            allowed_hosts=allowed_hosts,
            unacknowledged=unacknowledged,
            in_worker=in_worker,
            trusted_proxies=TrustedProxies(trusted_proxies) if trusted_proxies else None,
            proxy_protocol=proxy_protocol,
            prefix=prefix,
        )
        self.clients: list[Client] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for client in self.clients:
            client.sock.close()
        for connection in list(self.context.connections.values()):
            connection.abort()
        self.reactor.close()

    def connect(self, peer: str = "127.0.0.1") -> Client:
        """Make a connection; return its other end."""
        return self.attach(*socket.socketpair(), peer)

    def attach(self, ours: socket.socket, theirs: socket.socket, peer: str = "127.0.0.1") -> Client:
        """Make a connection of two connected sockets."""
        ours.setblocking(False)
        theirs.setblocking(False)
        make = InstrumentedConnection if self.instrumented else Connection
        connection = make(self.context, ours, peer)
        self.context.connections[connection.number] = connection
        self.reactor.register(connection)
        client = Client(self, theirs, connection)
        self.clients.append(client)
        return client

    def run(self) -> int:
        """Take turns until the server is idle; return how many did something."""
        return run_until_idle(self.reactor, self.selector, 100_000)
