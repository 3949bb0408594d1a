"""A reactor without a server: event handlers that record their calls, a counting selector, a fake clock."""

import selectors
import socket
from collections import Counter
from collections.abc import Callable
from math import inf
from typing import Any, Self

from reactor.event_handler import EventHandler, Interest
from reactor.loop import Reactor
from tests.support.in_process import Clock, EagerSelector


class CountingSelector(EagerSelector):
    """An eager selector that counts its calls, and reports in the order of the handlers' names."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.backwards = False
        self.while_waiting: Callable[[], None] = lambda: None
        self.select_calls = 0

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        self.counts["register"] += 1
        return super().register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        self.counts["unregister"] += 1
        return super().unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        self.counts["modify"] += 1
        return super().modify(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout)
        self.select_calls += 1
        if timeout != 0:
            self.while_waiting()
        return sorted(ready, key=lambda event: event[0].data.name, reverse=self.backwards)


class Recorder(EventHandler):
    """An event handler that records its calls, and then runs what a test has put in ``then``."""

    def __init__(
        self,
        harness: "ReactorHarness",
        name: str,
        handle: socket.socket | None = None,
        interest: Interest = Interest.NONE,
        deadline: float = inf,
    ) -> None:
        super().__init__(handle, interest, deadline)
        self.harness = harness
        self.name = name
        self.then: dict[str, Callable[[], None]] = {}

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def _called(self, hook: str) -> None:
        self.harness.calls.append(f"{self.name} {hook}")
        self.then.get(hook, lambda: None)()

    def on_readable(self) -> None:
        self.handle.recv(4096)
        self._called("readable")

    def on_writable(self) -> None:
        self._called("writable")

    def on_soon(self) -> None:
        self._called("soon")

    def on_deadline(self) -> None:
        self.deadline = inf
        self._called("deadline")

    def on_failure(self) -> None:
        self._called("failure")


def make_reactor(selector: CountingSelector, clock: Clock) -> Reactor:
    """Return a reactor whose calls use processor time as the clock passes."""
    return Reactor(selector, clock, processor_time=clock)


class ReactorHarness:
    """A reactor, and socket pairs whose other ends the test writes to."""

    def __init__(self, make: Callable[[CountingSelector, Clock], Reactor] = make_reactor) -> None:
        self.clock = Clock()
        self.selector = CountingSelector()
        self.reactor = make(self.selector, self.clock)
        self.calls: list[str] = []
        self._sockets: list[socket.socket] = []
        self._peers: dict[str, socket.socket] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for each in self._sockets:
            each.close()
        self.reactor.close()

    def own(self, sock: socket.socket) -> socket.socket:
        """Close a socket at the end of the test."""
        self._sockets.append(sock)
        return sock

    def pair(self) -> tuple[socket.socket, socket.socket]:
        """Make a pair of sockets that do not block."""
        ours, theirs = (self.own(each) for each in socket.socketpair())
        ours.setblocking(False)
        theirs.setblocking(False)
        return ours, theirs

    def add(
        self, name: str, interest: Interest = Interest.READ, ready: bool = True, deadline: float = inf
    ) -> Recorder:
        """Register an event handler, with a byte to read unless it is not to be ready."""
        ours, theirs = self.pair()
        if ready:
            theirs.send(b"x")
        self._peers[name] = theirs
        handler = Recorder(self, name, ours, interest, deadline)
        self.reactor.register(handler)
        return handler

    def peer_of(self, handler: Recorder) -> socket.socket:
        """Return the other end of an event handler's socket."""
        return self._peers[handler.name]

    def add_deadline(self, name: str, deadline: float) -> Recorder:
        """Register an event handler that has no handle, only a deadline in so many seconds."""
        handler = Recorder(self, name, deadline=self.clock.now + deadline)
        self.reactor.register(handler)
        return handler

    def add_later(self, name: str) -> None:
        """Register an event handler during a turn."""
        self.add(name)

    def turn(self) -> list[str]:
        """Take one turn; return the calls that it made."""
        self.calls.clear()
        self.reactor.turn()
        return list(self.calls)


def breaks() -> None:
    """Fail as application code does."""
    raise RuntimeError("planted")
