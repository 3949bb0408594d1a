"""Wakeup handles: signals and calls from other threads, delivered through a socket pair.

    Wakeup        call_soon(function, *args) from any thread: called in the reactor's next turn
    SignalHandle  the same, and a function is called with the number of each signal that arrived

Both write a byte into a socket pair whose other end the reactor waits for. A signal handler may
interrupt any line of code, and other threads run at any time: neither may touch objects of the loop;
both may write a byte.

This module does not know what a signal or a call is for.
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

# Seconds. Functions that take longer together wait for the next turn, so that other handlers are called.
TURN_SHARE = 0.01

Call = tuple[Callable[..., object], tuple[object, ...]]


class Wakeup(EventHandler):
    """Calls functions in the reactor's turn, in the order in which other threads asked for it.

    How many functions wait is not bounded: what calls more than the loop can do fills the memory.
    """

    __slots__ = ("__weakref__", "_calls", "_clock", "_lock", "_writing_end")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        reading_end, self._writing_end = socket.socketpair()
        super().__init__(reading_end, Interest.READ)
        reading_end.setblocking(False)
        self._writing_end.setblocking(False)
        self._calls: deque[Call] = deque()
        self._clock = clock
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
        """Call the functions that wait, in the time of a turn's share; be called again for the others."""
        ends = self._clock() + TURN_SHARE
        count = len(self._calls)  # functions that are added by these wait for the next turn
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


# The handles that catch signals. In a forked child, the numbers of its signals would wake the parent, and
# its own signals, such as the SIGTERM of Process.terminate(), would have no effect.
_catching: "WeakSet[SignalHandle]" = WeakSet()


def _restore_in_child() -> None:
    for handle in list(_catching):
        handle.restore()


os.register_at_fork(after_in_child=_restore_in_child)


class SignalHandle(Wakeup):
    """Calls a function in the reactor's turn with the number of each signal that is caught.

    The bytes of the socket pair only wake the reactor: it has room for some hundreds of signals, and a forked
    child writes into the same one. The numbers are kept in memory.
    """

    __slots__ = ("_function", "_numbers", "_previous", "_previous_wakeup")

    def __init__(self, function: Callable[[int], None]) -> None:
        super().__init__()
        self._function = function
        self._numbers: deque[int] = deque()
        self._previous: dict[int, Any] = {}
        self._previous_wakeup: int | None = None

    def catch(self, numbers: Iterable[int]) -> None:
        """Catch signals until ``restore``; raise ValueError outside the main thread, with none caught."""
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
        """Restore what handled the signals before."""
        for number, handler in self._previous.items():
            # None stands for a handler that was not set from Python, and cannot be set again.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._previous.clear()
        _catching.discard(self)
        previous, self._previous_wakeup = self._previous_wakeup, None
        if previous is not None:
            try:
                signal.set_wakeup_fd(previous)
            except (OSError, ValueError):  # it has been closed since
                signal.set_wakeup_fd(-1)

    def on_readable(self) -> None:
        """Call the function with each number; then the functions that other threads have passed."""
        self._receive()
        for _ in range(len(self._numbers)):  # not while there are any: they may come faster
            number = self._numbers.popleft()
            try:
                self._function(number)
            except Exception:
                log.exception("unhandled exception while handling signal %d", number)
        self._run_calls()

    def _note(self, number: int, frame: FrameType | None) -> None:
        """Note a signal, as its handler: the work is done in the reactor's turn."""
        self._numbers.append(number)

    def close(self) -> None:
        """Restore what handled the signals before, and close both ends."""
        self.restore()
        super().close()
