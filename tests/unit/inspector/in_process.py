"""An inspected server and its inspector in the thread of the test, with real sockets and a fake clock.

with InProcess() as site:
    page = site.open_page()
    site.post("/control", {"do": "pause"})
    page.close()
    site.pass_time(5)
    assert site.control.mode == "running"
"""

import json
import re
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from reactor import handlers
from reactor.event_handler import EventHandler
from reactor.inspector.inspector import inspected
from reactor.inspector.routes import Installer
from reactor.loop import Reactor
from reactor.observe.events import EventCallback
from reactor.server.connection import Connection
from reactor.server.server import Server
from reactor.settings import Settings
from tests.support.in_process import Answer, Clock, EagerSelector, parse_response

MOST_TURNS = 50_000


class Peer:
    """A client of the server or of the inspector, on a non-blocking socket."""

    def __init__(self, site: "InProcess", port: int, receive_buffer: int = 0) -> None:
        self._site = site
        self.received = b""
        self.ended = False
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.connect(("127.0.0.1", port))
        self.sock.setblocking(False)

    def send(self, data: bytes) -> None:
        """Send data, and run the server."""
        self.sock.send(data)
        self._site.run()

    def read(self) -> bytes:
        """Append the available bytes to ``received``, and return all of it."""
        while not self.ended:
            try:
                data = self.sock.recv(1 << 18)
            except BlockingIOError:
                break
            except ConnectionResetError:
                data = b""
            self.received += data
            self.ended = not data
        return self.received

    def answer(self) -> Answer:
        """Return the next response."""
        found: list[Answer] = []

        def complete() -> bool:
            answer, length = parse_response(self.read(), "GET", self.ended)
            if answer is not None:
                self.received = self.received[length:]
                found.append(answer)
            return answer is not None

        self._site.run_until(complete)
        return found[0]

    def close(self) -> None:
        """Close the connection, and run the server."""
        self.sock.close()
        self._site.run()


class InProcess:
    """The server, its inspector, and their clients; ``clock`` is moved by the test."""

    def __init__(
        self,
        subscribers: Sequence[EventCallback] = (),
        served_subscribers: Sequence[EventCallback] = (),
        installers: Sequence[Installer] = (),
        **settings: float,
    ) -> None:
        self.clock = Clock()
        self.selector = EagerSelector()
        self.outer = Reactor(self.selector, self.clock)
        chosen = Settings(**settings)  # type: ignore[arg-type]
        self.instrumentation = inspected(
            subscribers, "127.0.0.1", 0, chosen, installers, served_subscribers, self.outer
        )
        self.control = self.instrumentation.control
        self.peers: list[Peer] = []
        self._stack = ExitStack()
        self._stack.callback(self.instrumentation.close)
        self.server = self._stack.enter_context(
            Server(handlers.build(), port=0, settings=chosen, instrumentation=self.instrumentation)
        )
        match = re.search(r":([0-9]+)/", self.instrumentation.description)
        assert match is not None
        self.inspector = int(match[1])
        self.turns_left = MOST_TURNS
        self.at_each_turn: Callable[[], None] = lambda: None
        self.outer.at_turn_end(self._count_turn)

    def __enter__(self) -> "InProcess":
        return self

    def __exit__(self, *error: object) -> None:
        for peer in self.peers:
            peer.sock.close()
        self._stack.close()

    def _count_turn(self) -> None:
        """Fail after MOST_TURNS turns, also if the loop is held in the middle of a turn."""
        self.turns_left -= 1
        assert self.turns_left > 0, "too many turns"
        self.at_each_turn()

    def run(self) -> None:
        """Run turns until nothing is ready and no deadline has passed."""
        while True:
            self.outer.turn()
            if not self.selector.ready and self.selector.timeout != 0:
                return

    def run_until(self, condition: Callable[[], bool]) -> None:
        """Run turns until a condition holds."""
        while not condition():
            self.outer.turn()

    def pass_time(self, seconds: float) -> None:
        """Advance the clock, and run the server."""
        self.clock.now += seconds
        self.run()

    def connect(self, port: int | None = None, receive_buffer: int = 0) -> Peer:
        """Connect to the server, or to another port."""
        peer = Peer(self, self.server.address[1] if port is None else port, receive_buffer)
        self.peers.append(peer)
        self.run()
        return peer

    def open_page(self, receive_buffer: int = 0) -> Peer:
        """Open the stream of a page; return its client after the first frame."""
        peer = self.connect(self.inspector, receive_buffer)
        peer.send(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        if not receive_buffer:
            self.run_until(lambda: b"event: frame" in peer.read())
        return peer

    def frames(self, page: Peer) -> list[dict[str, Any]]:
        """Return all frames that a page has been sent."""
        events = re.findall(rb"event: frame\ndata: (.*)\n\n", page.read())
        return [json.loads(each) for each in events]

    def frame(self, page: Peer) -> dict[str, Any]:
        """Return the newest frame of a page."""
        return self.frames(page)[-1]

    def inspector_connections(self) -> list[EventHandler]:
        """Return the connections of the inspector itself."""
        registered = self.outer._selector.get_map().values()
        return [key.data for key in registered if isinstance(key.data, Connection)]

    def signal(self, number: int) -> None:
        """Have the inspector handle a signal."""
        self.instrumentation.on_signal(self.server, number)

    def post(self, path: str, data: object) -> Answer:
        """Post JSON to the inspector."""
        return self.request("POST", path, json.dumps(data).encode())

    def ask(self, path: str) -> Any:
        """Return the JSON of a path of the inspector."""
        answer = self.request("GET", path)
        assert answer.status == 200, answer
        return json.loads(answer.content)

    def request(self, method: str, path: str, content: bytes = b"") -> Answer:
        """Send one request to the inspector."""
        peer = self.connect(self.inspector)
        peer.send(
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\n\r\n".encode()
            + content
        )
        answer = peer.answer()
        peer.close()
        return answer
