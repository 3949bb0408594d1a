"""Plain-English descriptions of each turn of the loop, from the event stream.

    turn 42: waited 0.8 ms of at most 20 s; 2 ready: listener, fd 9 readable -> listener: accepted fd 12
    from 127.0.0.1:50312; fd 9: read 78 bytes, GET /echo/hi -> 200, 66 bytes sent at once,
    IDLE -> RESPONDING -> IDLE

Turns without a callback are omitted. The length of a paragraph is bounded, however many handles are ready.
The request target is escaped and truncated; header fields are never written. The caller passes a function
that writes a paragraph, and must not block.
"""

from collections.abc import Callable

from reactor.event_handler import DEADLINE, SOON, EventHandler
from reactor.http11.message import Request
from reactor.logs.access_log import escape_controls
from reactor.loop_hooks import Ready
from reactor.observe.events import EventKind, Subscriber, deadline_name, descriptor_of, name_of, peer_of
from reactor.observe.instrumented import InstrumentedConnection
from reactor.server.state import CloseReason, State

MAX_SHOWN = 8  # maximum number of event handlers, requests or states listed
MAX_TARGET = 60  # maximum characters of a target
READY = ("", "readable", "writable", "readable and writable")
BOLD, RED, GREEN, YELLOW, BLUE = "1", "31", "32", "33", "36"


