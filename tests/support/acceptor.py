"""An acceptor on a real listening socket, with clients over TCP and a fake clock."""

import socket

from reactor import handlers
from reactor.loop import Reactor
from reactor.routing import Router
from reactor.server.acceptor import Acceptor
from reactor.server.context import ServerContext
from reactor.server.shutdown import Shutdown
from reactor.settings import Settings
from tests.support.in_process import Clock, EagerSelector, run_until_idle

WHOLE = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
PART = b"GET / HTTP/1.1\r\nHost: te"


class FaultyListener:
    """A listening socket whose ``accept`` fails a given number of times."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.family = sock.family
        self.outlives_process = False
        self.faults: list[int] = []
        self.accepts = 0

    def fileno(self) -> int:
        return self.sock.fileno()

    def close(self) -> None:
        self.sock.close()

    def listen(self, backlog: int) -> None:
        self.sock.listen(backlog)

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        self.accepts += 1
        if self.faults:
            raise OSError(self.faults.pop(0), "planted")
        return self.sock.accept()


class Client:
    """A client over TCP."""

    def __init__(self, site: "Site") -> None:
        self.site = site
        self.sock = socket.create_connection(site.address, timeout=20)
        self.sock.setblocking(False)
        self.ended = False  # the server has said that it sends no more
        # A second small send must not wait for the first one's acknowledgement.
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)
        self.site.run()

    @property
    def held(self) -> bool:
        """Whether the server holds this connection, which it has accepted and not closed."""
        port = self.sock.getsockname()[1]
        held = self.site.context.connections.values()
        return port in [each.handle.getpeername()[1] for each in held]

    def assert_served(self) -> None:
        self.send(WHOLE)
        assert self.sock.recv(65536).startswith(b"HTTP/1.1 200 ")

    def read(self) -> bytes:
        """Let the server act, and read what it has sent; b"" at the end, ConnectionResetError is raised."""
        self.site.run()
        received = b""
        while True:
            try:
                data = self.sock.recv(65536)
            except BlockingIOError:
                return received
            if not data:
                self.ended = True
                return received
            received += data

    def assert_dropped(self) -> None:
        assert self.sock.recv(65536) == b""


class Site:
    """A listening socket on a free port, its acceptor, and a clock that does not move."""

    def __init__(
        self, limit: int, turn_accepts: int = 64, routes: Router | None = None, **settings: float
    ) -> None:
        self.clock = Clock()
        self.selector = EagerSelector()
        self.reactor = Reactor(self.selector, self.clock)
        chosen = Settings(turn_accepts=turn_accepts, **settings)  # type: ignore[arg-type]
        routes = handlers.build() if routes is None else routes
        self.context = ServerContext(self.reactor, routes, chosen, wall_clock=lambda: 1.7e9)
        sock = socket.create_server(("127.0.0.1", 0))
        sock.setblocking(False)
        self.address = sock.getsockname()
        self.listener = FaultyListener(sock)
        self.acceptor = Acceptor(self.context, self.listener, limit)  # type: ignore[arg-type]
        self.reactor.register(self.acceptor)
        self.stopped = 0  # how often the shutdown has said that it is over
        self.shutdown = Shutdown(self.context, (self.acceptor,), self._count_stop)
        self.clients: list[Client] = []

    def __enter__(self) -> "Site":
        return self

    def __exit__(self, *error: object) -> None:
        self.acceptor.close()
        for client in self.clients:
            client.sock.close()
        for connection in list(self.context.connections.values()):
            connection.abort()
        self.reactor.close()

    def connect(self, count: int = 1) -> list[Client]:
        """Have clients connect, one after the other, without letting the server act."""
        new = [Client(self) for _ in range(count)]
        self.clients += new
        return new

    def connect_each(self, count: int) -> list[Client]:
        """Have clients connect at different times, and the server accept each."""
        new = []
        for _ in range(count):
            self.clock.now += 0.01
            new += self.connect()
            self.run()
        return new

    def run(self) -> None:
        """Take turns until the server is idle; more than a thousand are a busy loop."""
        run_until_idle(self.reactor, self.selector, 1000)

    def advance(self, seconds: float) -> None:
        self.clock.now += seconds
        self.run()

    def _count_stop(self) -> None:
        self.stopped += 1

    @property
    def held(self) -> int:
        return len(self.context.connections)

    @property
    def listening(self) -> bool:
        """Whether the reactor waits for the listening socket."""
        return self.listener.fileno() in self.selector.get_map()
