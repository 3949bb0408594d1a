"""Lesson 5: an event handler that does not drop its interest in WRITE.

A handle is writable whenever its send buffer has room, which is nearly always, so a loop that waits for WRITE
never sleeps. Two handlers send the same few bytes; one of them drops its interest afterwards.
"""

import socket
from typing import Any

from reactor.event_handler import EventHandler, Interest
from reactor.loop import Reactor

SECONDS = 0.2


class Greeter(EventHandler):
    """Sends a greeting once; keeps its interest in WRITE afterwards if ``forgets`` is true."""

    def __init__(self, handle: Any, forgets: bool) -> None:
        super().__init__(handle, Interest.WRITE)
        self._data = b"hello"
        self._forgets = forgets

    def on_writable(self) -> None:
        """Send the rest of the data."""
        if self._data:
            self._data = self._data[self.handle.send(self._data) :]
        if not self._data and not self._forgets:
            self.interest = Interest.NONE  # the line that is easily forgotten


class StopTimer(EventHandler):
    """Stops the reactor after SECONDS."""

    def __init__(self, reactor: Reactor) -> None:
        super().__init__(deadline=reactor.now + SECONDS)
        self._reactor = reactor

    def on_deadline(self) -> None:
        """Stop the reactor after the current turn."""
        self._reactor.stop()


class CountingReactor(Reactor):
    """Counts its turns."""

    turns = 0

    def turn(self, may_sleep: bool = True) -> None:
        """Run a turn."""
        self.turns += 1
        super().turn(may_sleep)


def count(forgets: bool) -> int:
    """Return the number of turns of a loop that has nothing to do after its greeting."""
    handle, peer = socket.socketpair()
    reactor = CountingReactor()
    reactor.register(Greeter(handle, forgets))
    reactor.register(StopTimer(reactor))
    with handle, peer:
        reactor.run()
    reactor.close()
    return reactor.turns


def main() -> None:
    """Run both variants."""
    print(f"WRITE dropped:   {count(forgets=False):,} turns in {SECONDS} s")
    print(f"WRITE kept:      {count(forgets=True):,} turns in {SECONDS} s, all but one of them useless")


if __name__ == "__main__":
    main()
