"""Wakeup: signals and calls from other threads become a readable handle, and so an event like any other.

    Wakeup        call_soon(function, *args) from any thread: called in the reactor's turn
    SignalHandle  a signal arrived: a function is called with its number in the reactor's turn

Both write a byte into a socket pair whose other end the reactor waits for. A signal handler may
interrupt any line of code, and another thread may run between any two: neither may touch what the
loop owns, and both may write a byte.

This module does not know what a signal or a call is for.
"""

import logging
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

from reactor.loop import EventHandler, Interest

log = logging.getLogger("reactor")

Call = tuple[Callable[..., object], tuple[object, ...]]


class Wakeup(EventHandler):
    """Calls functions in the reactor's turn, in the order in which other threads asked for it."""

    __slots__ = ("_calls", "_lock", "_writing_end")

    def __init__(self) -> None:
        reading_end, self._writing_end = socket.socketpair()
        super().__init__(reading_end, Interest.READ)
        reading_end.setblocking(False)
        self._writing_end.setblocking(False)
        self._calls: deque[Call] = deque()
        # Keeps ``close`` in one thread from giving the descriptor away while another writes to it.
        # Reentrant, since a signal handler written in Python may interrupt ``call_soon``, and call it.
        self._lock = threading.RLock()

    @property
    def closed(self) -> bool:
        """True when no further function will be called."""
        return self._writing_end.fileno() < 0

    def call_soon(self, function: Callable[..., object], *arguments: object) -> bool:
        """Have a function called in the reactor's turn, from any thread; return False when closed."""
        with self._lock:
            if self.closed:
                return False
            self._calls.append((function, arguments))
            # One byte is enough for all calls that wait: the first of them has written it.
            if len(self._calls) == 1:
                self._wake()
            return True

    def on_readable(self) -> None:
        """Call the functions that wait; one that is added meanwhile is called in the next turn."""
        with self._lock:
            try:
                self.handle.recv(4096)
            except BlockingIOError:
                pass
            calls, self._calls = self._calls, deque()
        for function, arguments in calls:
            try:
                function(*arguments)
            except Exception:
                log.exception("unhandled exception in a function passed to call_soon: %r", function)

    def close(self) -> None:
        """Close both ends, after the reactor has removed this handler; calls that wait are dropped."""
        with self._lock:
            self._calls.clear()
            self.handle.close()
            self._writing_end.close()

    def _wake(self) -> None:
        try:
            self._writing_end.send(b"\0")
        except OSError:
            pass  # the buffer is full of bytes that will wake the reactor


def _ignore(number: int, frame: FrameType | None) -> None:
    """Stand in as the signal handler; the work is done when the number is read."""


class SignalHandle(EventHandler):
    """Calls a function in the reactor's turn with the number of each signal that came.

    Made in the main thread; elsewhere ValueError is raised. ``close`` restores the previous handlers.
    """

    __slots__ = ("_function", "_previous", "_previous_wakeup", "_writing_end")

    def __init__(self, numbers: Iterable[int], function: Callable[[int], None]) -> None:
        reading_end, self._writing_end = socket.socketpair()
        super().__init__(reading_end, Interest.READ)
        reading_end.setblocking(False)
        self._writing_end.setblocking(False)
        self._function = function
        self._previous: dict[int, Any] = {}
        self._previous_wakeup: int | None = None
        try:
            self._previous_wakeup = signal.set_wakeup_fd(
                self._writing_end.fileno(), warn_on_full_buffer=False
            )
            for number in numbers:
                self._previous[number] = signal.signal(number, _ignore)
        except (ValueError, OSError):  # not in the main thread, or not a signal that can be handled
            self.close()
            raise

    def on_readable(self) -> None:
        """Call the function with each number; the interpreter writes those of other signals, too."""
        try:
            numbers = self.handle.recv(4096)
        except BlockingIOError:
            return
        for number in numbers:
            if number in self._previous:
                self._function(number)

    def close(self) -> None:
        """Restore what was there before, and close both ends."""
        for number, handler in self._previous.items():
            # None stands for a handler that was not set from Python, and cannot be set again.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        if self._previous_wakeup is not None:
            signal.set_wakeup_fd(self._previous_wakeup)
        self.handle.close()
        self._writing_end.close()
