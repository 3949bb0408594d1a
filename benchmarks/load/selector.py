"""A selector that wakes on time: epoll counts milliseconds, and a timer that is a handle does not.

An open loop sends a request when it is due. A selector that sleeps up to a millisecond longer than it
was asked to would add that to the latency of a server which answers in a tenth of it. The reactor takes its
selector from outside, so a better one is all it needs: nothing else here knows of the timer.
"""

import ctypes
import os
import selectors
import sys

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
