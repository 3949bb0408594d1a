"""Signals: they become a readable handle, and so an event like any other.

A signal handler may interrupt any line of code; what it may safely do is next to nothing. So the
interpreter is asked to write each signal's number into a socket pair, and the reactor reads the
other end when its turn comes.

This module does not know what a signal is for: a function is called with its number.
"""

import signal
import socket
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

from reactor.loop import EventHandler, Interest


def _ignore(number: int, frame: FrameType | None) -> None:
    """Stand in as the signal handler; the work is done when the number is read."""


class Mailbox(EventHandler):
    """Calls a function in the reactor's turn with each number posted, from whatever thread."""

    __slots__ = ("_function", "_writing_end")

    def __init__(self, function: Callable[[int], None]) -> None:
        reading_end, self._writing_end = socket.socketpair()
        super().__init__(reading_end, Interest.READ)
        reading_end.setblocking(False)
        self._writing_end.setblocking(False)
        self._function = function

    def post(self, number: int) -> None:
        """Have the function called with a number from 0 to 255; nothing when we are closed."""
        try:
            self._writing_end.send(bytes([number]))
        except OSError:
            pass  # full of numbers that will be read, or closed

    def on_readable(self) -> None:
        """Read the numbers, in the order in which they came."""
        try:
            numbers = self.handle.recv(4096)
        except BlockingIOError:
            return
        for number in numbers:
            self._function(number)

    def close(self) -> None:
        """Close both ends; the reactor must have let go of us."""
        self.handle.close()
        self._writing_end.close()


class SignalHandle(Mailbox):
    """Calls a function in the reactor's turn with the number of each signal that came.

    To be made in the main thread; elsewhere ValueError is raised. ``close`` gives the signals back.
    """

    __slots__ = ("_previous", "_previous_wakeup", "_when_heard")

    def __init__(self, numbers: Iterable[int], function: Callable[[int], None]) -> None:
        super().__init__(self._hear)
        self._when_heard = function
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

    def _hear(self, number: int) -> None:
        """Pass on a signal that we have asked for; all others are written into our end as well."""
        if number in self._previous:
            self._when_heard(number)

    def close(self) -> None:
        """Restore what was there before, and close both ends."""
        for number, handler in self._previous.items():
            # None stands for a handler that was not set from Python, and cannot be set again.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        if self._previous_wakeup is not None:
            signal.set_wakeup_fd(self._previous_wakeup)
        super().close()