class Explain(Subscriber):
    """Writes a paragraph for each turn, optionally in colour; marks calls longer than ``slow_turn``."""

    def __init__(self, write: Callable[[str], object], slow_turn: float, colour: bool = False) -> None:
        super().__init__()
        self._write = write
        self._colour = colour
        self._slow_turn = slow_turn
        self._fds: dict[int, int] = {}  # by connection number: a closed socket has none
        self._begin("")

    # The turn.

    def _begin(self, words: str) -> None:
        self._head = words
        self._ready: list[str] = []
        self._parts: list[str] = []
        self._left_out = 0
        self._begin_call()

    def _begin_call(self) -> None:
        self._words: list[str] = []
        self._states: list[str] = []
        self._requests = 0
        self._is_refused = False
        self._deadline = ""  # of the connection's state before the current call

    def on_turn(self, kind: EventKind, when: float, turn: int, timeout: float | None) -> None:
        """Start a paragraph."""
        most = ", with no deadline" if timeout is None else f" of at most {timeout:.3g} s"
        self._begin(f"{self._paint(f'turn {turn}', BOLD)}: waited {{}}{most}; ")

    def on_selected(self, kind: EventKind, when: float, waited: float, ready: Ready) -> None:
        """Add the waiting time and the ready handles."""
        self._head = self._head.format(time(waited))
        shown = [self._name(key.data, READY[events]) for key, events in ready[:MAX_SHOWN]]
        more = f" and {len(ready) - MAX_SHOWN} more" if len(ready) > MAX_SHOWN else ""
        self._head += f"{len(ready)} ready: {', '.join(shown)}{more}" if ready else "nothing ready"
        self._ready = shown

    def on_called(
        self, kind: EventKind, when: float, handler: EventHandler, events: int, began: float
    ) -> None:
        """Add what a call did, for up to MAX_SHOWN calls."""
        words = self._words
        if self._requests > MAX_SHOWN:
            words.append(f"and {self._requests - MAX_SHOWN} more requests")
        if self._states:
            words.append(" -> ".join(self._states))
        if when - began > self._slow_turn:
            words.append(self._paint(f"SLOW: blocked the loop for {time(when - began)}", RED))
        why = ""
        if events == DEADLINE:
            why = f" ({self._deadline or deadline_name(handler)} timeout)"
        elif events == SOON:
            why = " continues"
        if len(self._parts) < MAX_SHOWN:
            self._parts.append(f"{self._name(handler)}{why}: {', '.join(words) or 'called'}")
        else:
            self._left_out += 1
        self._begin_call()

    def on_ended(self, kind: EventKind, when: float, turn: int, began: float) -> None:
        """Write the paragraph, if any handler was called."""
        if self._parts:
            more = f"; and {self._left_out} more" if self._left_out else ""
            self._write(f"{self._head} -> {'; '.join(self._parts)}{more}")
        self._begin("")

    # Connections.

    def on_opened(self, kind: EventKind, when: float, connection: InstrumentedConnection) -> None:
        """Add that a connection was accepted."""
        fd = self._fds[connection.number] = descriptor_of(connection.handle)
        self._say(f"accepted fd {fd} from {peer_of(connection)}")

    def on_entered(
        self, kind: EventKind, when: float, connection: InstrumentedConnection, before: State, after: State
    ) -> None:
        """Add a state."""
        if not self._states:
            self._states.append(self._paint(before.name, BLUE))
            self._deadline = before.timeout or ""
        if len(self._states) < MAX_SHOWN:
            self._states.append(self._paint(after.name, BLUE))

    def on_received(
        self, kind: EventKind, when: float, connection: InstrumentedConnection, data: bytes
    ) -> None:
        """Add the number of bytes read."""
        self._say(f"read {counted(len(data))}")

    def on_response(
        self,
        kind: EventKind,
        when: float,
        connection: InstrumentedConnection,
        request: Request,
        status: int,
        compressed: int,
        began: float,
        made: float,
        data: bytes,
    ) -> None:
        """Add the request and the status of its response."""
        if self._is_refused:
            self._is_refused = False
            return
        self._requests += 1
        if self._requests <= MAX_SHOWN:
            target = escape_controls(str(request.target))
            target = target if len(target) <= MAX_TARGET else target[:MAX_TARGET] + "..."
            self._words.append(f"{request.method} {target} -> {self._status(status)}")
            if compressed:
                self._words.append(f"{counted(compressed)} compressed")

    def on_refused(
        self, kind: EventKind, when: float, connection: InstrumentedConnection, status: int, reason: str
    ) -> None:
        """Add the status and the reason of a refusal."""
        self._is_refused = True
        self._say(f"refused with {self._status(status)}: {escape_controls(reason)}")

    def on_sent(self, kind: EventKind, when: float, connection: InstrumentedConnection, count: int) -> None:
        """Add the number of bytes sent and left."""
        rest = " at once"
        if connection.unsent or connection.body:
            left = " and ".join(
                words
                for words in (counted(connection.unsent) if connection.unsent else "", connection.body)
                if words
            )
            rest = f", {left} waiting for the handle to become writable"
        self._say(f"{counted(count)} sent{rest}")

    def on_closed(
        self, kind: EventKind, when: float, connection: InstrumentedConnection, reason: CloseReason
    ) -> None:
        """Add the reason why the connection was closed."""
        self._say(f"closed: {reason.text}")

    # Words.

    def _say(self, words: str) -> None:
        self._words.append(words)

    def _name(self, handler: EventHandler, readiness: str = "") -> str:
        name = name_of(handler)
        if isinstance(handler, InstrumentedConnection):
            # Named by its file descriptor, as in the selector.
            name = f"fd {self._fds.get(handler.number, descriptor_of(handler.handle))}"
            if handler.state is State.CLOSED and not readiness:
                self._fds.pop(handler.number, None)
        return f"{name} {readiness}" if readiness and name.startswith("fd ") else name

    def _status(self, status: int) -> str:
        return self._paint(str(status), GREEN if status < 400 else YELLOW if status < 500 else RED)

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text


def counted(count: int) -> str:
    """Format a number of bytes.

    >>> counted(1), counted(1234)
    ('1 byte', '1,234 bytes')
    """
    return f"{count:,} byte{'' if count == 1 else 's'}"


def time(seconds: float) -> str:
    """Format a duration.

    >>> time(0.0000123), time(0.0123), time(12.3)
    ('12 us', '12.3 ms', '12.3 s')
    """
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} us"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"
