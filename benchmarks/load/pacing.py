"""When requests are sent: one pace for each phase of a round, and the two kinds of load.

    FirstRequests  connect, a few at a time, and ask once: an answered connection is one that is served
    ClosedLoop     ask again as soon as the answer is whole
    OpenLoop       ask at fixed times, whatever becomes of the answers

A closed loop asks how much a server can do. It cannot ask how long users wait: when the server stalls
for a second, each connection of a closed loop sees one long answer and then waits, politely, instead of
sending what users would have sent meanwhile ("coordinated omission"). An open loop has a timetable:
request i is due at start + i / rate, and its time runs from then. What is due while all connections
are busy waits in line, and its waiting counts.

An open loop sends a request when it is due, so its selector must wake on time: epoll counts milliseconds,
and would add up to one to the latency of a server that answers in a tenth of it. The precise selector has
a timer (timerfd) that counts nanoseconds. The reactor takes its selector from outside.
"""

import ctypes
import os
import selectors
import sys
from collections import deque
from collections.abc import Iterable, Sequence
from math import inf

from benchmarks.load.clients import Load, Requester
from reactor.event_handler import EventHandler

WAVE = 64  # connections that are made at the same time: fewer than any server's backlog


class FirstRequests:
    """Gets requesters connected and answered, once each."""

    def __init__(self, load: Load, requesters: Iterable[Requester]) -> None:
        self._load = load
        self._others = deque(requesters)
        self._awaited = set(self._others)
        self.established = 0

    @property
    def done(self) -> bool:
        """True when everybody was answered who will be."""
        return not self._awaited

    def start(self) -> None:
        """Begin with the first wave."""
        for _ in range(WAVE):
            self._start_next()

    def on_free(self, requester: Requester) -> None:
        """Let one ask who has not; let the next come for one who has."""
        if not requester.was_answered:
            requester.send_requests(self._load.clock())
        elif requester in self._awaited:
            self._awaited.remove(requester)
            self.established += 1
            self._start_next()

    def on_lost(self, requester: Requester) -> None:
        """Wait for it to come back, if it does."""
        if not requester.reconnects and requester in self._awaited:
            self._awaited.remove(requester)
            self._start_next()

    def _start_next(self) -> None:
        if self._others:
            requester = self._others.popleft()
            if requester.connected:
                self.on_free(requester)
            else:
                requester.connect_later(0)


class ClosedLoop:
    """Everybody asks again at once; ``depth`` requests at a time, when all of the last are answered."""

    def __init__(self, load: Load, requesters: Sequence[Requester], depth: int = 1) -> None:
        self._load = load
        self._requesters = requesters
        self._depth = depth

    def start(self) -> None:
        """Let all ask who can."""
        for requester in self._requesters:
            if requester.connected and not requester.pending:
                self.on_free(requester)

    def on_free(self, requester: Requester) -> None:
        """Let it ask."""
        requester.send_requests(self._load.clock(), self._depth)

    def on_lost(self, requester: Requester) -> None:
        """Wait for it to come back."""


class OpenLoop(EventHandler):
    """Gives out requests by a timetable; those who are free are asked in turn, so that all are used."""

    def __init__(self, load: Load, requesters: Sequence[Requester], rate: float, seconds: float) -> None:
        super().__init__()
        self._load = load
        self._rate = rate
        self._start = load.clock()
        self._free = deque(each for each in requesters if each.connected and not each.pending)
        self.total = max(1, round(rate * seconds))
        self.sent = 0

    @property
    def done(self) -> bool:
        """True when everything was sent, and nothing is awaited."""
        return self.sent == self.total and not self._load.pending

    def start(self) -> None:
        """Let the first be due now."""
        self._send_due()

    def due(self, number: int) -> float:
        """Return when a request is to be sent, in seconds of the load's clock."""
        return self._start + number / self._rate

    def on_deadline(self) -> None:
        """Send what is due."""
        self._send_due()

    def on_failure(self) -> None:
        """Let the whole run fail: without a timetable there is nothing to measure."""
        self._load.failed = True

    def on_free(self, requester: Requester) -> None:
        """Give it what waits in line, or let it wait."""
        self._free.append(requester)
        self._send_due()

    def on_lost(self, requester: Requester) -> None:
        """Count on it no more, until it is back."""
        if requester in self._free:
            self._free.remove(requester)

    def stop(self) -> None:
        """Give up what was never sent: those who would have asked have waited in vain."""
        self._load.reactor.remove(self)
        now = self._load.clock()
        for number in range(self.sent, self.total):
            self._load.tally.lost(max(0.0, now - self.due(number)))
        self.sent = self.total

    def _send_due(self) -> None:
        """Send what is due, as long as somebody is free; be called when the next is."""
        now = self._load.clock()
        # Who is asked may lose the connection over it, and be gone from those who are free.
        while self._free and self.sent < self.total and (due := self.due(self.sent)) <= now:
            self.sent += 1
            self._free.popleft().send_requests(due)
        waits = self._free and self.sent < self.total
        self.deadline = self.due(self.sent) if waits else inf
        self._load.reactor.refresh(self)


# The selector of an open loop.

_CLOCK_MONOTONIC = 1
_NONBLOCK_CLOEXEC = 0o2004000  # TFD_NONBLOCK | TFD_CLOEXEC, timerfd_create(2)

Ready = list[tuple[selectors.SelectorKey, int]]


def precise_selector() -> selectors.BaseSelector:
    """Return the most precise selector there is here."""
    return PreciseSelector() if sys.platform == "linux" else selectors.DefaultSelector()


if sys.platform == "linux":

    class PreciseSelector(selectors.EpollSelector):
        """Sleeps as long as it is asked to, to some microseconds."""

        def __init__(self) -> None:
            super().__init__()
            # Python has it from 3.13 on, as os.timerfd_create.
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._timer = self._libc.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCK_CLOEXEC)
            if self._timer < 0:
                super().close()
                raise OSError(ctypes.get_errno(), "no timer")
            self.register(self._timer, selectors.EVENT_READ)

        def select(self, timeout: float | None = None) -> Ready:
            """Wait until a handle is ready, for at most ``timeout`` seconds, None for ever."""
            if timeout is None or timeout > 0:
                self._set(timeout or 0.0)
                ready = super().select(None)
            else:
                ready = super().select(0)
            return [event for event in ready if event[0].fileobj != self._timer]

        def close(self) -> None:
            """Close the timer, too."""
            super().close()
            os.close(self._timer)

        def _set(self, seconds: float) -> None:
            """Let the timer be ready in so many seconds, once; 0 for never. It forgets what it was set to."""
            nanoseconds = round(seconds * 1e9)
            # struct itimerspec: the interval, then the time, each in seconds and nanoseconds
            specification = (ctypes.c_long * 4)(0, 0, nanoseconds // 10**9, nanoseconds % 10**9)
            self._libc.timerfd_settime(self._timer, 0, specification, None)
