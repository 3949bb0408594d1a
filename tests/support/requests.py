"""Requests that the tests of a connection send, and routers and sinks that answer them."""

import array
import fcntl
import socket
import termios
from collections.abc import Callable, Iterable

from reactor.http11.message import Request, Response
from reactor.routing import Router
from tests.support.in_process import Client, Harness


def request(
    path: str = "/",
    *lines: str,
    method: str = "GET",
    version: str = "HTTP/1.1",
    content: bytes = b"",
) -> bytes:
    """Write a request; Host and, where there is content, Content-Length are added."""
    fields = ["Host: test", *lines]
    if content:
        fields.append(f"Content-Length: {len(content)}")
    head = "\r\n".join([f"{method} {path} {version}", *fields, "", ""])
    return head.encode("latin-1") + content


CANARY = request("/canary")


class RecordingSink:
    """A sink that records the calls made to it, and fails where the test wants it to."""

    def __init__(self, fails_at: str = "") -> None:
        self.fails_at = fails_at
        self.steps: list[str] = []
        self.pieces: list[bytes] = []

    def open(self, _: Request) -> "RecordingSink":
        self._step("open")
        return self

    def write(self, data: bytes) -> None:
        self.pieces.append(data)
        self._step("write")

    def finish(self) -> bytes:
        self._step("finish")
        return b"".join(self.pieces)

    def close(self) -> None:
        self.steps.append("close")

    @property
    def times_closed(self) -> int:
        return self.steps.count("close")

    def _step(self, name: str) -> None:
        self.steps.append(name)
        if name == self.fails_at:
            raise ValueError(f"the secret of {name}")


def answering(*responses: Callable[[], Response]) -> Router:
    """Make routes /0, /1, ... that make these responses, /canary, and /post, which echoes content."""
    routes = Router()
    for number, make in enumerate(responses):
        routes.get(f"/{number}")(lambda _, make=make: make())
    routes.get("/canary")(lambda _: Response(200, b"the canary sings"))
    routes.post("/post")(lambda request: Response(200, request.content))
    return routes


def posting(sink: RecordingSink) -> Router:
    """Make a route /post whose content goes into a sink, and /canary."""
    routes = Router()
    routes.post("/post", sink=sink.open)(lambda request: Response(200, request.content))
    routes.get("/canary")(lambda _: Response(200, b"the canary sings"))
    return routes


def shrink_buffers(client: Client) -> None:
    """Make the kernel's buffers small, so that the server sends in parts."""
    client.connection.handle.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4608)


def connect_tcp(server: Harness) -> Client:
    """Make a connection over TCP, where a reset differs from an end; its buffers are small."""
    with socket.socket() as listener, socket.socket() as theirs:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4608)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4608)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        theirs.connect(listener.getsockname())
        ours, _ = listener.accept()
        theirs = theirs.dup()
    return server.attach(ours, theirs)


def write(client: Client, data: bytes) -> int:
    """Send what the kernel takes without running the server; return the number of bytes."""
    try:
        return client.sock.send(data)
    except BlockingIOError:
        return 0


def read_available(client: Client) -> tuple[bytes, bool]:
    """Return what has arrived, and whether the end has, without running the server."""
    received = b""
    while True:
        try:
            data = client.sock.recv(1 << 16)
        except BlockingIOError:
            return received, False
        if not data:
            return received, True
        received += data


def unread_bytes(client: Client) -> int:
    """Return how many bytes the kernel holds for the client."""
    count = array.array("i", [0])
    fcntl.ioctl(client.sock, termios.FIONREAD, count)
    return count[0]


def chunks(*pieces: bytes) -> bytes:
    """Write content in the chunked coding, as a client does."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, b""))


def in_pieces(data: bytes, size: int) -> Iterable[bytes]:
    """Cut bytes into pieces."""
    return (data[start : start + size] for start in range(0, len(data), size))
