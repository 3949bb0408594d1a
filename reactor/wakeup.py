"""Wakeup handles: signals and calls from other threads, delivered through a socket pair.

    Wakeup        ``call_soon(function, *args)``, from any thread, calls a function in the reactor's next turn
    SignalHandle  does the same, and calls a function with the number of each signal received

Both write a byte into a socket pair whose other end is registered with the reactor (the self-pipe trick).
Signal handlers and other threads can run at any time, so they must not touch objects of the loop; writing
a byte is safe.
"""

import logging
import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any
from weakref import WeakSet

from reactor.event_handler import EventHandler, Interest

log = logging.getLogger("reactor")

# Seconds per turn for calling functions; the others wait for the next turn, so that other handlers run.
TURN_SHARE = 0.01
# Seconds that a signal may wait for the loop before another one interrupts the callback that blocks it.
BLOCKED_AFTER = 1.0

Call = tuple[Callable[..., object], tuple[object, ...]]


class Wakeup(EventHandler):
    """Calls functions passed by other threads in the reactor's thread, in order.

    The queue is not bounded: callers that are faster than the loop fill the memory.
    """

    __slots__ = ("__weakref__", "_calls", "_clock", "_lock", "_writing_end")

    is_urgent = True

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        reading_end, self._writing_end = socket.socketpair()
        super().__init__(reading_end, Interest.READ)
        reading_end.setblocking(False)
        self._writing_end.setblocking(False)
        self._calls: deque[Call] = deque()
        self._clock = clock
        # Prevents close() from releasing the file descriptor while another thread writes to it. Reentrant,
        # since a Python signal handler may interrupt ``call_soon`` and call it again.
        self._lock = threading.RLock()

    @property
    def closed(self) -> bool:
        """Whether the handle is closed, so that no further function will be called."""
        return self._writing_end.fileno() < 0

    def call_soon(self, function: Callable[..., object], *arguments: object) -> bool:
        """Call a function in the reactor's next turn; thread-safe. Return False if closed."""
        with self._lock:
            if self.closed:
                return False
            # One byte is enough for all pending calls: the first of them writes it.
            is_first = not self._calls
            self._calls.append((function, arguments))
            if is_first:
                self._wake()
            return True

    def on_readable(self) -> None:
        """Call the pending functions; functions that these add wait for the next turn."""
        self._receive()
        self._run_calls()

    def close(self) -> None:
        """Close both sockets and drop pending calls; remove this handler from the reactor first."""
        with self._lock:
            self._calls.clear()
            self.handle.close()
            self._writing_end.close()

    def _wake(self) -> None:
        try:
            self._writing_end.send(b"\0")
        except OSError:
            pass  # the buffer is full: the reactor will wake up anyway

    def _receive(self) -> bytes:
        try:
            data: bytes = self.handle.recv(4096)
        except BlockingIOError:
            return b""
        return data

    def _run_calls(self) -> None:
        """Call pending functions for at most TURN_SHARE seconds; wake up again for the others."""
        ends = self._clock() + TURN_SHARE
        count = len(self._calls)  # functions that these add wait for the next turn
        while count and self._calls:
            count -= 1
            function, arguments = self._calls.popleft()
            try:
                function(*arguments)
            except Exception:
                log.exception("unhandled exception in a function passed to call_soon: %r", function)
            if self._clock() >= ends:
                break
        with self._lock:
            if self._calls and not self.closed:
                self._wake()


# The handles that catch signals, restored in a forked child: otherwise the child's signals would wake the
# parent, and have no effect on the child, such as the SIGTERM of Process.terminate().
_catching: "WeakSet[SignalHandle]" = WeakSet()


def _restore_in_child() -> None:
    for handle in list(_catching):
        handle.restore()


os.register_at_fork(after_in_child=_restore_in_child)


class SignalHandle(Wakeup):
    """Calls a function in the reactor's thread with the number of each caught signal.

    The signal numbers are queued in memory. The bytes in the socket pair only wake the reactor: it holds only
    a few hundred, and a forked child may write into it, too.

    A callback that never returns keeps the loop from handling signals. So the second signal for which
    ``interrupts`` returns true raises KeyboardInterrupt in it, once, if the first one has waited for a second
    and the loop has handled none since.
    """

    __slots__ = ("_function", "_interrupts", "_numbers", "_previous", "_previous_wakeup", "_waiting_since")

    def __init__(
        self,
        function: Callable[[int], None],
        interrupts: Callable[[int], bool] = lambda number: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(clock)
        self._function = function
        self._interrupts = interrupts
        self._waiting_since = 0.0  # when a signal that interrupts was queued, or others were handled
        self._numbers: deque[int] = deque()
        self._previous: dict[int, Any] = {}
        self._previous_wakeup: int | None = None

    def catch(self, numbers: Iterable[int]) -> None:
        """Catch signals until ``restore``; raise ValueError outside the main thread."""
        try:
            self._previous_wakeup = signal.set_wakeup_fd(
                self._writing_end.fileno(), warn_on_full_buffer=False
            )
            _catching.add(self)
            for number in numbers:
                self._previous[number] = signal.signal(number, self._note)
        except (ValueError, OSError):  # not in the main thread, or not a signal that can be handled
            self.restore()
            raise

    def restore(self) -> None:
        """Restore the previous signal handlers."""
        for number, handler in self._previous.items():
            # None: the previous handler was not installed from Python, and cannot be restored.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._previous.clear()
        _catching.discard(self)
        previous, self._previous_wakeup = self._previous_wakeup, None
        if previous is not None:
            try:
                signal.set_wakeup_fd(previous)
            except (OSError, ValueError):  # the file descriptor was closed
                signal.set_wakeup_fd(-1)

    def on_readable(self) -> None:
        """Handle the pending signals, then call the pending functions."""
        self._waiting_since = self._clock()
        self._receive()
        for _ in range(len(self._numbers)):  # not "while": signals may arrive faster than they are handled
            number = self._numbers.popleft()
            try:
                self._function(number)
            except Exception:
                log.exception("unhandled exception while handling signal %d", number)
        self._run_calls()

    def _note(self, number: int, frame: FrameType | None) -> None:
        """Queue a signal; this is the signal handler, and the work is done in the reactor's thread."""
        if self._interrupts(number):
            now = self._clock()
            if not any(map(self._interrupts, list(self._numbers))):  # another signal may interrupt this
                self._waiting_since = now
            elif now - self._waiting_since >= BLOCKED_AFTER:
                self._interrupts = lambda number: False
                raise KeyboardInterrupt
        self._numbers.append(number)

    def close(self) -> None:
        """Restore the previous signal handlers, and close both sockets."""
        self.restore()
        super().close()
