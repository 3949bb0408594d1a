"""Paces, which decide when requests are sent.

    once              send one request per connection
    closed_loop       send the next request as soon as the response is complete
    OpenLoop.on_free  send requests at fixed times: request i is due at start + i / rate, and timed from then

An open loop must wake up on time. The timeout of epoll has a resolution of 1 ms, which would add up to 1 ms
to the latency of a server that responds in 0.1 ms. So it waits by PreciseSelector.
"""

import ctypes
import select
import selectors
import sys
from collections import deque
from math import inf

from benchmarks.load.clients import ClientGroup, Requester
from reactor.event_handler import EventHandler

PR_SET_TIMERSLACK = 29  # prctl(2); in nanoseconds


def once(requester: Requester) -> None:
    """Send one request per connection, and again after it was lost without a response."""
    if not requester.was_answered:
        requester.send_request(requester.group.clock())


def closed_loop(requester: Requester) -> None:
    """Send the next request."""
    requester.send_request(requester.group.clock())


class OpenLoop(EventHandler):
    """Sends requests on schedule, on the free connections in turn."""

    def __init__(self, group: ClientGroup, rate: float, total: int) -> None:
        super().__init__()
        self._group, self._rate, self._start = group, rate, group.clock()
        self._free: deque[Requester] = deque()
        self.total = total
        self.sent = 0

    @property
    def done(self) -> bool:
        """True when all requests were sent and have responses."""
        return self.sent >= self.total and not self._group.pending

    def due(self, number: int) -> float:
        """Return the due time of a request (time of the group's clock)."""
        return self._start + number / self._rate

    def stop(self) -> None:
        """Count the requests that were never sent as lost."""
        self._group.reactor.remove(self)
        now = self._group.clock()
        while self.sent < self.total:
            self._group.tally.count(max(0.0, now - self.due(self.sent)), "timeout", answered=False)
            self.sent += 1

    # Called by the requesters and by the reactor.

    def on_free(self, requester: Requester) -> None:
        """Send a queued request, or add the connection to the free ones."""
        self._free.append(requester)
        self.on_deadline()

    def on_deadline(self) -> None:
        """Send due requests while a connection is free; set the deadline for the next."""
        now = self._group.clock()
        while self._free and self.sent < self.total and (due := self.due(self.sent)) <= now:
            requester = self._free.popleft()
            if requester.connected and not requester.pending:  # otherwise it was lost since, and called again
                self.sent += 1
                requester.send_request(due)
        waits = self._free and self.sent < self.total
        self.deadline = self.due(self.sent) if waits else inf
        self._group.reactor.refresh(self)

    def on_failure(self) -> None:
        """Abort the whole run after an exception."""
        self._group.on_failure()


class PreciseSelector(selectors.DefaultSelector):
    """A selector that waits by select(), whose timeout has a resolution of 1 us."""

    def __init__(self) -> None:
        super().__init__()
        if sys.platform == "linux":  # otherwise the kernel may wake it up 50 us late
            ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return the ready handles, after at most some seconds."""
        select.select([self], [], [], timeout)  # the descriptor of epoll is readable if a handle is ready
        return super().select(0)
