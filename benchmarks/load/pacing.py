"""Paces, which decide when requests are sent.

    once              send one request per connection
    closed_loop       send the next request as soon as the response is complete
    OpenLoop.on_free  send requests at fixed times

A closed loop measures capacity. It does not measure how long users wait: when the server stalls for a
second, each connection records one long response time and sends nothing in between ("coordinated
omission"). In an open loop request i is due at start + i / rate and is timed from then; requests that are
due while all connections are busy are queued, and their time in the queue counts.

An open loop must wake up on time. The timeout of epoll has a resolution of 1 ms, which would add up to 1 ms
to the latency of a server that responds in 0.1 ms. So on Linux a timerfd wakes it up.
"""

import ctypes
import os
import sys
from collections import deque
from math import inf

from benchmarks.load.clients import ClientGroup, Pace, Requester
from reactor.event_handler import EventHandler, Interest

CLOCK_MONOTONIC = 1
NONBLOCK_CLOEXEC = 0o2004000  # TFD_NONBLOCK | TFD_CLOEXEC, timerfd_create(2)


def once(requester: Requester) -> None:
    """Send one request per connection, and again after it was lost without a response."""
    if not requester.was_answered:
        requester.send_requests(requester.group.clock())


def closed_loop(depth: int = 1) -> Pace:
    """Return a pace that sends ``depth`` requests, and the next ones when all have responses."""
    return lambda requester: requester.send_requests(requester.group.clock(), depth)


class OpenLoop(EventHandler):
    """Sends requests on schedule, on the free connections in turn: ``total``, or until ``end`` is called."""

    def __init__(self, group: ClientGroup, rate: float, total: float = inf) -> None:
        self._timer = PreciseTimer() if sys.platform == "linux" else None
        super().__init__(self._timer, Interest.READ if self._timer else Interest.NONE)
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

    def end(self) -> None:
        """Send no requests but those that are due already."""
        elapsed = self._group.clock() - self._start
        self.total = min(self.total, int(elapsed * self._rate) + 1)

    def stop(self) -> None:
        """Count the requests that were never sent as lost."""
        self._group.reactor.remove(self)
        if self._timer:
            self._timer.close()
        self.end()
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
                requester.send_requests(due)
        waits = self._free and self.sent < self.total
        self.deadline = self.due(self.sent) if waits else inf
        if self._timer:
            self._timer.set(self.deadline - now)
        self._group.reactor.refresh(self)

    on_readable = on_deadline  # the timer has expired

    def on_failure(self) -> None:
        """Abort the whole run after an exception."""
        self._group.on_failure()


class PreciseTimer:
    """A timerfd, which is readable some seconds after it was set (os.timerfd_create exists from 3.13 on)."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor: int = self._libc.timerfd_create(CLOCK_MONOTONIC, NONBLOCK_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create failed")

    def fileno(self) -> int:
        """Return the file descriptor."""
        return self._descriptor

    def set(self, seconds: float) -> None:
        """Become readable after some seconds, and not before; inf: never."""
        nanoseconds = 0 if seconds == inf else max(1, round(seconds * 1e9))
        # struct itimerspec: the interval, then the time, each in seconds and nanoseconds
        specification = (ctypes.c_long * 4)(0, 0, nanoseconds // 10**9, nanoseconds % 10**9)
        self._libc.timerfd_settime(self._descriptor, 0, specification, None)

    def close(self) -> None:
        """Close the timer."""
        os.close(self._descriptor)
