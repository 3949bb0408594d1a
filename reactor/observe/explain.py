"""Plain-English descriptions of each turn of the loop, from the event stream.

    turn 42: slept 0.8 ms of at most 20 s; 2 ready: listener, fd 9 readable; called listener: accepted fd 12
    from 127.0.0.1:50312; called fd 9: read 78 bytes, GET /echo/hi (200), 66 bytes sent,
    IDLE -> RESPONDING -> IDLE

Turns without a callback are omitted. The length of a paragraph is bounded, however many handles are ready.
The request target is escaped and truncated; headers are never written. The caller passes a function that
writes a paragraph without blocking.
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
MAX_ACTIONS = 32  # maximum number of actions listed for one call
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
        # File descriptors by connection number, kept because a closed socket has lost its own.
        self._fds: dict[int, int] = {}
        self._closed: list[int] = []  # numbers of the connections closed in this turn
        self._begin_turn("")

    # The turn.

    def _begin_turn(self, head: str) -> None:
        self._head = head
        self._calls: list[str] = []
        self._calls_left_out = 0
        for number in self._closed:
            self._fds.pop(number, None)
        self._closed.clear()
        self._begin_call()

    def _begin_call(self) -> None:
        # What happened, each to a connection, or None for the event handler that is called.
        self._actions: list[tuple[InstrumentedConnection | None, str]] = []
        self._states: dict[InstrumentedConnection, list[str]] = {}
        self._requests = 0
        self._is_refused = False
        self._timeout_name = ""  # of the connection's state before the current call

    def on_turn_started(self, kind: EventKind, when: float, turn: int, timeout: float | None) -> None:
        """Start a paragraph."""
        limit = ", with no deadline" if timeout is None else f" of at most {timeout:.3g} s"
        self._begin_turn(f"{self._paint(f'turn {turn}', BOLD)}: slept {{}}{limit}; ")

    def on_selected(self, kind: EventKind, when: float, slept: float, ready: Ready) -> None:
        """Add the time slept and the ready handles."""
        shown = [self._name(key.data, READY[events]) for key, events in ready[:MAX_SHOWN]]
        more = f" and {len(ready) - MAX_SHOWN} more" if len(ready) > MAX_SHOWN else ""
        handles = f"{len(ready)} ready: {', '.join(shown)}{more}" if ready else "nothing ready"
        self._head = self._head.format(format_duration(slept)) + handles

    def on_called(
        self, kind: EventKind, when: float, handler: EventHandler, events: int, began: float
    ) -> None:
        """Add what a call did, for up to MAX_SHOWN calls."""
        if len(self._calls) < MAX_SHOWN:
            self._calls.append(self._describe_call(handler, events, when - began))
        else:
            self._calls_left_out += 1
        self._begin_call()

    def _describe_call(self, handler: EventHandler, events: int, seconds: float) -> str:
        if self._requests > MAX_SHOWN:
            self._add(None, f"and {self._requests - MAX_SHOWN} more requests")
        for connection, states in self._states.items():
            self._add(connection, " -> ".join(states))
        texts = [
            text if connection is None or connection is handler else f"{self._name(connection)} {text}"
            for connection, text in self._actions[:MAX_ACTIONS]
        ]
        if len(self._actions) > MAX_ACTIONS:
            texts.append(f"and {len(self._actions) - MAX_ACTIONS} more actions")
        if seconds > self._slow_turn:
            texts.append(self._paint(f"SLOW: blocked the loop for {format_duration(seconds)}", RED))
        reason = ""
        if events == DEADLINE:
            timeout = self._timeout_name or deadline_name(handler)
            reason = f" ({timeout.replace('_', '-')} timeout)"
        elif events == SOON:
            reason = " (soon)"
        actions = f": {', '.join(texts)}" if texts else ""
        return f"called {self._name(handler)}{reason}{actions}"

    def on_turn_ended(self, kind: EventKind, when: float, turn: int, began: float) -> None:
        """Write the paragraph, if any handler was called."""
        if self._calls:
            more = f"; and {self._calls_left_out} more" if self._calls_left_out else ""
            self._write(f"{self._head}; {'; '.join(self._calls)}{more}")
        self._begin_turn("")

    # Connections.

    def on_opened(self, kind: EventKind, when: float, connection: InstrumentedConnection) -> None:
        """Add that a connection was accepted."""
        fd = self._fds[connection.number] = descriptor_of(connection.handle)
        self._add(None, f"accepted fd {fd} from {peer_of(connection)}")

    def on_state_changed(
        self, kind: EventKind, when: float, connection: InstrumentedConnection, before: State, after: State
    ) -> None:
        """Add a state."""
        states = self._states.get(connection)
        if states is None:
            states = self._states[connection] = [self._paint(before.name, BLUE)]
            self._timeout_name = self._timeout_name or before.timeout or ""
        if len(states) < MAX_SHOWN:
            states.append(self._paint(after.name, BLUE))

    def on_received(
        self, kind: EventKind, when: float, connection: InstrumentedConnection, data: bytes
    ) -> None:
        """Add the number of bytes read."""
        self._add(connection, f"read {format_bytes(len(data))}")

    def on_response(
        self,
        kind: EventKind,
        when: float,
        connection: InstrumentedConnection,
        request: Request,
        status: int,
        compressed_bytes: int,
        began: float,
        returned: float,
        data: bytes,
    ) -> None:
        """Add the request and the status of its response."""
        if self._is_refused:  # REFUSED, which precedes it, has been described
            self._is_refused = False
            return
        self._requests += 1
        if self._requests <= MAX_SHOWN:
            target = escape_controls(str(request.target))
            target = target if len(target) <= MAX_TARGET else target[:MAX_TARGET] + "..."
            self._add(connection, f"{request.method} {target} ({self._status(status)})")
            if compressed_bytes:
                self._add(connection, f"{format_bytes(compressed_bytes)} compressed")

    def on_refused(
        self, kind: EventKind, when: float, connection: InstrumentedConnection, status: int, reason: str
    ) -> None:
        """Add the status and the reason of a refusal."""
        self._is_refused = True
        self._add(connection, f"refused with {self._status(status)}: {escape_controls(reason)}")

    def on_sent(self, kind: EventKind, when: float, connection: InstrumentedConnection, count: int) -> None:
        """Add the number of bytes sent, and what is left."""
        left = format_bytes(connection.unsent) if connection.unsent else ""
        left = ", ".join(part for part in (left, connection.body) if part)
        self._add(connection, f"{format_bytes(count)} sent" + (f" (left: {left})" if left else ""))

    def on_closed(
        self, kind: EventKind, when: float, connection: InstrumentedConnection, reason: CloseReason
    ) -> None:
        """Add the reason why the connection was closed."""
        self._add(connection, f"closed: {reason.text}")
        self._closed.append(connection.number)

    # Text.

    def _add(self, connection: InstrumentedConnection | None, text: str) -> None:
        self._actions.append((connection, text))

    def _name(self, handler: EventHandler, readiness: str = "") -> str:
        """Return the name of an event handler; that of a connection is its file descriptor."""
        if not isinstance(handler, InstrumentedConnection):
            return name_of(handler)
        fd = self._fds.get(handler.number, descriptor_of(handler.handle))
        return f"fd {fd} {readiness}".rstrip()

    def _status(self, status: int) -> str:
        return self._paint(str(status), GREEN if status < 400 else YELLOW if status < 500 else RED)

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text


def format_bytes(count: int) -> str:
    """Format a number of bytes.

    >>> format_bytes(1), format_bytes(1234)
    ('1 byte', '1,234 bytes')
    """
    return f"{count:,} byte{'' if count == 1 else 's'}"


def format_duration(seconds: float) -> str:
    """Format a duration.

    >>> format_duration(0.0000123), format_duration(0.0123), format_duration(12.3)
    ('12 us', '12.3 ms', '12.3 s')
    """
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} us"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"
