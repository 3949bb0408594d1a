"""A mock server for the page of the microscope, which sends the frames given by a test."""

import json
import threading
from collections import deque
from types import TracebackType
from typing import Any

from reactor.event_handler import EventHandler
from reactor.http11.message import LiveStream, Request, Response
from reactor.inspector.page import HTML_HEADERS, PAGE
from reactor.routing import Router
from reactor.server.server import Server
from reactor.server.state import State
from reactor.settings import Settings

STEPS = (
    "earliest",
    "select",
    "dispatch",
    "soon",
    "late",
    "accept",
    "receive",
    "parse",
    "handler",
    "serialize",
    "send",
)
HOSTILE = "<img src=x onerror=\"document.title='broken'\">"
NAMES = [state.name for state in State]
ACCEPTED, IDLE, RESPONDING, YIELDING, DRAINING, CLOSED = map(
    NAMES.index, ("ACCEPTED", "IDLE", "RESPONDING", "YIELDING", "DRAINING", "CLOSED")
)


def hello() -> dict[str, Any]:
    """Return the first message of a stream."""
    settings = Settings()
    states = [
        {
            "name": state.name,
            "interest": state.interest.name if state.interest else "-",
            "timeout": state.timeout,
            "seconds": state.timeout and getattr(settings, f"{state.timeout}_timeout"),
            "on_timeout": state.on_timeout.value if state.on_timeout else "-",
            "successors": [each.name for each in state.successors],
        }
        for state in State
    ]
    steps = [
        {
            "name": name,
            "title": f"The title of {name}",
            "words": HOSTILE,
            "file": "reactor/loop.py",
            "line": 7,
        }
        for name in (*STEPS, "enter")
    ]
    demos = [{"name": "pipelining", "title": "Pipelining", "words": "all at once"}]
    return {
        "server": "http://127.0.0.1:4221",
        "version": "1",
        "states": states,
        "steps": steps,
        "demos": demos,
        "slow_turn": 0.05,
        "max_chips": 300,
    }


def chip(number: int, state: int, served: int = 0, peer: str = "127.0.0.1:50000") -> list[Any]:
    """Return a connection in the form used in frames."""
    return [number, number + 4, peer, state, served, 100, 2000, 10.0, 0.5]


def frame(chips: list[Any] | None = None, **others: Any) -> dict[str, Any]:
    """Return a frame with these chips."""
    chips = [] if chips is None else chips
    return {
        "mode": "running",
        "waiting": "",
        "delay": 0.5,
        "at": None,
        "clock": 12.345,
        "turn": 42,
        "turns": [[42, 0.01, 0.0002, 0.0, 1, 0]],
        "totals": dict.fromkeys(
            ("accepted", "closed", "requests", "refused", "bytes_received", "bytes_sent"), 7
        ),
        "counts": [sum(each[3] == state for each in chips) for state in range(len(NAMES))],
        "moves": [],
        "chips": chips,
        "density": None,
        "handles": [[3, "listener", 1, 0], [9, "c5", 3, 1]],
        "handles_left_out": 0,
        "deadlines": [["c5", "keep_alive", 74.2]],
        "breakpoints": {"states": [], "slow": False},
        "demos": [],
        **others,
    }


def dense_frame(number: int) -> dict[str, Any]:
    """Return a frame of 2,000 connections, which differs slightly for each number."""
    density = [[(number * 7 + state * bucket) % 30 for bucket in range(8)] for state in range(len(NAMES))]
    moves = [[IDLE, RESPONDING, 40], [RESPONDING, IDLE, 39], [RESPONDING, DRAINING, 1]]
    turns = [[10 * number + each, 0.001, 0.0004, 0.0, 40, 0] for each in range(10)]
    counts = [2000 // len(NAMES)] * len(NAMES)
    handles = [[each + 4, f"c{each}", 1, (number + each) % 2] for each in range(40)]
    deadlines = [[f"c{each}", "keep_alive", (number + each) % 75] for each in range(10)]
    return frame(
        counts=counts,
        chips=None,
        density=density,
        moves=moves,
        turns=turns,
        handles=handles,
        handles_left_out=1960,
        deadlines=deadlines,
        turn=10 * number,
    ) | {"chips": None}


class FrameSender(EventHandler):
    """Sends the queued frames, one every ``seconds``, as long as the client reads them."""

    def __init__(self, mock: "Mock") -> None:
        super().__init__()
        self.mock = mock

    def on_deadline(self) -> None:
        """Send a frame, and schedule the next."""
        mock = self.mock
        if mock.waiting and mock.say("frame", mock.waiting[0]):
            mock.waiting.popleft()
        mock.schedule()


class Mock:
    """A server in a thread; it records requests in ``posted``, and responds with ``answers``, by path."""

    def __init__(self, port: int = 0) -> None:
        self.posted: list[tuple[str, Any]] = []
        self.known: dict[str, Any] = {}
        self.answers: dict[str, Response] = {}
        self.waiting: deque[dict[str, Any]] = deque()
        self.seconds = 0.0
        self.streams: list[LiveStream] = []
        self.server = Server(self._routes(), port=port)
        self._frame_sender = FrameSender(self)
        self._thread = threading.Thread(target=self.server.run)

    def __enter__(self) -> "Mock":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.server.stop()
        self.server.stop()
        self._thread.join()
        self.server.close()

    def send(self, *frames: dict[str, Any], seconds: float = 0.0) -> None:
        """Send frames, one every ``seconds``; may be called from any thread."""
        self.seconds = seconds
        self.waiting.extend(frames)
        self.server.call_soon(self.schedule)

    def schedule(self) -> None:
        """Schedule the next frame, in the reactor's thread, if there is a frame and a stream."""
        if self.waiting and self.streams:
            self._frame_sender.deadline = self.server.reactor.now + max(self.seconds, 0.001)
        else:
            self._frame_sender.deadline = float("inf")
        self.server.reactor.refresh(self._frame_sender)

    def say(self, kind: str, content: dict[str, Any]) -> bool:
        """Send an event to the newest stream; return False if its buffer is full."""
        return self.streams[-1].send(f"event: {kind}\ndata: {json.dumps(content)}\n\n".encode())

    def _routes(self) -> Router:
        router = Router()
        router.get("/")(lambda request: Response(200, PAGE, HTML_HEADERS))
        router.get("/events")(self._events)
        router.get("/connections/{number}")(self._connection)
        for path in ("/control", "/breakpoints", "/demos"):
            router.post(path)(self._take)
        return router

    def _events(self, request: Request) -> Response:
        self.streams.append(LiveStream())
        self.say("hello", hello())
        self.schedule()
        return Response(200, self.streams[-1], (("Content-Type", "text/event-stream"),))

    def _connection(self, request: Request) -> Response:
        known = self.known.get(request.params["number"])
        return (
            Response.error(404, "no such connection") if known is None else Response.text(json.dumps(known))
        )

    def _take(self, request: Request) -> Response:
        self.posted.append((request.path, json.loads(request.content)))
        return self.answers.get(request.path, Response(200, b"{}"))
