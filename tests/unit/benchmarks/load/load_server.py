"""A load without a server: requesters on socket pairs, and a fake clock."""

import socket
from types import TracebackType

from benchmarks.load.clients import ClientGroup, Pace, Requester
from reactor.event_handler import Interest
from reactor.loop import Reactor
from tests.support.in_process import Clock, EagerSelector

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def answer(content: bytes = b"abc", *lines: bytes, status: bytes = b"200 OK") -> bytes:
    """Return a response."""
    fields = (b"Content-Length: %d" % len(content), *lines)
    return b"HTTP/1.1 %b\r\n%b\r\n\r\n%b" % (status, b"\r\n".join(fields), content)


class FarEnd:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def taken(self) -> bytes:
        """Return the data received since the last call."""
        try:
            return self.sock.recv(1 << 16)
        except BlockingIOError:
            return b""

    def requests(self) -> int:
        """Return the number of requests received since the last call."""
        return self.taken().count(b"\r\n\r\n")


class Stage:
    """Connected requesters, and the other ends of their connections."""

    def __init__(self, connections: int, request: bytes = REQUEST, expected: bytes = b"abc") -> None:
        self.clock = Clock()
        self.group = ClientGroup(("127.0.0.1", 0), request, expected, Reactor(EagerSelector(), self.clock))
        self.far: list[FarEnd] = []
        self.requesters = [self._connect() for _ in range(connections)]

    def __enter__(self) -> "Stage":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for requester in self.requesters:
            requester.disconnect()
        for end in self.far:
            end.sock.close()
        self.group.reactor.close()

    def _connect(self) -> Requester:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        self.far.append(FarEnd(theirs))
        requester = Requester(self.group)
        requester.handle, requester.connected, requester.interest = ours, True, Interest.READ
        self.group.reactor.register(requester)
        return requester

    def begin(self, pace: Pace) -> None:
        """Set and start a pace."""
        self.group.start(pace, self.requesters)
        self.turn()

    def turn(self) -> None:
        """Run the event loop until nothing more happens."""
        for _ in range(5):
            self.group.reactor.turn()

    def respond(self, data: bytes = answer()) -> int:
        """Respond to all pending requests, and run the event loop; return the number of requests."""
        count = 0
        for end in self.far:
            requests = end.requests()
            count += requests
            end.sock.send(data * requests)
        self.turn()
        return count
