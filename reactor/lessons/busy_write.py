"""Lesson 5: an event handler that forgets to drop its interest in WRITE.

Most of the time the kernel has room, and so a handle that is waited for to be writable is ready at
once, again and again: the loop never sleeps. Two handlers send the same few bytes; one drops its interest.
"""

import socket
from typing import Any

from reactor.event_handler import EventHandler, Interest
from reactor.loop import Reactor

SECONDS = 0.2


class Greeter(EventHandler):
    """Sends a greeting once; forgets to say that it has nothing more to send, or does not."""

    def __init__(self, handle: Any, forgets: bool) -> None:
        super().__init__(handle, Interest.WRITE)
        self._data = b"hello"
        self._forgets = forgets

    def on_writable(self) -> None:
        """Send what there is."""
        if self._data:
            self._data = self._data[self.handle.send(self._data) :]
        if not self._data and not self._forgets:
            self.interest = Interest.NONE  # the line that is forgotten so easily


class Bell(EventHandler):
    """Ends the lesson."""

    def __init__(self, reactor: Reactor) -> None:
        super().__init__(deadline=reactor.now + SECONDS)
        self._reactor = reactor

    def on_deadline(self) -> None:
        """Let the present turn be the last."""
        self._reactor.stop()


class CountingReactor(Reactor):
    """Counts its turns."""

    turns = 0

    def turn(self, may_sleep: bool = True) -> None:
        """Take a turn."""
        self.turns += 1
        super().turn(may_sleep)


def count(forgets: bool) -> int:
    """Return how many turns a loop takes that has nothing to do."""
    ours, theirs = socket.socketpair()
    reactor = CountingReactor()
    reactor.register(Greeter(ours, forgets))
    reactor.register(Bell(reactor))
    with ours, theirs:
        reactor.run()
    reactor.close()
    return reactor.turns


def main() -> None:
    """Run both."""
    print(f"WRITE dropped:   {count(forgets=False):,} turns in {SECONDS} s")
    print(f"WRITE forgotten: {count(forgets=True):,} turns in {SECONDS} s, all for nothing")


if __name__ == "__main__":
    main()
