"""Wakeup handles: signals and calls from other threads, delivered through a socket pair.

    Wakeup        call_soon(function, *args) from any thread: called in the reactor's next turn
    SignalHandle  the same, and a function is called with the number of each signal that arrived

Both write a byte into a socket pair whose other end the reactor waits for. A signal handler may
interrupt any line of code, and other threads run at any time: neither may touch objects of the loop;
both may write a byte.

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
        # Without it, close() could release the descriptor while another thread writes to it. Reentrant,
        # since a signal handler written in Python may interrupt ``call_soon``, and call it.
        self._lock = threading.RLock()

    @property
    def closed(self) -> bool:
        """True when no further function will be called."""
        return self._writing_end.fileno() < 0

    def call_soon(self, function: Callable[..., object], *arguments: object) -> bool:
        """Have a function called in the reactor's next turn, from any thread; return False when closed."""
        with self._lock:
            if self.closed:
                return False
            # One byte is enough for all calls that wait: the first of them writes it.
            is_first = not self._calls
            self._calls.append((function, arguments))
            if is_first:
                self._wake()
            return True

    def on_readable(self) -> None:
        """Call the functions that wait; one that is added during a call waits for the next turn."""
        self._receive()
        self._run_calls()

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

    def _receive(self) -> bytes:
        try:
            data: bytes = self.handle.recv(4096)
        except BlockingIOError:
            return b""
        return data

    def _run_calls(self) -> None:
        with self._lock:
            calls, self._calls = self._calls, deque()
        for function, arguments in calls:
            try:
                function(*arguments)
            except Exception:
                log.exception("unhandled exception in a function passed to call_soon: %r", function)


def _ignore(number: int, frame: FrameType | None) -> None:
    """Stand in as the signal handler; the work is done when the number is read."""


class SignalHandle(Wakeup):
    """Calls a function in the reactor's turn with the number of each signal that is caught."""

    __slots__ = ("_function", "_previous", "_previous_wakeup")

    def __init__(self, function: Callable[[int], None]) -> None:
        super().__init__()
        self._function = function
        self._previous: dict[int, Any] = {}
        self._previous_wakeup: int | None = None

    def catch(self, numbers: Iterable[int]) -> None:
        """Catch signals until ``restore``; raise ValueError outside the main thread, with none caught."""
        try:
            self._previous_wakeup = signal.set_wakeup_fd(
                self._writing_end.fileno(), warn_on_full_buffer=False
            )
            for number in numbers:
                self._previous[number] = signal.signal(number, _ignore)
        except (ValueError, OSError):  # not in the main thread, or not a signal that can be handled
            self.restore()
            raise

    def restore(self) -> None:
        """Restore what handled the signals before."""
        for number, handler in self._previous.items():
            # None stands for a handler that was not set from Python, and cannot be set again.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._previous.clear()
        if self._previous_wakeup is not None:
            signal.set_wakeup_fd(self._previous_wakeup)
            self._previous_wakeup = None

    def on_readable(self) -> None:
        """Call the function with each number; then the functions that other threads have passed."""
        for number in self._receive():
            if number in self._previous:  # the interpreter writes the numbers of other signals, too
                try:
                    self._function(number)
                except Exception:
                    log.exception("unhandled exception while handling signal %d", number)
        self._run_calls()

    def close(self) -> None:
        """Restore what handled the signals before, and close both ends."""
        self.restore()
        super().close()
